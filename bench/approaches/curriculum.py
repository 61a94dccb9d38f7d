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
    inner, pace = transfer.fit, _Pace(start, until)

    def sampler(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        ranked = impression(transfer, rows).difficulty().argsort(descending=reverse, stable=True)
        return _Paced(ranked, pace, size, generator)

    def fit(steps: int) -> None:
        with transfer.having(sampler=sampler, schedule=[*transfer.schedule, pace]):
            inner(steps)

    transfer.fit = fit


class _Pace:
    """The share of the rows that has joined in."""

    def __init__(self, start: float, until: float) -> None:
        self.start, self.until, self.share = start, until, 1.0

    def __call__(self, progress: float) -> None:
        self.share = min(1.0, self.start + (1 - self.start) * progress / self.until) if self.until else 1.0


class _Paced(Iterator[Tensor]):
    """Batches from that share of ranked rows."""

    def __init__(self, ranked: Tensor, pace: _Pace, size: int, generator: torch.Generator) -> None:
        self.ranked, self.pace, self.size, self.generator = ranked, pace, size, generator
        self.whole = order(len(ranked), size, generator)

    def __next__(self) -> Tensor:
        if self.pace.share == 1:
            return next(self.whole)
        known = max(1, math.ceil(self.pace.share * len(self.ranked)))
        return self.ranked[next(order(known, self.size, self.generator))]
