"""Captioned image source: letters and digits in printing fonts, and what they are in which style."""

from typing import Literal

from bench.dataset import Dataset
from bench.datasets._captions import captioned, spoken
from bench.datasets._images import shuffled
from bench.datasets.glyphs import drawn
from bench.options import Count

MODALITY = "captioned_image"

_KINDS = {"mono": "monospaced", "tt": "monospaced", "serif": "serif", "sans": "sans serif", "ss": "sans serif"}
"""Part of a font file's name to what kind of font it is; the first that is in it counts, and all else is serif."""


def captioned_glyphs(*, size: Count = 16, characters: Literal["all", "digits"] = "all") -> Dataset:
    """Letters and digits in matplotlib's bundled fonts, each with its caption, such as "a bold serif capital A".

    Pictures and splits are those of glyphs: by type family, 16 fonts to train, 2 to validate, 3 to test. Captions tell
    the weight where it is bold, the slant where there is one, the kind of font, and the character. Each style of the
    held-out fonts is among the training fonts'.

    Args:
        size: side of the pictures in pixels, 8 to 128.
        characters: ``all`` 62 of glyphs, or its ``digits`` alone.
    """
    items = (item for item in drawn(size) if characters == "all" or item[2].isdigit())
    labelled = shuffled((split, f"{style(font)} {spoken(character)}", image) for split, font, character, image in items)
    return captioned("captioned_glyphs", labelled)


def style(font: str) -> str:
    """``a bold italic serif`` for ``DejaVuSerif-BoldItalic.ttf``: the style of a font of matplotlib's, by its file."""
    name = font.lower().removeprefix("cm").removesuffix(".ttf")
    bold = "bol" in name or name == "b10"
    italic = any(mark in name for mark in ("ital", "obliq", "bolita")) or name == "ti10"
    kind = next((kind for mark, kind in _KINDS.items() if mark in name), "serif")
    words = ["bold"] * bold + ["italic"] * italic + [kind]
    return f"{'an' if words[0] == 'italic' else 'a'} {' '.join(words)}"
