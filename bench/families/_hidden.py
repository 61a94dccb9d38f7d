"""Parts of an input that are hidden, and to be restored from what is around them."""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.model import Batch

PATCHES = (8, 8)
"""In a column and in a row of an image, each of which is hidden or not."""

SHARE = 0.75
"""Of an image's patches that are hidden, where nothing else is asked for (Wei et al. 2023)."""


def hidden(rows: int, size: Sequence[int], parts: Sequence[int], share: float, generator: torch.Generator) -> Tensor:
    """Which places lie in hidden parts, as many parts in each row, one at least: bool, shape (rows, 1, *size).

    Paper: Wei et al. 2023, Diffusion Models as Masked Autoencoders

    Args:
        rows: how many.
        size: of each, in places.
        parts: along each axis of it, at most one for each place.
        share: of the parts that are hidden.
        generator: which are.
    """
    grid = [min(most, side) for most, side in zip(parts, size, strict=True)]
    count = max(1, round(share * math.prod(grid)))
    rank = torch.rand(rows, math.prod(grid), generator=generator).argsort(1).argsort(1)
    return F.interpolate((rank < count).float().view(-1, 1, *grid), tuple(size)) > 0


def squared_error(batch: Batch, outputs: Tensor, wanted: Tensor) -> Tensor:
    """Mean squared error, where the batch has ``hidden`` parts in these: mean over rows of each row's mean."""
    if "hidden" not in batch:
        return F.mse_loss(outputs.float(), wanted)
    places = batch["hidden"].expand_as(wanted).flatten(1)  # by row: parts may differ in size
    squares = (outputs.float() - wanted).flatten(1) ** 2
    return ((squares * places).sum(1) / places.sum(1)).mean()
