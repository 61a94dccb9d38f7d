"""Image domain between glyphs and handwritten_digits: digits as strokes of a simulated pen."""

from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

from bench.dataset import Dataset
from bench.datasets._images import check_size, shuffled, without_labels
from bench.options import Count

MODALITY = "image"

HANDS = {"train": 200, "validation": 40, "test": 40}

HEIGHT = (0.60, 0.80)
"""Height of a digit, as a share of the picture's side."""

WIDTH = (0.55, 0.75)
"""Width of the box that a digit is written into, as a share of its height."""

SLANT = (-0.10, 0.35)
"""Shift to the right from the foot of a digit to its top, as a share of its height."""

PEN = (0.06, 0.14)
"""Width of the strokes, as a share of the picture's side."""

BLUR = (0.0, 0.04)
"""Radius of the blur, as a share of the picture's side."""

WOBBLE = (0.02, 0.08)
"""Furthest that a point of a stroke is off its place, along each axis, as a share of the digit's height."""

LARGEST = 7 / 8
"""Longer side of the ink, as a share of the picture's side: what would be larger is written smaller."""

SHIFT = 1 / 16
"""Furthest shift off the centre, as a share of the picture's side."""

_MASTER = 256  # side of the drawing that every picture is scaled down from, in pixels
_PIECES = 12  # straight ones between two points of a stroke

# For each digit the ways to write it, each a list of strokes, each the points that a smooth curve goes through: x to
# the right and y downwards, in the box that is written into. A stroke ends where the pen turns sharply or is lifted.
_BAR = [(0.25, 0.5), (0.75, 0.48)]
_SHAPES: dict[str, list[list[list[tuple[float, float]]]]] = {
    "0": [
        [[(0.5, 0), (0.15, 0.2), (0.1, 0.5), (0.2, 0.85), (0.5, 1), (0.8, 0.85), (0.9, 0.5), (0.8, 0.15), (0.5, 0)]],
        [[(0.6, 0.03), (0.25, 0.12), (0.1, 0.6), (0.4, 1), (0.85, 0.75), (0.85, 0.25), (0.5, 0), (0.35, 0.1)]],
    ],
    "1": [
        [[(0.5, 0), (0.5, 1)]],
        [[(0.2, 0.28), (0.55, 0)], [(0.55, 0), (0.52, 1)]],
        [[(0.25, 0.22), (0.5, 0)], [(0.5, 0), (0.5, 1)], [(0.2, 1), (0.8, 1)]],
    ],
    "2": [
        [[(0.12, 0.25), (0.3, 0.03), (0.65, 0.02), (0.85, 0.25), (0.65, 0.55), (0.1, 1)], [(0.1, 1), (0.9, 0.98)]],
        [[(0.12, 0.2), (0.4, 0), (0.8, 0.15), (0.7, 0.5), (0.2, 0.97), (0.12, 0.85), (0.4, 0.85), (0.92, 1)]],
    ],
    "3": [
        [
            [(0.12, 0.15), (0.45, 0), (0.82, 0.18), (0.7, 0.42), (0.4, 0.48)],
            [(0.4, 0.48), (0.8, 0.55), (0.88, 0.8), (0.5, 1), (0.1, 0.87)],
        ],
        [
            [(0.12, 0), (0.85, 0)],
            [(0.85, 0), (0.4, 0.42)],
            [(0.4, 0.42), (0.85, 0.55), (0.85, 0.85), (0.45, 1), (0.1, 0.88)],
        ],
    ],
    "4": [
        [[(0.6, 0), (0.1, 0.65)], [(0.1, 0.65), (0.92, 0.65)], [(0.7, 0.35), (0.66, 1)]],
        [[(0.18, 0), (0.12, 0.5)], [(0.12, 0.5), (0.88, 0.5)], [(0.82, 0.02), (0.76, 1)]],
        [[(0.7, 0), (0.08, 0.7)], [(0.08, 0.7), (0.92, 0.7)], [(0.7, 0), (0.7, 1)]],
    ],
    "5": [
        [[(0.88, 0), (0.22, 0)], [(0.22, 0), (0.16, 0.45)], [(0.16, 0.45), (0.55, 0.37), (0.88, 0.67), (0.1, 0.92)]],
        [[(0.9, 0.02), (0.35, 0.05), (0.2, 0.42), (0.6, 0.42), (0.85, 0.7), (0.55, 1), (0.1, 0.88)]],
    ],
    "6": [
        [[(0.75, 0), (0.35, 0.25), (0.12, 0.65), (0.3, 0.97), (0.7, 0.95), (0.85, 0.7), (0.55, 0.5), (0.16, 0.72)]],
        [[(0.45, 0), (0.18, 0.4), (0.15, 0.8), (0.5, 1), (0.85, 0.8), (0.65, 0.58), (0.3, 0.65), (0.15, 0.8)]],
    ],
    "7": [
        [[(0.1, 0.02), (0.88, 0)], [(0.88, 0), (0.52, 0.5), (0.36, 1)]],
        [[(0.1, 0.02), (0.88, 0)], [(0.88, 0), (0.55, 0.5), (0.42, 1)], _BAR],
    ],
    "8": [
        [
            [(0.5, 0), (0.2, 0.12), (0.25, 0.38), (0.5, 0.47), (0.75, 0.38), (0.8, 0.12), (0.5, 0)],
            [(0.5, 0.47), (0.14, 0.62), (0.16, 0.9), (0.5, 1), (0.84, 0.9), (0.86, 0.62), (0.5, 0.47)],
        ],
        [[(0.78, 0.12), (0.5, 0), (0.2, 0.2), (0.8, 0.72), (0.5, 1), (0.2, 0.76), (0.5, 0.48), (0.8, 0.2), (0.7, 0)]],
    ],
    "9": [
        [[(0.82, 0.22), (0.5, 0), (0.16, 0.22), (0.35, 0.5), (0.72, 0.42), (0.82, 0.22)], [(0.82, 0.15), (0.72, 1)]],
        [[(0.8, 0.15), (0.4, 0), (0.15, 0.3), (0.5, 0.5), (0.85, 0.2), (0.85, 0.65), (0.6, 0.98), (0.2, 0.92)]],
    ],
}


