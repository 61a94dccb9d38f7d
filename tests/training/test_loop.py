"""The training loop: order, rates, the weights that are kept, and how it ends when it does not end well."""

import itertools
import math
import time
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.batches import order
from bench.budget import Budget
from bench.errors import Diverged
from bench.model import Batch
from bench.transfer import Transfer
from tests.benchmarks import by_hand
from tests.loops import ITEMS, Line, Steps, line
from tests.loops import steps as steps
from tests.models import EXEMPLARS, TRAINED, data_of, language_model, model_of, same, texts, transfer_of, unet, weights

LARGE = 50.0  # a learning rate that does harm


def losses(transfer: Transfer, kind: str) -> list[float]:
    return [row[kind] for row in transfer.curve if kind in row]


# Order and rates ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("rows", "size"), [(10, 3), (10, 10), (3, 7), (1, 1), (7, 2)])
def test_every_row_comes_before_any_comes_again(rows: int, size: int) -> None:
    batches = order(rows, size, torch.Generator().manual_seed(0))
    seen = torch.cat([next(batches) for _ in range(3 * rows)])
    assert len(seen) == 3 * rows * size
    epochs = seen[: len(seen) // rows * rows].reshape(-1, rows)
    assert all(sorted(epoch.tolist()) == list(range(rows)) for epoch in epochs)


def test_order_depends_on_its_seed_alone() -> None:
    one, again, other = (next(order(100, 50, torch.Generator().manual_seed(seed))).tolist() for seed in (0, 0, 1))
    assert one == again != other


@pytest.mark.parametrize(
    ("decay", "closed_form"),
    [
        ("cosine", lambda left: (1 - math.cos(math.pi * left)) / 2),
        ("linear", lambda left: left),
        ("constant", lambda left: 1.0),
    ],
)
def test_the_rate_rises_in_a_line_and_falls_as_asked(decay: Any, closed_form: Any) -> None:
    budget = Budget(steps=100, warmup=0.2, decay=decay)
    rates = [budget.rate(progress / 100) for progress in range(101)]
    assert rates[:20] == pytest.approx([n / 20 for n in range(20)])
    assert rates[20] == pytest.approx(1)
    assert rates[20:] == pytest.approx([closed_form((100 - n) / 80) for n in range(20, 101)])


@pytest.mark.parametrize("warmup", [0.0, 1.0])
def test_the_rate_without_decay_or_without_warm_up(warmup: float) -> None:
    rates = [Budget(steps=10, warmup=warmup).rate((n + 0.5) / 10) for n in range(10)]
    assert rates == sorted(rates, reverse=warmup == 0)
    assert all(0 < value <= 1 for value in rates)


def test_no_step_is_wasted_on_a_rate_of_zero(steps: Steps) -> None:
    transfer = line(steps=10, warmup=0.5, decay="linear", learning_rate=0.1)
    transfer.fit(10)
    given = [step[0] for step in steps.rates]
    assert given == pytest.approx([0.01, 0.03, 0.05, 0.07, 0.09, 0.09, 0.07, 0.05, 0.03, 0.01])
    assert losses(transfer, "learning_rate") == pytest.approx(given)


def test_factors_on_the_rate(steps: Steps) -> None:
    model = language_model()
    transfer = transfer_of(model, texts(), steps=2, warmup=0.0, decay="constant", learning_rate=1e-3)
    slow, still = model.network.transformer.wpe.weight, model.network.transformer.ln_f.weight
    before = still.detach().clone()
    transfer.rates |= {slow: 0.1, still: 0.0}
    transfer.fit(2)
    assert sorted(steps.rates[0]) == pytest.approx([0, 1e-4, 1e-3])
    assert torch.equal(still, before)


# What a step does -----------------------------------------------------------------------------------------------------


def test_a_step_is_adamws(steps: Steps) -> None:
    """The first step of Adam has the size of the rate, whatever the gradient; weight decay comes on top."""
    transfer = line(weight=1.0, steps=1, learning_rate=0.1, weight_decay=0.5)
    transfer.fit(1)
    ((gradient,),) = [list(step.values()) for step in steps.gradients]
    assert float(gradient) == pytest.approx(2 * (1 - 2) * sum(n * n for n in range(8)) / 8)
    weight = next(transfer.model.parameters()).detach()
    assert float(weight) == pytest.approx(1 * (1 - 0.1 * 0.5) + 0.1, rel=1e-5)


@pytest.mark.parametrize(("clip", "norm"), [(0.5, 0.5), (None, 70.0), (1000.0, 70.0)])
def test_gradients_are_clipped(clip: float | None, norm: float, steps: Steps) -> None:
    line(steps=1, clip=clip).fit(1)
    (gradient,) = steps.gradients[0].values()
    assert float(gradient.norm()) == pytest.approx(norm, rel=1e-4)


def test_terms_transforms_and_schedule_take_part() -> None:
    seen: list[Any] = []
    transfer = line(steps=4)
    transfer.schedule.append(seen.append)
    transfer.transforms += [
        lambda batch, _: batch | {"x": batch["x"] + 1},
        lambda batch, _: batch | {"x": batch["x"] * 2},
    ]
    transfer.terms.append(lambda batch, outputs: 0 * outputs.sum() + batch["x"].max())
    transfer.fit(4)
    assert seen == [0, 0.25, 0.5, 0.75]
    first = sum((2 * 2 * (n + 1)) ** 2 for n in range(8)) / 8 + 2 * 8
    assert losses(transfer, "train_loss")[0] == pytest.approx(first), "transforms in their order, the term added"
    assert losses(transfer, "validation_loss")[0] == pytest.approx(4 * (64 + 81 + 100) / 3), "untouched by either"


def test_what_a_schedule_freezes_stops_at_once() -> None:
    """Neither the momentum it has nor weight decay moves it further."""
    model = language_model()
    transfer = transfer_of(model, texts(), steps=6, weight_decay=0.1, decay="constant")
    weight, seen = model.network.transformer.wpe.weight, list[Tensor]()

    def freeze(progress: float) -> None:
        seen.append(weight.detach().clone())
        weight.requires_grad_(progress < 0.5)

    transfer.schedule.append(freeze)
    transfer.fit(6)
    assert [not torch.equal(one, other) for one, other in itertools.pairwise(seen)] == [True, True, True, False, False]


def test_two_players_learn_from_their_own_losses() -> None:
    class Duel(Line):
        """One wants to be larger, the other smaller."""

        def __init__(self) -> None:
            super().__init__()
            self.both: list[nn.Module] = [nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)]
            self.network = nn.ModuleList(self.both)

        def players(self) -> list[nn.Module]:
            return self.both

        def forward(self, batch: Batch) -> Tensor:
            return torch.stack([player(batch["x"]).mean() for player in self.both])

        def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
            return outputs[1] if player is self.both[1] else outputs[1] - outputs[0]

    model = Duel()
    one, other = (next(player.parameters()) for player in model.players())
    before = one.item(), other.item()
    transfer = transfer_of(model, ITEMS, steps=3, batch_size=8)
    transfer.fit(3)
    assert one.item() > before[0]
    assert other.item() < before[1]


