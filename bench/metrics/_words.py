"""The words of a text in any script."""

import unicodedata
from functools import cache
from typing import Literal

_NO_SPACES = frozenset(
    {"CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "BOPOMOFO"} | {"THAI", "LAO", "KHMER", "MYANMAR", "TIBETAN"}
)
"""Scripts that put no spaces between words, as names of characters in Unicode begin."""


def words(text: str) -> list[str]:
    """Runs of letters and digits, in small letters, with their marks; one letter each in scripts without spaces.

    Of a text in ASCII these are the words of rouge-score without stemming, and of the ROUGE before it. Letters of any
    script count here (its pattern is ``[a-z0-9]+``), and é is the same letter however it is encoded. Where no spaces
    tell words, Unicode leaves them to a dictionary; Chinese is scored by character instead, as is usual.

    Paper: Lin 2004 (ROUGE); Hu et al. 2015, LCSTS: A Large Scale Chinese Short Text Summarization Dataset (by
    character); Unicode Standard Annex #29, Unicode Text Segmentation (letters, marks, scripts without spaces)
    """
    small = spaced(unicodedata.normalize("NFC", text.lower()))
    found = "".join(letter if _kind(letter) else " " for letter in small).split()
    return [word for word in found if any(_kind(letter) != "mark" for letter in word)]


def spaced(text: str) -> str:
    """The text with spaces around each letter of a script that has none between words; its marks stay with it."""
    if text.isascii():
        return text
    parts, alone = list[str](), False
    for letter in text:
        kind = _kind(letter)
        if kind == "alone" or (alone and kind != "mark"):
            parts.append(" ")
        alone = kind == "alone" or (alone and kind == "mark")
        parts.append(letter)
    return "".join(parts)


def without_spaces(texts: list[str]) -> bool:
    """Whether most of the letters of these texts are of scripts that put no spaces between words."""
    kinds = [kind for text in texts for letter in text if (kind := _kind(letter)) in ("letter", "alone")]
    return kinds.count("alone") > len(kinds) / 2


@cache
def _kind(letter: str) -> Literal["letter", "alone", "mark", ""]:
    """What a character is: a letter or digit of a word, a word of its own, a part of what it follows, or none of it."""
    category = unicodedata.category(letter)
    if category[0] == "M" or letter in "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}":
        return "mark"
    if category[0] not in "LN":
        return ""
    script = unicodedata.name(letter, "").removeprefix("HALFWIDTH ").split(" ")[0].split("-")[0]
    return "alone" if script in _NO_SPACES else "letter"
