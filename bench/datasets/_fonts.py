"""Characters drawn large, from which domains take views: how large they get, and where they may lie."""

import string
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

CHARACTERS = string.digits + string.ascii_letters

CAPITAL_HEIGHTS = (0.60, 0.69, 0.78, 0.87)
"""Height of a capital letter, as a share of the picture's."""

LARGEST = 7 / 8
"""Longer side of the ink, as a share of the picture's side: what would be larger is drawn smaller."""

SHIFT = 1 / 16
"""Furthest shift off the centre, as a share of the picture's side; less where the ink would leave the picture."""

_EM = 256  # pixels per em of the master drawing, from which every view is scaled down


class Drawing:
    """A character on a large canvas.

    Attributes:
        extent, centre: of its ink, (x, y) in pixels.
        capital: height of the font's capital letters.
    """

    def __init__(self, font: ImageFont.FreeTypeFont, character: str) -> None:
        self._canvas, self.extent, self.centre = _inked(font, character)
        self.capital = _inked(font, "H")[1][1]

    def side(self, height: float) -> float:
        """Of the window that becomes a picture in which capital letters have that height."""
        return float(max(self.capital / height, self.extent.max() / LARGEST))

    def room(self, height: float) -> np.ndarray:
        """How far the ink may be shifted off the centre of that window, (x, y) in pixels."""
        side = self.side(height)
        return np.minimum((side - self.extent) / 2, side * SHIFT)

    def view(self, height: float, shift: np.ndarray, size: int) -> np.ndarray:
        """The picture, uint8 of shape (size, size), with the window's centre ``shift`` off that of the ink."""
        side = self.side(height)
        x, y = self.centre - side / 2 + shift
        window = (x, y, x + side, y + side)
        return np.asarray(self._canvas.resize((size, size), Image.Resampling.BOX, box=window))


def font(path: Path) -> ImageFont.FreeTypeFont:
    """At the size that drawings are made in."""
    return ImageFont.truetype(str(path), _EM, layout_engine=ImageFont.Layout.BASIC)


def _inked(font: ImageFont.FreeTypeFont, character: str) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    canvas = Image.new("L", (4 * _EM, 4 * _EM))
    ImageDraw.Draw(canvas).text((2 * _EM, 2 * _EM), character, fill=255, font=font, anchor="mm")
    left, top, right, bottom = canvas.getbbox() or (0, 0, 0, 0)  # the font's own box counts the advance, not the ink
    return canvas, np.array([right - left, bottom - top]), np.array([left + right, top + bottom]) / 2