@pytest.mark.parametrize("kind", ["text", "images"])
def test_it_is_the_loop_one_would_write_by_hand(kind: str) -> None:
    """To the last bit; the benchmark of the same name compares what the two take."""
    ends = []
    for loop in (by_hand.ours, by_hand.by_hand):
        transfer = by_hand.transfer(kind, steps=4)
        torch.manual_seed(1)  # of dropout
        loop(transfer)
        ends.append(weights(transfer.model))
    assert same(*ends)


# What is kept ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_best_weights_on_validation_are_kept(family: str) -> None:
    """The rate grows until it does harm; what is left is the model from before."""
    model, data = model_of(family), data_of(family)
    transfer = transfer_of(model, data, steps=12, validations=12, warmup=1.0, learning_rate=0.3)
    transfer.fit(12)
    found = losses(transfer, "validation_loss")
    assert min(found) < found[0], "some steps have helped"
    assert found[-1] > min(found), "and later ones have harmed"
    again = transfer_of(model, data, steps=1, learning_rate=1e-30)
    again.fit(1)
    assert losses(again, "validation_loss")[0] == pytest.approx(min(found), rel=1e-6)


def test_where_no_step_helps_the_start_is_kept() -> None:
    transfer = line(weight=2.0, steps=5, learning_rate=LARGE)
    before = weights(transfer.model)
    transfer.fit(5)
    assert same(weights(transfer.model), before)
    assert transfer.taken == 5


def test_validation_looks_at_the_first_rows_as_often_as_asked() -> None:
    transfer = line(weight=1.0, steps=10, validations=4, validation_rows=2, learning_rate=1e-9)
    transfer.fit(10)
    rows = [row for row in transfer.curve if "validation_loss" in row]
    assert [row["step"] for row in rows] == [0, 2, 5, 8, 10]
    assert rows[0]["validation_loss"] == pytest.approx((64 + 81) / 2)


@pytest.mark.parametrize("family", TRAINED)
def test_validation_meets_the_same_noise_every_time(family: str) -> None:
    transfer = transfer_of(model_of(family), data_of(family), steps=3, validations=3, learning_rate=1e-30)
    transfer.fit(3)
    assert len(set(losses(transfer, "validation_loss"))) == 1


def test_the_test_split_is_never_asked_for() -> None:
    transfer, asked = line(steps=2), []
    encode = transfer.encode
    transfer.encode = lambda items: asked.append(items) or encode(items)  # type: ignore[func-returns-value]
    transfer.fit(2)
    assert all(items is not transfer.data.test for items in asked)


def test_it_tells_of_every_step() -> None:
    transfer, told = line(steps=3), list[int]()
    transfer.progress = told.append
    transfer.fit(3)
    assert told == [1, 2, 3]
    assert not transfer.model.training
    seconds = [row["seconds"] for row in transfer.curve]
    assert seconds == sorted(seconds)


