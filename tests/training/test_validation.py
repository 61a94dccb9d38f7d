"""What is scored is what was validated: the loss of a trial is that of the weights it ends with."""

from collections.abc import Callable

import pytest
import torch
from torch import nn

from bench.device import accelerator
from bench.errors import Diverged
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.loops import Line, line
from tests.models import data_of, fitted, language_model, model_of, prepare, same, texts, transfer_of, weights

Change = Callable[[Transfer], object]


def weight_of(transfer: Transfer) -> nn.Parameter:
    weight = transfer.model.network.weight
    assert isinstance(weight, nn.Parameter)
    return weight


def loss_of(transfer: Transfer) -> float:
    """Of the weights as they are."""
    rows = transfer.encode(transfer.data.validation)
    size = transfer.budget.batch_size
    return mean_loss(transfer.model, rows, size, size, accelerator(transfer.budget))


def validated(transfer: Transfer) -> list[float]:
    return [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]


def after(transfer: Transfer, change: Change) -> Transfer:
    """The loop, and what somebody does to the weights when it is over."""
    inner = transfer.fit

    def fit(steps: int) -> None:
        inner(steps)
        with torch.no_grad():
            change(transfer)

    transfer.fit = fit
    return fitted(transfer)


def way_back(alpha: float) -> Transfer:
    """From two learned steps back to the start, where the weight is zero."""
    return after(line(steps=3, validations=1), lambda transfer: weight_of(transfer).mul_(alpha))


def test_each_share_of_the_way_has_a_loss_of_its_own() -> None:
    untouched, found = fitted(line(steps=3, validations=1)), [way_back(alpha) for alpha in (0.0, 0.5, 1.0)]
    losses = [transfer.validation_loss for transfer in found]
    assert losses == [loss_of(transfer) for transfer in found], "of the weights that are scored"
    assert losses[0] == validated(untouched)[0] > losses[1] > losses[2] == untouched.validation_loss
    assert [transfer.changed for transfer in found] == [True, True, False]
    assert [transfer.taken for transfer in found] == [3] * 3, "none of it is paid for in steps"
    assert [len(validated(transfer)) for transfer in found] == [3, 3, 2], "only what changed is validated again"


def test_where_nothing_changed_the_lowest_loss_is_the_one() -> None:
    """Training that only harms ends where it began."""
    transfer = fitted(line(weight=2.0, steps=4, validations=4, learning_rate=3.0))
    assert transfer.validation_loss == min(validated(transfer)) == validated(transfer)[0] == 0
    assert loss_of(transfer) == 0
    assert not transfer.changed


def replace_data(transfer: Transfer) -> None:
    weight = weight_of(transfer)
    weight.data = weight.data / 2


def replace_parameter(transfer: Transfer) -> None:
    transfer.model.network.register_parameter("weight", nn.Parameter(weight_of(transfer) / 2))


@pytest.mark.parametrize("change", [replace_data, replace_parameter])
def test_a_change_is_seen_however_it_is_made_and_is_kept(change: Change) -> None:
    transfer = line(steps=3)
    stored = transfer.stored()
    after(transfer, change)
    assert transfer.changed
    assert transfer.validation_loss == loss_of(transfer)
    (kept,) = transfer.of_now(stored).values()
    assert torch.equal(kept, weight_of(transfer))


def test_steps_that_give_a_weight_other_data_are_undone_where_they_do_harm() -> None:
    """As pruning by ``weight.data = weight.data * mask`` does."""
    transfer = line(weight=2.0, steps=3, validations=3)
    transfer.schedule.append(lambda progress: setattr(weight_of(transfer), "data", torch.zeros(1, 1)))
    fitted(transfer)
    assert weight_of(transfer).item() == 2
    assert transfer.validation_loss == loss_of(transfer) == 0


class Normed(Line):
    """A line behind a norm that keeps its statistics."""

    def __init__(self) -> None:
        super().__init__(1.0)
        self.network = nn.Sequential(nn.BatchNorm1d(1).requires_grad_(False), nn.Linear(1, 1))


@pytest.mark.parametrize("name", ["network.0.running_mean", "network.0.weight"], ids=["statistics", "frozen weights"])
def test_what_does_not_train_is_looked_at_too(name: str) -> None:
    transfer = transfer_of(Normed(), line().data, steps=2)
    after(transfer, lambda transfer: transfer.model.state_dict()[name].add_(1))
    assert transfer.changed
    assert transfer.validation_loss == loss_of(transfer) != min(validated(transfer)[:-1])


def test_a_statistic_that_is_no_number_is_no_change() -> None:
    model = Normed()
    model.register_buffer("unused", torch.tensor(torch.nan))
    assert not fitted(transfer_of(model, line().data, steps=2)).changed


def test_an_outer_loop_that_goes_on_from_worse_weights_does_not_keep_the_earlier_loss() -> None:
    transfer = line(steps=4, validations=1)
    inner = transfer.fit

    def fit(steps: int) -> None:
        inner(2)
        with torch.no_grad():
            weight_of(transfer).fill_(-50)
        inner(2)

    transfer.fit = fit
    fitted(transfer)
    assert not transfer.changed
    assert transfer.validation_loss == loss_of(transfer) == validated(transfer)[-1] > min(validated(transfer))


def test_what_trains_without_validation_is_validated_in_the_end() -> None:
    """An outer loop of practise alone, and a stage that leaves no step for the target."""
    wrapped, staged = line(steps=2), line(steps=2)
    wrapped.fit = lambda steps: wrapped.practise("rounds", steps)
    staged.stages.append(lambda left: staged.practise("before", left))
    for transfer in (wrapped, staged):
        fitted(transfer)
        assert validated(transfer) == [transfer.validation_loss] == [loss_of(transfer)]
        assert transfer.curve[-1]["step"] == 2


def test_weights_that_end_as_no_numbers_diverged() -> None:
    with pytest.raises(Diverged, match="the validation loss became nan at step 3"):
        after(line(steps=3), lambda transfer: weight_of(transfer).fill_(torch.nan))


@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_averaged_weights_are_what_was_validated(family: str) -> None:
    model = model_of(family)
    model.averaging = 0.9
    transfer = fitted(transfer_of(model, data_of(family), steps=4))
    assert not transfer.changed
    assert transfer.validation_loss == pytest.approx(loss_of(transfer))


def test_what_takes_no_step_is_not_validated() -> None:
    transfer = prepare(transfer_of(language_model(), texts()), "zero_shot")
    before = weights(transfer.model)
    assert validated(fitted(transfer)) == []
    assert same(before, weights(transfer.model))
