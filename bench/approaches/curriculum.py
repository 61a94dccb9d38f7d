"""Easy examples first."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor

from bench.approaches._rows import impression
from bench.batches import order
from bench.model import Batch
from bench.options import Fraction
from bench.transfer import Transfer

DECIDES = ("order",)


def curriculum(transfer: Transfer, *, start: Fraction = 0.2, until: Fraction = 0.5, reverse: bool = False) -> None:
    """Training starts with the examples that the pretrained model finds easiest; harder ones join in step by step.

    How hard a row is, is the loss per token or image that the model has on it before it learns the target. Batches
    are drawn evenly from the share of the rows that has joined in, which grows linearly; from then on every row comes
    once before any comes again, as everywhere. In ``curriculum + active_learning`` each round has a curriculum of its
    own.

    Paper: Bengio et al. 2009, Curriculum Learning; Hacohen & Weinshall 2019, On The Power of Curriculum Learning in
    Training Deep Networks (difficulty from a pretrained model, and pacing)

    Args:
        start: share of the rows to begin with.
        until: share of the steps after which all rows have joined in.
        reverse: the hardest first (anti-curriculum).
    """
    inner, share = transfer.fit, 1.0

    def pace(progress: float) -> None:
        nonlocal share
        share = min(1.0, start + (1 - start) * progress / until) if until else 1.0

    def sampler(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        return paced(impression(transfer, rows).difficulty().argsort(descending=reverse, stable=True), size, generator)

    def paced(ranked: Tensor, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        whole = order(len(ranked), size, generator)
        while True:
            known = max(1, math.ceil(share * len(ranked)))
            yield next(whole) if share == 1 else ranked[next(order(known, size, generator))]

    def fit(steps: int) -> None:
        with transfer.having(sampler=sampler, schedule=[*transfer.schedule, pace]):
            inner(steps)

    transfer.fit = fit
