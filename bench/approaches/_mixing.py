"""Training batches of which a share comes from elsewhere."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from bench.batches import order, rows_of
from bench.dataset import Dataset
from bench.errors import NotApplicable
from bench.model import Batch
from bench.transfer import Transfer, Transform

_SEED = 40_000  # which rows are mixed in: another order than that of the target's rows


def mixing(transfer: Transfer, ratio: float, others: Callable[[], Batch]) -> Transform:
    """A transform that puts other rows in the place of a batch's last ones, as many as keep their share at ``ratio``.

    Over any number of batches the share is exact up to half a row. All other rows have their turn before any returns.

    Args:
        transfer: whose batches.
        ratio: share of the other rows.
        others: encoded rows, asked for at first use.
    """
    generator = torch.Generator().manual_seed(transfer.seed * 1_000_003 + _SEED)
    seen, turns = 0, list[tuple[Batch, Iterator[Tensor]]]()

    def mix(batch: Batch, _: torch.Generator) -> Batch:
        nonlocal seen
        if not turns:
            rows = others()
            turns.append((rows, order(rows_of(rows), 1, generator)))
        (rows, turn), size = turns[0], rows_of(batch)
        count = round(ratio * (seen + size)) - round(ratio * seen)
        seen += size
        if count == 0:
            return batch
        own = {name: value[: size - count] for name, value in batch.items()}
        mixed = transfer.model.collate(rows, torch.cat([next(turn) for _ in range(count)]))
        return transfer.model.join([own, mixed])

    return mix


def source_of(transfer: Transfer) -> Dataset:
    """The domain the model knows; :class:`NotApplicable` where it is not known which."""
    if transfer.source is None:
        raise NotApplicable("it is not known what the model was pretrained on, so there is nothing to take from there")
    return transfer.source