def drawn_digits(*, size: Count = 16) -> Dataset:
    """Digits as strokes of a simulated pen, white ink on black, each written once by each of 280 simulated hands.

    A hand has its way to write each digit, its slant, proportions and pen, and wobbles a little; everything is drawn
    by formula, and always the same. Splits are by hand. Of near-duplicates between splits the training image goes.

    Args:
        size: side of the pictures in pixels, 8 to 128.
    """
    return without_labels("drawn_digits", labelled(size=size))


def labelled(*, size: int = 16) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same items with the digits they show.

    Returns:
        Split name to images (uint8, shape (items, size, size, 1)) and labels (str, shape (items,)).
    """
    check_size("drawn_digits", size)
    splits = np.repeat(list(HANDS), list(HANDS.values()))
    return shuffled((split, *item) for hand, split in enumerate(splits) for item in _write(hand, size))


def _write(hand: int, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each digit as one hand writes it."""
    random = np.random.default_rng(hand)
    ranges = (HEIGHT, WIDTH, SLANT, PEN, BLUR, WOBBLE)
    height, width, slant, pen, blur, wobble = (random.uniform(*ends) for ends in ranges)
    for digit, ways in _SHAPES.items():
        strokes = [np.array(points) for points in ways[random.integers(len(ways))]]
        curves = [_curve(points + random.uniform(-wobble, wobble, points.shape)) for points in strokes]
        written = [height * np.stack([width * x + slant * (1 - y), y], axis=1) for x, y in (c.T for c in curves)]
        low, high = (end(np.concatenate(written), axis=0) for end in (np.min, np.max))
        scale = min(1.0, (LARGEST - pen) / (high - low).max())
        room = np.minimum((1 - pen - scale * (high - low)) / 2, SHIFT)
        centre = 0.5 + random.uniform(-room, room)
        master = _draw([centre + scale * (curve - (low + high) / 2) for curve in written], pen, blur)
        yield digit, np.asarray(master.resize((size, size), Image.Resampling.BOX))


def _curve(points: np.ndarray) -> np.ndarray:
    """A smooth curve through points of shape (points, 2), as many points close to each other: a Catmull-Rom spline."""
    ends = np.concatenate([points[:1], points, points[-1:]])
    before, start, end, after = (ends[i : len(ends) - 3 + i] for i in range(4))
    t = np.linspace(0, 1, _PIECES + 1)[:, None, None]
    bend, turn = 2 * before - 5 * start + 4 * end - after, 3 * (start - end) + after - before
    curve: np.ndarray = start + (t * (end - before) + t**2 * bend + t**3 * turn) / 2
    return curve.swapaxes(0, 1).reshape(-1, 2)


def _draw(curves: list[np.ndarray], pen: float, blur: float) -> Image.Image:
    """A large drawing of curves, whose points are given as shares of its side."""
    canvas = Image.new("L", (_MASTER, _MASTER))
    nib, radius = ImageDraw.Draw(canvas), pen * _MASTER / 2
    for curve in curves:
        points = [(x, y) for x, y in (curve * _MASTER).tolist()]
        nib.line(points, fill=255, width=round(2 * radius), joint="curve")
        for x, y in (points[0], points[-1]):
            nib.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return canvas.filter(ImageFilter.GaussianBlur(blur * _MASTER))
