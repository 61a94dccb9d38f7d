"""Image source: letters and digits in the fonts that come with matplotlib."""

import string
import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from bench.dataset import Dataset
from bench.datasets._images import check_size, shuffled, without_labels
from bench.errors import DataError
from bench.options import Count

MODALITY = "image"

CHARACTERS = string.digits + string.ascii_letters

HELD_OUT = {
    "validation": ("cmss10.ttf", "cmtt10.ttf"),
    "test": ("cmr10.ttf", "cmb10.ttf", "cmti10.ttf"),
}
"""Computer Modern Sans and Typewriter validate, Computer Modern Roman tests, whatever else there is trains."""

CAPITAL_HEIGHTS = (0.60, 0.69, 0.78, 0.87)
"""Height of a capital letter, as a share of the picture's."""

LARGEST = 7 / 8
"""Longer side of the ink, as a share of the picture's side: what would be larger is drawn smaller."""

SHIFT = 1 / 16
"""Furthest shift off the centre, as a share of the picture's side; less where the ink would leave the picture."""

_EM = 256  # pixels per em of the master drawing, from which every view is scaled down


def glyphs(*, size: Count = 16) -> Dataset:
    """Letters and digits in matplotlib's bundled fonts, white ink on black, grey, a few sizes and positions each.

    The 21 fonts that truly hold the 62 characters are used. Splits are by type family: DejaVu (Sans, Sans Mono,
    Serif) and STIX train, 16 fonts; Computer Modern Sans and Typewriter validate; Computer Modern Roman (upright, bold,
    italic) tests. So no held-out font is a weight or a slant of a training font. Of near-duplicates between splits the
    training image goes.

    Args:
        size: side of the pictures in pixels, 8 to 128.
    """
    return without_labels("glyphs", labelled(size=size))


def labelled(*, size: int = 16) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The same items with the characters they show.

    Returns:
        Split name to images (uint8, shape (items, size, size, 1)) and labels (str, shape (items,)).
    """
    check_size("glyphs", size)
    return shuffled((_split(path), *item) for path in _fonts() for item in _draw(path, size))


def _fonts() -> list[Path]:
    """Fonts whose character map leads from each of the characters to the glyph of that name.

    This leaves out symbol fonts, fonts that encode other things in these places (cmmi10, cmsy10, cmex10) and the last
    resort font, which draws the same box for every letter.
    """
    import matplotlib as mpl
    from matplotlib.ft2font import FT2Font

    found = []
    for path in sorted(Path(mpl.get_data_path(), "fonts", "ttf").glob("*.ttf")):
        font = FT2Font(str(path))
        glyph = font.get_charmap()
        if all(ord(c) in glyph and font.get_glyph_name(glyph[ord(c)]) == _glyph_name(c) for c in CHARACTERS):
            found.append(path)
    missing = {name for names in HELD_OUT.values() for name in names} - {path.name for path in found}
    if missing:
        raise DataError(f"dataset glyphs: this matplotlib lacks the fonts {sorted(missing)}; install the released one")
    return found


def _glyph_name(character: str) -> str:
    """``A`` for A, ``seven`` for 7: the names that fonts use."""
    return unicodedata.name(character).removeprefix("DIGIT ").lower() if character.isdigit() else character


def _split(path: Path) -> str:
    return next((split for split, names in HELD_OUT.items() if path.name in names), "train")


def _draw(path: Path, size: int) -> Iterator[tuple[str, np.ndarray]]:
    """Each character at each height, its ink's box centred up to a small seeded shift and never clipped."""
    font = ImageFont.truetype(str(path), _EM, layout_engine=ImageFont.Layout.BASIC)
    capital = _master(font, "H")[1][1]
    for character in CHARACTERS:
        master, extent, centre = _master(font, character)
        random = np.random.default_rng(zlib.crc32(f"{path.name} {character}".encode()))
        for height in CAPITAL_HEIGHTS:
            side = max(capital / height, extent.max() / LARGEST)  # of the window that becomes the picture
            room = np.minimum((side - extent) / 2, side * SHIFT)
            x, y = centre - side / 2 + random.uniform(-room, room)
            window = (x, y, x + side, y + side)
            yield character, np.asarray(master.resize((size, size), Image.Resampling.BOX, box=window))


def _master(font: ImageFont.FreeTypeFont, character: str) -> tuple[Image.Image, np.ndarray, np.ndarray]:
    """A large drawing on a larger canvas, and the extent and centre (x, y) of its ink."""
    canvas = Image.new("L", (4 * _EM, 4 * _EM))
    ImageDraw.Draw(canvas).text((2 * _EM, 2 * _EM), character, fill=255, font=font, anchor="mm")
    left, top, right, bottom = canvas.getbbox() or (0, 0, 0, 0)  # the font's own box counts the advance, not the ink
    return canvas, np.array([right - left, bottom - top]), np.array([left + right, top + bottom]) / 2
