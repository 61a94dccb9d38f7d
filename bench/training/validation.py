"""How good weights are on the validation split, and which were the best: what is scored is what was validated."""

import math
import time
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.batches import rows_of
from bench.device import accelerator
from bench.errors import Diverged
from bench.model import Batch, Model
from bench.training.fitting import Fitting, parts
from bench.transfer import Transfer, restore

if TYPE_CHECKING:
    from accelerate import Accelerator


_SEED = 20_000  # of the noise validation losses are taken with: the same for every step and approach
_PART = 1 << 22  # weights to look at at a time


@torch.no_grad()
def mean_loss(model: Model, rows: Batch, batch_size: int, micro: int, context: "Accelerator") -> float:
    """The model's own loss over encoded rows, with noise that is the same at every call, whatever fits at once."""
    generator = torch.Generator().manual_seed(_SEED)
    training, total, units = model.training, 0.0, 0
    model.eval()
    try:
        for start in range(0, rows_of(rows), batch_size):
            indices = torch.arange(start, min(start + batch_size, rows_of(rows)))
            batch = model.draw(model.collate(rows, indices), generator)
            count = model.units(batch)
            for part, share in parts(model, batch, micro):
                with context.autocast():
                    loss = model.loss(part, model(part))
                total += float(loss) * share * count
            units += count
    finally:
        model.train(training)
    return total / units


class Validation:
    """Validation losses of a transfer's weights, each noted in its curve, and a copy of the best weights.

    Attributes:
        best: :meth:`Transfer.stored` as it was at the lowest loss so far, on the CPU.
        best_loss: that loss.
    """

    def __init__(self, transfer: Transfer, fitting: Fitting) -> None:
        self.transfer, self.fitting, self.context = transfer, fitting, accelerator(transfer.budget)
        held_out = transfer.encode(transfer.data.validation)
        self.rows = {name: rows[: transfer.budget.validation_rows] for name, rows in held_out.items()}
        self.stored = transfer.stored()
        self.others = _prints(transfer.model, self.stored)
        self.best, self.best_loss = dict[str, Tensor](), math.inf

    def loss(self) -> float:
        """Of the weights as they are, noted; :class:`Diverged` where it is NaN or infinite."""
        transfer, size = self.transfer, self.transfer.budget.batch_size
        found = self.fitting.compute(
            lambda: mean_loss(transfer.model, self.rows, size, self.fitting.micro, self.context)
        )
        if not math.isfinite(found):
            raise Diverged(f"the validation loss became {found} at step {transfer.taken}; try a smaller learning rate")
        transfer.note(validation_loss=found)
        return found

    def compare(self) -> None:
        """Keep a copy of the weights where their loss is the lowest so far."""
        loss = self.loss()
        if loss < self.best_loss:
            self.best_loss = loss
            for name, tensor in self.stored.items():
                if name in self.best:
                    self.best[name].copy_(tensor.detach())
                else:
                    self.best[name] = tensor.detach().to("cpu", copy=True)

    def restore(self) -> None:
        """Put the best weights back."""
        restore(self.stored, self.best)

    def holds(self) -> bool:
        """Whether the model has the best weights, value for value, and all others as they were."""
        now = self.transfer.stored()
        alike = now.keys() == self.best.keys() and all(_same(now[name], best) for name, best in self.best.items())
        return alike and _prints(self.transfer.model, now) == self.others


def settle(transfer: Transfer) -> tuple[float, bool]:
    """The validation loss of the weights that training ends with, and whether it had to be taken anew.

    It is the lowest of the loop that kept them. Where an outer loop changed weights since, or trained without
    validation, it is taken now: else it would be that of weights which nobody scores. No gradient is taken for it.
    """
    kept, transfer.validation = transfer.validation, None
    if kept is not None and kept.holds():
        return kept.best_loss, False
    transfer.began = transfer.began or time.perf_counter()
    return (kept or Validation(transfer, Fitting(transfer.budget))).loss(), True


def _same(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors have equal values; NaN is as itself."""
    one, other = one.detach().to(other.device), other.detach()
    return torch.equal(one, other) or (
        one.shape == other.shape and bool(((one == other) | (one.isnan() & other.isnan())).all())
    )


def _prints(model: Model, stored: dict[str, Tensor]) -> dict[str, int]:
    """Sums over the bits of the weights that are not stored: to see a change they need not be in memory twice."""
    others = {name: weight for name, weight in model.named_parameters() if name not in stored}
    sums = [_sum_of_bits(weight) for weight in others.values()]
    return dict(zip(others, torch.stack(sums).tolist() if sums else [], strict=True))


def _sum_of_bits(weight: Tensor) -> Tensor:
    flat = weight.detach().reshape(-1)
    bits = flat.view({2: torch.int16, 4: torch.int32, 8: torch.int64}.get(flat.element_size(), torch.uint8))
    return torch.stack([part.sum() for part in bits.split(_PART)]).sum()  # a sum makes a copy of 64 bits each
