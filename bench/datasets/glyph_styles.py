"""Image pairs: letters and digits in two styles of one typeface."""

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np

from bench.dataset import SPLITS, Columns, Dataset
from bench.datasets._fonts import CAPITAL_HEIGHTS, CHARACTERS, Drawing, font
from bench.datasets._images import check_size, distinct
from bench.errors import DataError, PluginError
from bench.options import Count

MODALITY = "image_pair"
PAIRED = True  # the pictures of a validation or test item show one thing, so one can be compared with the other

HELD_OUT = {"validation": "eEnNtT47", "test": "aAgGhHrRsS35"}
"""Characters that no training picture shows; both cases of a letter, which may look alike, are in one split."""

TYPEFACES: dict[str, dict[str, str]] = {
    "DejaVu Sans": {
        "upright": "DejaVuSans",
        "serif": "DejaVuSerif",
        "italic": "DejaVuSans-Oblique",
        "bold": "DejaVuSans-Bold",
        "mono": "DejaVuSansMono",
    },
    "DejaVu Sans Bold": {
        "upright": "DejaVuSans-Bold",
        "serif": "DejaVuSerif-Bold",
        "italic": "DejaVuSans-BoldOblique",
        "mono": "DejaVuSansMono-Bold",
    },
    "DejaVu Serif": {"upright": "DejaVuSerif", "italic": "DejaVuSerif-Italic", "bold": "DejaVuSerif-Bold"},
    "DejaVu Serif Bold": {"upright": "DejaVuSerif-Bold", "italic": "DejaVuSerif-BoldItalic"},
    "DejaVu Mono": {"upright": "DejaVuSansMono", "italic": "DejaVuSansMono-Oblique", "bold": "DejaVuSansMono-Bold"},
    "DejaVu Mono Bold": {"upright": "DejaVuSansMono-Bold", "italic": "DejaVuSansMono-BoldOblique"},
    "STIX": {"upright": "STIXGeneral", "italic": "STIXGeneralItalic", "bold": "STIXGeneralBol"},
    "STIX Bold": {"upright": "STIXGeneralBol", "italic": "STIXGeneralBolIta"},
    "Computer Modern": {"upright": "cmr10", "italic": "cmti10", "bold": "cmb10", "mono": "cmtt10"},
    "Computer Modern Sans": {"upright": "cmss10", "serif": "cmr10", "mono": "cmtt10"},
}
"""Typeface to the font that it has in each style: what these share is the hand that drew them."""


def glyph_styles(
    *,
    source: Literal["upright", "serif", "italic", "bold", "mono"] = "upright",
    target: Literal["upright", "serif", "italic", "bold", "mono"] = "italic",
    size: Count = 16,
) -> Dataset:
    """Letters and digits in one style, and in another of the same typeface; white ink on black, grey.

    The fonts are matplotlib's. An item for validation or test is one character in both styles, in the same size and
    place. For training there are no pairs: within each typeface, which is a sub-domain, the targets are shuffled
    against the sources. No character is in two splits, and of near-duplicates the one for training goes.

    Args:
        source: style of the pictures that are given.
        target: style of the pictures that are asked for.
        size: side of the pictures in pixels, 8 to 128.
    """
    check_size("glyph_styles", size)
    pairs = [(fonts[source], fonts[target]) for fonts in TYPEFACES.values() if source in fonts and target in fonts]
    if source == target or not pairs:
        problem = f"dataset glyph_styles: option 'target': {target!r} will not do for source {source!r}"
        raise PluginError(f"{problem}; it should be another style, which a typeface has beside that one")
    found = [item for number, pair in enumerate(pairs) for item in _draw(number, _font(pair[0]), _font(pair[1]), size)]
    found.sort(key=lambda item: -SPLITS.index(item[0]))  # of near-duplicates the first is kept: test's
    splits, typefaces = np.array([split for split, *_ in found]), np.array([number for _, number, *_ in found])
    columns = [np.stack([item[place] for item in found])[..., None] for place in (2, 3)]
    order = np.random.default_rng(0).permutation(np.flatnonzero(distinct(columns[0]) & distinct(columns[1])))
    chosen, validation, test = (order[splits[order] == split] for split in SPLITS)
    train = _columns(columns, chosen, _unpaired(chosen, typefaces))
    held_out = _columns(columns, validation, validation), _columns(columns, test, test)
    return Dataset("glyph_styles", "image_pair", train, *held_out, groups=typefaces[chosen].astype(np.int64))


def _columns(columns: list[np.ndarray], source: np.ndarray, target: np.ndarray) -> Columns:
    return Columns({"source": columns[0][source], "target": columns[1][target]})


def _unpaired(chosen: np.ndarray, typefaces: np.ndarray) -> np.ndarray:
    """The same indices, shuffled among those of each typeface."""
    mixed, random = chosen.copy(), np.random.default_rng(1)
    for number in np.unique(typefaces):
        places = np.flatnonzero(typefaces[chosen] == number)
        mixed[places] = chosen[random.permutation(places)]
    return mixed


def _font(name: str) -> Path:
    import matplotlib as mpl

    path = Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    if not path.exists():
        raise DataError(f"dataset glyph_styles: this matplotlib lacks the font {path.name}; install the released one")
    return path


def _draw(number: int, source: Path, target: Path, size: int) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
    """Split, the typeface's number, and each character in both fonts, at each height, equally far off the centre."""
    fonts = font(source), font(target)
    for character in CHARACTERS:
        split = next((split for split, held in HELD_OUT.items() if character in held), "train")
        drawings = [Drawing(each, character) for each in fonts]
        random = np.random.default_rng(zlib.crc32(f"{source.name} {target.name} {character}".encode()))
        for height in CAPITAL_HEIGHTS:
            sides = [drawing.side(height) for drawing in drawings]
            room = np.min([drawing.room(height) / side for drawing, side in zip(drawings, sides, strict=True)], axis=0)
            shift = random.uniform(-room, room)
            one, other = (
                drawing.view(height, shift * side, size) for drawing, side in zip(drawings, sides, strict=True)
            )
            yield split, number, one, other
