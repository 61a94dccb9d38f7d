"""Distances between distributions of features, in closed form, and that training shortens them."""

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.approaches._features import Tap, chosen, pooled
from bench.approaches.domain_adaptation import coral, mmd
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.transfer import Term, Transfer
from tests.models import EXEMPLARS, data_of, fitted, language_model, model_of, prepare, source_of, transfer_of, unet

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def with_covariance(covariance: Tensor, mean: float = 0.0, rows: int = 64) -> Tensor:
    """Rows whose sample covariance is exactly that."""
    drawn = torch.randn(rows, len(covariance), generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    centred = drawn - drawn.mean(0)
    white: Tensor = centred @ torch.linalg.inv(torch.linalg.cholesky(centred.T @ centred / (rows - 1))).T
    stretched: Tensor = torch.linalg.cholesky(covariance)
    return white.matmul(stretched.T).add(mean)


def gaussian(mean: float, seed: int, rows: int = 200) -> Tensor:
    return mean + torch.randn(rows, 3, generator=torch.Generator().manual_seed(seed))


def test_coral_of_known_covariances() -> None:
    one = torch.tensor([[2.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    other = torch.tensor([[1.0, -0.5], [-0.5, 3.0]], dtype=torch.float64)
    ours, theirs = with_covariance(one), with_covariance(other, mean=5.0, rows=32)
    assert coral(ours, theirs).item() == pytest.approx((1 + 1 + 1 + 4) / 16, rel=1e-6)
    assert coral(ours, with_covariance(one, mean=5.0)).item() == pytest.approx(0, abs=1e-12), "means are no matter"


def test_half_precision_is_too_coarse_for_either() -> None:
    ours, theirs = gaussian(0, 0), gaussian(1, 1)
    expected = coral(ours, theirs), mmd(ours, theirs)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert (coral(ours, theirs), mmd(ours, theirs)) == expected


def test_mmd_of_a_set_with_itself_is_zero() -> None:
    rows = gaussian(0, 0)
    assert mmd(rows, rows).item() == pytest.approx(0, abs=1e-6)
    assert mmd(rows, rows[torch.randperm(len(rows))]).item() == pytest.approx(0, abs=1e-6)


def test_mmd_of_two_points() -> None:
    """Each is at distance 0 from itself, and the median is their own distance."""
    kernel = sum(math.exp(-1 / width) for width in (0.25, 0.5, 1, 2, 4)) / 5
    one, other = torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0]])
    assert mmd(one, other).item() == pytest.approx(2 - 2 * kernel, rel=1e-5)


def test_mmd_grows_with_the_shift_between_gaussians() -> None:
    found = [mmd(gaussian(0, 0), gaussian(shift, 1)).item() for shift in (0.0, 0.5, 1.0, 2.0)]
    assert found == sorted(found)
    assert found[1] > 2 * found[0] >= 0
    wider = mmd(gaussian(0, 0), 3 * gaussian(0, 1)).item()
    assert wider > 5 * found[0], "of the same mean, and yet not the same"


def test_both_have_gradients_where_rows_coincide() -> None:
    for distance in (mmd, coral):
        ours = torch.zeros(3, 2, requires_grad=True)
        distance(ours, torch.zeros(3, 2)).backward()
        assert ours.grad is not None
        assert not ours.grad.any()


def prepared(family: str, method: str, weight: float, **budget: Any) -> Transfer:
    model: Model = language_model(sizes=NO_DROPOUT) if family == "causal_lm" else unet()
    settings: dict[str, Any] = {"steps": 20, "decay": "constant", "batch_size": 12} | budget
    transfer = transfer_of(model, data_of(family), source=source_of(family), **settings)
    return prepare(transfer, "domain_adaptation", domain_adaptation={"method": method, "weight": weight})


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_loss_is_the_own_and_the_distance_between_the_features_of_both(family: str) -> None:
    transfer = prepared(family, "coral", 300.0, steps=1)
    model, passes = transfer.model, list[Batch]()
    forward = model.forward

    def note(batch: Batch) -> Tensor:
        if model.training:
            passes.append(batch)
        return forward(batch)

    model.forward = note  # type: ignore[method-assign]
    transfer.practise("", 1)
    target, source = passes
    assert len(target["item"]) == len(source["item"]) == 12
    fresh = prepared(family, "coral", 300.0, steps=1).model
    tap = Tap(fresh, chosen(transfer, "domain_adaptation", "features"))
    outputs = fresh(target)
    features = pooled(target, *tap.take(outputs)), pooled(source, *tap.take(fresh(source)))
    own, apart = fresh.loss(target, outputs), coral(*features)
    assert apart > 0
    (loss,) = [row["train_loss"] for row in transfer.curve if "train_loss" in row]
    assert loss == pytest.approx((own + 300.0 * apart).item(), rel=1e-5)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_sources_rows_are_counted_and_come_from_the_source(family: str) -> None:
    transfer = prepared(family, "mmd", 1.0, steps=3, batch_size=4)
    asked, encode = [], transfer.encode
    transfer.encode = lambda items: asked.append(items) or encode(items)  # type: ignore[func-returns-value]
    fitted(transfer)
    assert transfer.examples == 2 * 3 * 4
    assert transfer.spent == {"": 3}
    assert any(items is transfer.source.train for items in asked if transfer.source)
    assert not any(items is transfer.data.test for items in asked)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_step_has_its_source_rows_once_however_memory_divides_it(family: str) -> None:
    """Whole, in parts, and again in parts after memory ran out: the same rows in their places, counted once."""
    seen: list[list[int]] = []
    for micro, fails in ((None, ()), (4, ()), (8, (2,))):
        transfer = prepared(family, "mmd", 1.0, steps=2, batch_size=8, micro_batch_size=micro)
        term, forward, asked, rows = transfer.terms.pop(), transfer.model.forward, list[int](), list[Tensor]()

        def align(
            batch: Batch, outputs: Tensor, term: Term = term, asked: list[int] = asked, fails: tuple[int, ...] = fails
        ) -> Tensor:
            asked.append(len(batch["item"]))
            loss = term(batch, outputs)
            if len(asked) in fails:
                raise torch.OutOfMemoryError("CUDA out of memory")
            return loss

        def note(batch: Batch, forward: Any = forward, rows: list[Tensor] = rows) -> Tensor:
            if "row" not in batch:  # as in those from the target
                rows.append(batch["item"])
            outputs: Tensor = forward(batch)
            return outputs

        transfer.terms.append(align)
        transfer.model.forward = note  # type: ignore[method-assign]
        transfer.practise("without validation", 2)
        assert transfer.examples == 2 * 2 * 8
        assert asked == {None: [8, 8], 4: [4, 4, 4, 4], 8: [8, 8, 4, 4]}[micro]
        if fails:
            assert rows.pop(1).tolist() == torch.cat(rows[1:]).tolist()
        seen.append(torch.cat(rows).tolist())
    assert seen[0] == seen[1] == seen[2]
    assert len(seen[0]) == 16


@torch.no_grad()
def between(model: Model, family: str, method: str) -> float:
    """The distance of all target rows from all source rows, in hidden features."""
    transfer, features = transfer_of(model, data_of(family)), []
    tap = Tap(model.eval(), chosen(transfer, "domain_adaptation", "features"), learning=False)
    for data in (data_of(family), source_of(family)):
        rows = model.encode(data.train)
        indices = torch.arange(len(rows["item"])).repeat(16)  # the same images with other noise
        batch = model.draw(model.collate(rows, indices), torch.Generator().manual_seed(0))
        features.append(pooled(batch, *tap.take(model(batch))))
    return {"mmd": mmd, "coral": coral}[method](*features).item()


@pytest.mark.parametrize(("method", "weight"), [("mmd", 100.0), ("coral", 1e5)])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_training_brings_the_domains_together(family: str, method: str, weight: float) -> None:
    apart = []
    for strength in (0.0, weight):
        transfer = prepared(family, method, strength, steps=40, batch_size=24)
        transfer.practise("without validation", 40)
        apart.append(between(transfer.model, family, method))
    assert apart[1] < apart[0] / 2


def test_without_a_source_or_a_second_row_there_is_nothing_to_align() -> None:
    with pytest.raises(NotApplicable, match="not known"):
        prepare(transfer_of(model_of("diffusion"), data_of("diffusion")), "domain_adaptation")
    with pytest.raises(NotApplicable, match="it takes 2"):
        prepared("diffusion", "mmd", 1.0, batch_size=1)
    with pytest.raises(NotApplicable, match="it takes 2"):
        prepared("diffusion", "mmd", 1.0, micro_batch_size=1)
