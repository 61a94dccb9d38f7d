"""Fisher information: what it is, what it costs, and what it holds."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench.approaches.ewc import fisher
from bench.errors import NotApplicable
from bench.model import Batch
from bench.transfer import Transfer
from tests.models import EXEMPLARS, batch_of, data_of, fitted, model_of, prepare, source_of, transfer_of


def prepared(family: str, approach: str = "ewc", steps: int = 8, **options: Any) -> Transfer:
    transfer = transfer_of(
        model_of(family), data_of(family), steps=steps, source=source_of(family), weight_decay=0.0, decay="constant"
    )
    return prepare(transfer, approach, ewc=options)


def hold(transfer: Transfer) -> Tensor:
    (term,) = transfer.terms
    batch = batch_of(transfer.model, transfer.data)
    return term(batch, transfer.model(batch).detach()).detach()


def information(family: str, count: int) -> tuple[Transfer, dict[nn.Parameter, Tensor]]:
    transfer = transfer_of(model_of(family), data_of(family))
    return transfer, fisher(transfer, transfer.encode(transfer.data.train), count)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_fisher_is_the_mean_square_of_each_examples_gradient(family: str) -> None:
    transfer, found = information(family, 3)
    model, gradients, rows, units = transfer.model, list[list[Tensor]](), list[Batch](), 0
    loss = model.loss

    def note(batch: Batch, *rest: Any) -> Tensor:
        rows.append(batch)
        return loss(batch, *rest)

    model.loss = note  # type: ignore[method-assign, assignment]
    again = fisher(transfer, transfer.encode(transfer.data.train), 3)
    assert all(torch.equal(again[weight], value) for weight, value in found.items()), "the same rows, the same noise"
    assert [len(batch["item"]) for batch in rows] == [1, 1, 1]
    weights = list(model.parameters())
    for batch in rows:
        total = loss(batch, model(batch)) * model.units(batch)
        gradients.append([g.square() for g in torch.autograd.grad(total, weights)])
        units += model.units(batch)
    for weight, *squares in zip(weights, *gradients, strict=True):
        assert torch.allclose(found[weight], torch.stack(squares).sum(0) / units, rtol=1e-4, atol=1e-9)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_fisher_is_positive_and_larger_on_weights_that_matter(family: str) -> None:
    """The same disturbance does more harm where Fisher is large than where it is small."""
    transfer, found = information(family, 12)
    assert all((value >= 0).all() for value in found.values())
    assert sum(float((value > 0).sum()) for value in found.values()) > 0.5 * sum(v.numel() for v in found.values())
    model, batch = transfer.model, batch_of(transfer.model, transfer.data, rows=6)
    split = torch.cat([value.flatten() for value in found.values()]).median()
    harm = []
    with torch.no_grad():
        reference = model(batch)
        for matters in (True, False):
            noise = torch.Generator().manual_seed(0)
            before = [weight.clone() for weight in found]
            for weight, value in found.items():
                weight.add_(0.02 * torch.randn(weight.shape, generator=noise) * ((value > split) == matters))
            harm.append(float(model.divergence(batch, model(batch), reference)))
            for weight, start in zip(found, before, strict=True):
                weight.copy_(start)
    assert harm[0] > 3 * harm[1]


def test_what_no_example_used_does_not_matter() -> None:
    """Positions beyond the longest row: nothing is predicted from there."""
    transfer, found = information("causal_lm", 1000)
    positions = found[transfer.model.network.get_parameter("transformer.wpe.weight")]
    longest = int(transfer.encode(transfer.data.train)["length"].max()) - 1
    assert (positions[:longest] > 0).any(1).all()
    assert not positions[longest:].any()


@pytest.mark.parametrize(("examples", "steps"), [(6, 2), (8, 2), (9, 3), (1000, 4)])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_its_gradients_count_and_half_of_the_budget_is_the_targets(family: str, examples: int, steps: int) -> None:
    transfer = fitted(prepared(family, examples=examples))
    assert transfer.spent == {"fisher": steps, "": 8 - steps}
    assert transfer.examples == min(examples, 16) + 4 * (8 - steps)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_term_is_half_lambda_times_the_weighted_square(family: str) -> None:
    transfer = prepared(family, strength=3.0, examples=8)
    assert hold(transfer).item() == 0
    (consolidate,) = transfer.stages
    consolidate(8)
    assert hold(transfer).item() == 0
    rest = transfer.terms.pop()
    found: dict[nn.Parameter, Tensor] = {}
    batch = batch_of(transfer.model, transfer.data)
    nothing = torch.zeros(())
    for weight in transfer.trainable():  # the term is quadratic: its gradient one away from the start is λ F
        with torch.no_grad():
            weight.add_(1)
        (gradient,) = torch.autograd.grad(rest(batch, nothing), [weight])
        found[weight] = gradient / 3.0
    expected = 3.0 / 2 * sum(float(value.sum()) for value in found.values())
    assert expected > 0
    assert all((value >= 0).all() for value in found.values())
    assert rest(batch, nothing).item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("on", ["samples", "source"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_on_the_models_own_samples_or_on_source_data(family: str, on: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = list[Batch]()

    def note(transfer: Transfer, rows: Batch, count: int) -> dict[nn.Parameter, Tensor]:
        seen.append(rows)
        return {}

    monkeypatch.setattr("bench.approaches.ewc.fisher", note)
    transfer = prepared(family, on=on, examples=5)
    transfer.stages[0](8)
    model, source = transfer.model, source_of(family).train
    same = [torch.equal(seen[0][name], value) for name, value in model.encode(source).items()] if on == "source" else []
    assert all(same)
    if on == "samples":
        assert len(seen[0]["item"].unique()) == 5
        known = {str(item) for data in (data_of(family), source_of(family)) for item in data.train}
        assert not known & {str(item) for item in model.decode(model.collate(seen[0], torch.arange(5)))}


def test_without_a_source_there_are_the_samples() -> None:
    transfer = transfer_of(model_of("diffusion"), data_of("diffusion"), steps=4)
    with pytest.raises(NotApplicable, match="not known"):
        prepare(transfer, "ewc", ewc={"on": "source"})
    assert fitted(prepare(transfer, "ewc", ewc={"examples": 4})).spent == {"fisher": 1, "": 3}


@pytest.mark.parametrize("approach", ["lora + ewc", "ewc + lora", "feature_extraction + ewc"])
def test_where_no_pretrained_weight_trains_there_is_nothing_to_hold(approach: str) -> None:
    with pytest.raises(NotApplicable, match="no pretrained weight trains"):
        fitted(prepared("causal_lm", approach))


def test_samples_of_a_model_with_new_parts_tell_nothing() -> None:
    with pytest.raises(NotApplicable, match="part of the model is new"):
        fitted(prepared("causal_lm", "layer_transfer + ewc"))
    fitted(prepared("causal_lm", "layer_transfer + ewc", on="source", examples=4))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_what_mattered_moves_less(family: str) -> None:
    """Of the same weights, trained on the same rows, as a share of how far they move without it."""
    ends = []
    for strength in (0.0, 1e5):
        transfer = prepared(family, steps=16, strength=strength, examples=16)
        start = [weight.detach().clone() for weight in transfer.trainable()]
        transfer.stages[0](16)
        transfer.practise("without validation", 12)
        pairs = zip(transfer.trainable(), start, strict=True)
        ends.append(torch.cat([(weight.detach() - value).flatten().abs() for weight, value in pairs]))
    _, found = information(family, 12)
    values = torch.cat([value.flatten() for value in found.values()])
    important, unimportant = values > values.quantile(0.9), values < values.quantile(0.1)
    kept = [float(ends[1][which].mean() / ends[0][which].mean()) for which in (important, unimportant)]
    assert kept[0] < 0.8 * kept[1]
