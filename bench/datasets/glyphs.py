"""Image source: letters and digits in the fonts that come with matplotlib."""

import unicodedata
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from bench.dataset import Dataset
from bench.datasets._fonts import CAPITAL_HEIGHTS, CHARACTERS, Drawing, font
from bench.datasets._images import check_size, shuffled, without_labels
from bench.errors import DataError
from bench.options import Count

MODALITY = "image"

HELD_OUT = {
    "validation": ("cmss10.ttf", "cmtt10.ttf"),
    "test": ("cmr10.ttf", "cmb10.ttf", "cmti10.ttf"),
}
"""Computer Modern Sans and Typewriter validate, Computer Modern Roman tests, whatever else there is trains."""


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
    return shuffled((split, character, image) for split, _, character, image in drawn(size))


def drawn(size: int) -> Iterator[tuple[str, str, str, np.ndarray]]:
    """Split, font's file, character, and image of shape (size, size), of every drawing, near-duplicates among them."""
    check_size("glyphs", size)
    return ((_split(path), path.name, *item) for path in _fonts() for item in _draw(path, size))


def _fonts() -> list[Path]:
    """Fonts whose character map leads from each of the characters to the glyph of that name.

    This leaves out symbol fonts, fonts that encode other things in these places (cmmi10, cmsy10, cmex10) and the last
    resort font, which draws the same box for every letter.
    """
    import matplotlib as mpl
    from matplotlib.ft2font import FT2Font

    found = []
    for path in sorted(Path(mpl.get_data_path(), "fonts", "ttf").glob("*.ttf")):
        face = FT2Font(str(path))
        glyph = face.get_charmap()
        if all(ord(c) in glyph and face.get_glyph_name(glyph[ord(c)]) == _glyph_name(c) for c in CHARACTERS):
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
    loaded = font(path)
    for character in CHARACTERS:
        drawing = Drawing(loaded, character)
        random = np.random.default_rng(zlib.crc32(f"{path.name} {character}".encode()))
        for height in CAPITAL_HEIGHTS:
            room = drawing.room(height)
            yield character, drawing.view(height, random.uniform(-room, room), size)
