"""Rows of encoded batches, and the order in which they are learned from."""

from collections.abc import Iterator

import torch
from torch import Tensor

from bench.model import Batch


def rows_of(batch: Batch) -> int:
    """Number of rows of a batch."""
    return len(next(iter(batch.values())))


def order(rows: int, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """Row indices of one batch after another, without end: every row once before any row again."""
    pending = torch.empty(0, dtype=torch.int64)
    while True:
        while len(pending) < size:
            pending = torch.cat([pending, torch.randperm(rows, generator=generator)])
        yield pending[:size]
        pending = pending[size:]


def in_chance_order(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
    """The sampler that is used where no approach has another: :func:`order` of all encoded rows."""
    return order(rows_of(rows), size, generator)
