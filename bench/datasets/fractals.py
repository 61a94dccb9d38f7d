"""Generated images: fractals of iterated function systems."""

import numpy as np
from PIL import Image

from bench.dataset import Dataset
from bench.datasets._generated import SUPERSAMPLING, images
from bench.options import Count

MODALITY = "image"

MAPS = (2, 8)
"""Maps in a system."""

FILLED = 0.2
"""Share of a picture's pixels that must hold ink."""

_POINTS = 100_000  # of a picture at most, as in the paper
_STEPS = 64  # that each of many points takes through a system, side by side
_SETTLING = 20  # steps before, until they have reached the fractal


def fractals(*, size: Count = 16) -> Dataset:
    """Attractors of random iterated function systems, white ink on black: self-similar leaves, dusts and spirals.

    A system is two to eight affine maps with coefficients drawn evenly from -1 to 1, each drawn again until it brings
    points closer together. Points wander by maps chosen in proportion to how much area they keep; where they come
    fills the picture. Pictures with less than a fifth of their pixels inked are drawn again, near-duplicates are
    removed, and every picture is of a system of its own.

    Paper: Kataoka et al. 2020, Pre-training without Natural Images

    Args:
        size: side of the pictures in pixels, 8 to 128.
    """
    return images("fractals", size, lambda random, count: _pictures(size, count, random))


def _pictures(size: int, count: int, random: np.random.Generator) -> np.ndarray:
    found = list[np.ndarray]()
    while len(found) < count:
        picture = _picture(size, _system(random), random)
        if (picture > 0).mean() >= FILLED:
            found.append(picture)
    return np.stack(found)


def _system(random: np.random.Generator) -> np.ndarray:
    """Coefficients (a, b, c, d, e, f) of x' = ax + by + e, y' = cx + dy + f: shape (maps, 6)."""
    wanted, maps = random.integers(MAPS[0], MAPS[1] + 1), np.empty((0, 6))
    while len(maps) < wanted:
        drawn = random.uniform(-1, 1, (wanted, 6))
        maps = np.concatenate([maps, drawn[_norms(drawn) < 1]])[:wanted]
    return maps


def _norms(maps: np.ndarray) -> np.ndarray:
    """The largest factor by which each map stretches anything: its matrix's spectral norm."""
    a, b, c, d = maps[:, :4].T
    squares, area = a**2 + b**2 + c**2 + d**2, a * d - b * c
    norms: np.ndarray = np.sqrt((squares + np.sqrt(np.maximum(squares**2 - 4 * area**2, 0))) / 2)
    return norms


def _picture(size: int, maps: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The system's attractor, as large as the picture: uint8, shape (size, size)."""
    side = size * SUPERSAMPLING
    areas = np.abs(maps[:, 0] * maps[:, 3] - maps[:, 1] * maps[:, 2]) + 1e-3  # a map that keeps none has its turn too
    turns = random.choice(len(maps), (_SETTLING + _STEPS, min(side * side, _POINTS) // _STEPS), p=areas / areas.sum())
    wandered = np.zeros((len(turns) + 1, 2, turns.shape[1]))
    for step, (a, b, c, d, e, f) in enumerate(maps[turn].T for turn in turns):
        x, y = wandered[step]
        wandered[step + 1] = a * x + b * y + e, c * x + d * y + f
    points = np.moveaxis(wandered[-_STEPS:], 1, 0).reshape(2, -1)
    middle, extent = (points.max(1) + points.min(1)) / 2, np.ptp(points, axis=1).max()
    column, row = ((points - middle[:, None]) / max(extent, 1e-9) * (side - 1) + side / 2).astype(int)
    canvas = np.zeros((side, side), np.uint8)
    canvas[row, column] = 255
    return np.asarray(Image.fromarray(canvas).resize((size, size), Image.Resampling.BOX))
