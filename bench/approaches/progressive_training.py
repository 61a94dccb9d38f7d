"""Coarse first, then in full."""

import torch

from bench.model import Batch
from bench.options import Count, Fraction
from bench.transfer import Transfer


def progressive_training(
    transfer: Transfer, *, start: Fraction = 0.25, stages: Count = 2, until: Fraction = 0.5
) -> None:
    """Early batches hold smaller images or shorter texts, which grow in stages to their full size.

    Each stage is larger than the one before by the same factor, and takes as many steps. Images are averaged down to a
    size the network can process, texts are cut. What other approaches mix in or change is made smaller with the rest;
    validation and test are always in full, and so is a pre-stage.

    Paper: Karras et al. 2018, Progressive Growing of GANs for Improved Quality, Stability, and Variation (images, whose
    side doubles); Li et al. 2022, The Stability-Efficiency Dilemma: Investigating Sequence Length Warmup for Training
    GPT Models (texts)

    Args:
        start: share of the image's side, or of the model's context, to begin with.
        stages: how many come before the full size.
        until: share of the steps after which everything is in full.
    """
    rows, inner, share = transfer.encode(transfer.data.train), transfer.fit, 1.0
    transfer.model.coarser(transfer.model.collate(rows, torch.arange(1)), start)  # does not return where it cannot

    def grow(progress: float) -> None:
        nonlocal share
        share = start ** (1 - int(progress / until * stages) / stages) if progress < until else 1.0

    def shrink(batch: Batch, generator: torch.Generator) -> Batch:
        return transfer.model.coarser(batch, share) if share < 1 else batch

    def fit(steps: int) -> None:
        with transfer.having(schedule=[*transfer.schedule, grow], transforms=[*transfer.transforms, shrink]):
            inner(steps)

    transfer.fit = fit
