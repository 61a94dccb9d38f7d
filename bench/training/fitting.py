"""Batches in parts that fit into memory."""

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import torch

from bench.batches import rows_of
from bench.device import out_of_memory
from bench.errors import OutOfMemory
from bench.model import Batch, Model

if TYPE_CHECKING:
    from bench.budget import Budget

Result = TypeVar("Result")


def parts(model: Model, batch: Batch, micro: int) -> Iterator[tuple[Batch, float]]:
    """A batch in micro-batches of at most ``micro`` rows, and their share of what the whole batch averages over."""
    rows = rows_of(batch)
    if rows <= micro:
        yield batch, 1.0
        return
    whole = model.units(batch)
    for start in range(0, rows, micro):
        part = {name: value[start : start + micro] for name, value in batch.items()}
        yield part, model.units(part) / whole


class Fitting:
    """How many rows at a time fit into memory: as many as the budget says, until less do.

    Attributes:
        micro: that number now.
    """

    def __init__(self, budget: "Budget") -> None:
        self.micro = min(budget.micro_batch_size or budget.batch_size, budget.batch_size)

    def compute(self, work: Callable[[], Result]) -> Result:
        """``work()``, again with half as many rows at a time whenever memory runs out.

        Raises :class:`OutOfMemory` where not even one row fits.
        """
        while True:
            try:
                return work()
            except (RuntimeError, MemoryError) as error:
                if not out_of_memory(error):
                    raise
                if self.micro == 1:
                    said = next(iter(str(error).splitlines()), type(error).__name__)
                    raise OutOfMemory(f"one row at a time does not fit ({said})") from error
            self.micro = math.ceil(self.micro / 2)  # outside of the handler, which keeps the failed tensors alive
            torch.cuda.empty_cache()
