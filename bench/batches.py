"""Rows of encoded batches, and the order in which they are learned from."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.model import Batch


def rows_of(batch: Batch) -> int:
    """Number of rows of a batch."""
    return len(next(iter(batch.values())))


class Order(Iterator[Tensor]):
    """Row indices of one batch after another, without end: every row once before any row again.

    A class rather than a generator function, so that a checkpoint inside a cell can say where it is.
    """

    def __init__(self, rows: int, size: int, generator: torch.Generator) -> None:
        self.rows, self.size, self.generator = rows, size, generator
        self.pending = torch.empty(0, dtype=torch.int64)

    def __next__(self) -> Tensor:
        while len(self.pending) < self.size:
            self.pending = torch.cat([self.pending, torch.randperm(self.rows, generator=self.generator)])
        batch, self.pending = self.pending[: self.size], self.pending[self.size :]
        return batch


def order(rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """:class:`Order` of so many rows, in batches of that size."""
    return Order(rows, size, generator)


def in_chance_order(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The sampler that is used where no approach has another: :func:`order` of all encoded rows."""
    return order(rows_of(rows), size, generator)
