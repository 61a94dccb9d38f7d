"""Generated images: shapes that fall on one another like dead leaves."""

import numpy as np
from PIL import Image, ImageDraw

from bench.dataset import Dataset
from bench.datasets._generated import SUPERSAMPLING, images
from bench.options import Count

MODALITY = "image"

RADII = (1 / 8, 1 / 2)
"""Of the circles around the shapes, as shares of the picture's side."""

CORNERS = (3, 4, 5, 32)
"""Of the shapes; the last are as good as discs."""

LEAVES = 32
"""Shapes in a picture."""


def shapes(*, size: Count = 16) -> Dataset:
    """Triangles, squares, pentagons and discs of even greys, which cover one another: dead leaves.

    Their sizes follow a power law, so that pictures look alike at any scale, as natural ones do. Near-duplicates are
    removed.

    Paper: Baradad et al. 2021, Learning to See by Looking at Noise; Lee et al. 2001, Occlusion Models for Natural
    Images

    Args:
        size: side of the pictures in pixels, 8 to 128.
    """
    return images("shapes", size, lambda random, count: np.stack([_picture(size, random) for _ in range(count)]))


def _picture(size: int, random: np.random.Generator) -> np.ndarray:
    side, (low, high) = size * SUPERSAMPLING, RADII
    canvas = Image.new("L", (side, side), int(random.integers(256)))
    pen = ImageDraw.Draw(canvas)
    # density r⁻³ between the radii: the inverse of its distribution function at a uniform number
    radii = 1 / np.sqrt(low**-2 - random.random(LEAVES) * (low**-2 - high**-2))
    for radius, centre in zip(radii, random.random((LEAVES, 2)), strict=True):
        corners = random.choice(CORNERS)
        angles = 2 * np.pi * (random.random() + np.arange(corners) / corners)
        outline = centre + radius * np.stack([np.cos(angles), np.sin(angles)], axis=1)
        pen.polygon((outline * side).ravel().tolist(), fill=int(random.integers(256)))
    return np.asarray(canvas.resize((size, size), Image.Resampling.BOX))
