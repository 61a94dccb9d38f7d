"""How far two sets of images are from each other, without a network that judges."""

import torch
import torch.nn.functional as F
from torch import Tensor

WINDOW = 8  # side of what is compared, in pixels
_DIRECTIONS = 128
_SEED = 80_000


def directions(channels: int) -> Tensor:
    """The unit vectors that windows are projected on, always the same: shape (channels · 8 · 8, 128)."""
    drawn = torch.randn(channels * WINDOW**2, _DIRECTIONS, generator=torch.Generator().manual_seed(_SEED))
    return F.normalize(drawn, dim=0)


def distance(real: Tensor, made: Tensor, along: Tensor) -> Tensor:
    """Sliced Wasserstein-1 distance between windows of 8×8 pixels, the mean over the levels of a Laplacian pyramid.

    The pyramid goes down to a side of 8: there a window is a whole picture, on each level above it is a detail that
    the smaller level lacks. A level's windows lie side by side, and those of all pictures and places are one set;
    both sets are projected on the same directions and sorted, and the distance is the mean absolute difference.

    It differs from Karras et al. in the window's side (8 for 7), in that windows are all there are rather than a
    random 128 per picture, in that channels are not normalised, so that brightness counts, and in the pyramid's filter,
    which is the mean of 2×2 pixels. Of few pictures it is too large, by the same for every model.

    Paper: Rabin et al. 2011, Wasserstein Barycenter and its Application to Texture Mixing; Karras et al. 2018,
    Progressive Growing of GANs for Improved Quality, Stability, and Variation (section 5)

    Args:
        real: shape (N, channels, side, side); the side is a power of two, 8 or more.
        made: of the same shape.
        along: :func:`directions`.
    """
    levels = []
    for ours, theirs in zip(_pyramid(real.float()), _pyramid(made.float()), strict=True):
        with torch.autocast(real.device.type, enabled=False):
            one, other = (_windows(level) @ along for level in (ours, theirs))
        levels.append((one.sort(0).values - other.sort(0).values).abs().mean())
    return torch.stack(levels).mean()


def _pyramid(images: Tensor) -> list[Tensor]:
    """From the finest details to the picture of 8×8 pixels."""
    levels = []
    while images.shape[-1] > WINDOW:
        coarse = F.avg_pool2d(images, 2)
        levels.append(images - F.interpolate(coarse, scale_factor=2, mode="nearest"))
        images = coarse
    return [*levels, images]


def _windows(level: Tensor) -> Tensor:
    """Shape (N · windows, channels · 8 · 8)."""
    return F.unfold(level, WINDOW, stride=WINDOW).transpose(1, 2).flatten(0, 1)
