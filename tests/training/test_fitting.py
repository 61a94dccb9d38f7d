"""The effective batch stays what it is, however much of it fits into memory at once."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import plugins
from bench.batches import rows_of
from bench.device import accelerator
from bench.errors import OutOfMemory
from bench.model import Batch, Model
from bench.training.fitting import parts
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.loops import Line, Steps, line
from tests.loops import steps as steps
from tests.models import (
    EXEMPLARS,
    TRAINED,
    batch_of,
    data_of,
    language_model,
    model_of,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
)


def steady(family: str) -> Model:
    """A model without dropout, whose masks depend on how a batch is split."""
    model = model_of(family)
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.0
        elif "dropout" in vars(module):  # of the attention in T5
            vars(module)["dropout"] = 0.0
    return model


def first_gradients(transfer: Transfer, steps: Steps) -> dict[str, Tensor]:
    """The gradients of the first step, by name."""
    names = {parameter: name for name, parameter in transfer.model.named_parameters()}
    before = len(steps.gradients)
    transfer.fit(transfer.steps)
    return {names[parameter]: gradient for parameter, gradient in steps.gradients[before].items()}


def close(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        torch.allclose(one[name], other[name], rtol=1e-3, atol=1e-6 + 1e-4 * float(one[name].abs().max()))
        for name in one
    )


# Micro-batches --------------------------------------------------------------------------------------------------------


EACH_ALONE = [family for family in TRAINED if "objective" in plugins.find("families", family).constants["OFFERS"]]
"""Families with a loss of each example; what a critic or a distance between samples says depends on all of them."""

EACH_SIZE = [
    (family, approach, micro)
    for family in EXEMPLARS
    for approach in ("full_finetuning", "distillation + augmentation", "lora")
    for micro in (1, 2, 3, 5, 9)
]


@pytest.mark.parametrize(
    ("family", "approach", "micro"), [*EACH_SIZE, *((family, "full_finetuning", 4) for family in EACH_ALONE)]
)
def test_micro_batches_give_the_gradients_of_the_whole(family: str, approach: str, micro: int, steps: Steps) -> None:
    """Also where some rows have more tokens than others."""

    def gradients(size: int | None) -> dict[str, Tensor]:
        transfer = transfer_of(steady(family), data_of(family), steps=1, batch_size=9, micro_batch_size=size)
        return first_gradients(prepare(transfer, approach), steps)

    assert close(gradients(micro), gradients(None))


@pytest.mark.parametrize("micro", [1, 4, 6, 100])
def test_parts_are_the_batch_and_their_shares_its_units(micro: int) -> None:
    model = language_model()
    batch = batch_of(model, texts(), rows=6)
    split = list(parts(model, batch, micro))
    assert [rows_of(part) for part, _ in split] == [min(micro, 6 - start) for start in range(0, 6, micro)]
    assert torch.equal(torch.cat([part["input_ids"] for part, _ in split]), batch["input_ids"])
    assert sum(share for _, share in split) == pytest.approx(1)
    assert [share for _, share in split] == pytest.approx([model.units(part) / model.units(batch) for part, _ in split])


@pytest.mark.parametrize("family", EACH_ALONE)
def test_the_validation_loss_is_the_same_in_parts(family: str) -> None:
    model, data = steady(family), data_of(family)
    context = accelerator(transfer_of(model, data).budget)
    rows = model.encode(data.train)
    found = [mean_loss(model, rows, 5, micro, context) for micro in (1, 2, 5)]
    assert found == pytest.approx([found[0]] * 3, rel=1e-5)
    batch = model.draw(model.collate(rows, torch.arange(rows_of(rows))), torch.Generator().manual_seed(0))
    assert float(model.loss(batch, model(batch)).detach()) == pytest.approx(found[0], rel=0.3)


# Out of memory --------------------------------------------------------------------------------------------------------

ENDS: dict[str, Callable[[], BaseException]] = {
    "gpu": lambda: torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"),
    "cublas": lambda: RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    "python": MemoryError,
    "cpu": lambda: RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes"),
}


def cramped(model: Model, fit: int, error: Callable[[], BaseException] = ENDS["gpu"]) -> list[int]:
    """Let no more than ``fit`` rows through the model; returns the list of how many were tried."""
    forward, tried = model.forward, list[int]()

    def guarded(batch: Batch) -> Tensor:
        tried.append(rows_of(batch))
        if rows_of(batch) > fit:
            raise error()
        return forward(batch)

    model.forward = guarded  # type: ignore[method-assign]
    return tried


@pytest.mark.parametrize("kind", ENDS)
@pytest.mark.parametrize("family", EXEMPLARS)
def test_running_out_of_memory_makes_smaller_parts_of_the_same_batch(family: str, kind: str, steps: Steps) -> None:
    def gradients(fit: int) -> dict[str, Tensor]:
        transfer = transfer_of(steady(family), data_of(family), steps=2, batch_size=9)
        cramped(transfer.model, fit, ENDS[kind])
        return first_gradients(transfer, steps)

    assert close(gradients(2), gradients(9))


def test_the_size_that_fits_is_kept() -> None:
    """Eight rows, halved to four and to two, once; every later pass has two."""
    transfer = line(steps=3)
    tried = cramped(transfer.model, 2)
    transfer.fit(3)
    assert transfer.taken == 3
    assert tried[:2] == [3, 3], "three rows to validate on, with eight and four at a time"
    assert set(tried[2:]) == {1, 2}


def test_training_may_need_more_than_validation(steps: Steps) -> None:
    transfer = line(steps=2)
    forward, tried = transfer.model.forward, list[int]()

    def guarded(batch: Batch) -> Tensor:
        if torch.is_grad_enabled():
            tried.append(rows_of(batch))
            if rows_of(batch) > 3:
                raise torch.OutOfMemoryError("out of memory")
        return forward(batch)

    transfer.model.forward = guarded  # type: ignore[method-assign]
    transfer.fit(2)
    assert tried == [8, 4, 2, 2, 2, 2, 2, 2, 2, 2]
    (gradient,) = steps.gradients[0].values()
    assert float(gradient) == pytest.approx(-2 * 2 * sum(n * n for n in range(8)) / 8), "no trace of the failed tries"


def test_a_row_that_does_not_fit_is_the_end() -> None:
    transfer = line(steps=3)
    tried = cramped(transfer.model, 0)
    with pytest.raises(OutOfMemory, match=r"one row at a time does not fit .*out of memory") as caught:
        transfer.fit(3)
    assert tried == [3, 3, 2, 1]
    assert transfer.taken == 0
    assert caught.value.status == "out_of_memory"


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("out of range")])
def test_other_errors_are_not_taken_for_it(error: Exception) -> None:
    transfer = line(steps=3)
    tried = cramped(transfer.model, 0, lambda: error)
    with pytest.raises(type(error), match=str(error)):
        transfer.fit(3)
    assert len(tried) == 1


def test_a_failed_validation_leaves_the_model_in_training() -> None:
    """Dropout must be on in the steps that follow."""
    modes: list[bool] = []
    transfer = line(steps=2)
    transfer.model.train()
    forward = transfer.model.forward

    def guarded(batch: Batch) -> Tensor:
        if not transfer.model.training and rows_of(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        modes.append(transfer.model.training)
        return forward(batch)

    transfer.model.forward = guarded  # type: ignore[method-assign]
    transfer.fit(2)
    assert modes.count(True) == 2 * 4


# Norms and dropout ----------------------------------------------------------------------------------------------------


class Normed(Line):
    """A line behind a batch norm and a dropout that note how they are used."""

    def __init__(self, affine: bool = True) -> None:
        super().__init__(1.0)
        self.norm, self.dropout = nn.BatchNorm1d(1, affine=affine), nn.Dropout(0.5)
        self.network = nn.Sequential(self.norm, self.dropout, nn.Linear(1, 1))
        self.modes: list[tuple[bool, bool]] = []
        self.means: list[float] = []

    def forward(self, batch: Batch) -> Tensor:
        if torch.is_grad_enabled():
            assert self.norm.running_mean is not None
            self.modes.append((self.norm.training, self.dropout.training))
            self.means.append(float(self.norm.running_mean))
        return super().forward(batch)


def normed(affine: bool, freeze: Callable[[Normed], Any]) -> Normed:
    model = Normed(affine)
    freeze(model)
    transfer_of(model, line().data, steps=3, batch_size=8).fit(3)
    return model


def test_a_norm_that_learns_takes_in_what_it_sees() -> None:
    model = normed(True, lambda model: None)
    assert model.modes == [(True, True)] * 3
    assert model.means == pytest.approx([0, 0.1 * 3.5, 0.19 * 3.5])


def test_a_frozen_norm_keeps_its_statistics_while_dropout_goes_on() -> None:
    model = normed(True, lambda model: model.norm.requires_grad_(False))
    assert model.modes == [(False, True)] * 3
    assert model.means == [0, 0, 0]


@pytest.mark.parametrize("frozen", [False, True])
def test_a_norm_without_weights_does_as_those_around_it(frozen: bool) -> None:
    def freeze(model: Normed) -> None:
        model.network = nn.Sequential(nn.Sequential(model.norm, nn.Linear(1, 1)), model.dropout, nn.Linear(1, 1))
        model.network[0].requires_grad_(not frozen)

    model = normed(False, freeze)
    assert model.modes == [(not frozen, True)] * 3
    assert (model.means == [0, 0, 0]) == frozen


def test_all_is_still_when_it_is_done() -> None:
    transfer = transfer_of(unet(), pictures())
    transfer.fit(2)
    assert not any(module.training for module in transfer.model.modules())