# How it repeats -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", TRAINED)
def test_one_seed_gives_one_curve(family: str) -> None:
    def curve(seed: int) -> list[dict[str, Any]]:
        transfer = transfer_of(model_of(family), data_of(family), steps=4, seed=seed)
        transfer.fit(4)
        return [{key: value for key, value in row.items() if key != "seconds"} for row in transfer.curve]

    assert curve(0) == curve(0)
    assert curve(0) != curve(1)


def test_fitting_again_goes_on() -> None:
    """With other batches, and with all steps counted."""
    transfer = transfer_of(unet(), data_of("diffusion"), steps=2, learning_rate=1e-30, validations=1)
    transfer.fit(2)
    transfer.fit(2)
    assert transfer.taken == 4
    assert [row["step"] for row in transfer.curve if "train_loss" in row] == [1, 2, 3, 4]
    assert len(set(losses(transfer, "train_loss"))) == 4


def test_no_steps_are_no_training() -> None:
    transfer = line(steps=0)
    transfer.fit(0)
    assert transfer.curve == []


# How it ends otherwise ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_divergence_is_noticed_at_once(value: float) -> None:
    class Breaking(Line):
        calls = 0

        def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
            self.calls += self.training
            return super().loss(batch, outputs) * (value if self.training and self.calls == 3 else 1)

    transfer = transfer_of(Breaking(), ITEMS, steps=10)
    with pytest.raises(Diverged, match=rf"the loss became {value} at step 3; try a smaller learning rate"):
        transfer.fit(10)
    assert transfer.taken == 3
    assert len(losses(transfer, "train_loss")) == 3, "the curve shows it"


def test_divergence_on_validation_is_noticed() -> None:
    """A last step can spoil the weights without a loss that shows it."""
    transfer = line(steps=2, validations=1)

    def spoil(progress: float) -> None:
        nn.init.constant_(next(transfer.model.parameters()), 1e30 * progress)

    transfer.schedule.append(spoil)
    with pytest.raises(Diverged, match="became inf at step"):
        transfer.fit(2)


# Stages and the clock -------------------------------------------------------------------------------------------------


def test_no_step_begins_after_the_deadline() -> None:
    transfer = line(steps=10)
    transfer.deadline = time.perf_counter()
    transfer.run()
    assert transfer.taken == 0
    transfer.stages.append(lambda left: transfer.practise("before", left))
    transfer.run()
    assert transfer.taken == 0


def test_what_was_learned_when_time_was_up_is_validated() -> None:
    transfer = line(steps=10, validations=1)

    def look_at_the_clock(progress: float) -> None:
        if progress == 0.3:
            transfer.deadline = time.perf_counter()

    transfer.schedule.append(look_at_the_clock)
    transfer.run()
    assert transfer.taken == 4, "a step that began is finished"
    assert [row["step"] for row in transfer.curve if "validation_loss" in row] == [0, 4]


def test_a_stage_is_counted_and_not_validated() -> None:
    transfer = line(steps=5)
    transfer.stages.append(lambda left: transfer.practise("before", left - 2))
    transfer.run()
    assert transfer.spent == {"before": 3, "": 2}
    assert [row["stage"] for row in transfer.curve if "train_loss" in row] == ["before"] * 3 + [""] * 2
    assert [row["step"] for row in transfer.curve if "train_loss" in row] == [1, 2, 3, 4, 5]
    assert min(row["step"] for row in transfer.curve if "validation_loss" in row) == 3
    assert [row["seconds"] for row in transfer.curve] == sorted(row["seconds"] for row in transfer.curve)


def test_a_stage_keeps_its_last_weights() -> None:
    """On the target the best ones are kept: a stage may well lead away from them first."""
    ends = []
    for train in (lambda transfer: transfer.practise("away", 3), lambda transfer: transfer.fit(3)):
        transfer = line(weight=2.0, steps=3)
        with transfer.having(terms=[lambda batch, outputs: 10 * outputs.sum()]):
            train(transfer)
        assert transfer.terms == []
        ends.append(next(transfer.model.parameters()).item())
    assert ends == pytest.approx([2.0 - 0.3, 2.0], rel=1e-3)


def test_gradients_count_by_rows_and_change_nothing() -> None:
    transfer = line(weight=1.0, steps=5)
    before = weights(transfer.model)
    size = transfer.budget.batch_size
    rows = transfer.encode(transfer.data.train)
    for _ in range(size + 1):
        batch = transfer.model.collate(rows, torch.tensor([3]))
        ((_, gradient),) = transfer.gradients("fisher", batch).items()
    assert float(gradient) == pytest.approx(2 * (1 - 2) * 3 * 3)
    assert transfer.spent == {"fisher": 2}, "a batch and a part of one"
    assert transfer.examples == size + 1
    assert same(before, weights(transfer.model))
    assert all(parameter.grad is None for parameter in transfer.model.parameters())
