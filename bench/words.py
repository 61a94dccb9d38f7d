"""Values, texts and counts as a line for people shows them, and what it should be. Imports nothing of ours."""

import difflib
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any
from unicodedata import combining, east_asian_width

_LONGEST = 60  # characters of a value
_LONGEST_NAME = 100
_SURROGATE = re.compile("[\ud800-\udfff]")

_WANTED = {
    "typed_dict_type": "a mapping (`key: value`)",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "list_type": "a list such as [a, b]",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
}


def counted(count: int, noun: str) -> str:
    """``3 cells``, ``1 cell``, ``0 cells``."""
    return f"{count} {noun}{'s' * (count != 1)}"


def more(count: int, where: str = "") -> str:
    """``and 12 more``, ``and 12 more, see --json``: what a line says of those that are not shown."""
    return f"and {count:,} more".replace(",", "\N{THIN SPACE}") + (f", see {where}" if where else "")


def few(lines: list[str], most: int, where: str = "") -> list[str]:
    """As many as somebody reads, then how many more there are, and where."""
    return lines[:most] + [more(len(lines) - most, where)] * (len(lines) > most)


def columns(rows: list[list[str]]) -> Iterator[str]:
    """Rows of equal length, each as a line: the first column to the left, all others to the right.

    Where lines should also be styled, or folded at the width of a terminal, there is rich, which takes 0.1 s to import.
    """
    widths = [max(map(_width, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        gaps = (f"{' ' * (width - _width(text))}{text}" for text, width in zip(others, widths[1:], strict=True))
        yield "  ".join([first + " " * (widths[0] - _width(first)), *gaps]).rstrip()


def _width(text: str) -> int:
    """Columns of a terminal that a text takes."""
    return sum(0 if combining(letter) else 1 + (east_asian_width(letter) in "FW") for letter in text)


def cut(text: str, longest: int) -> str:
    """A text of at most so many characters: ``…`` stands where the rest was, its end is kept."""
    end = longest // 4
    return text if len(text) <= longest else f"{text[: longest - end - 1]}…{text[-end:]}"


def shown(value: Any) -> str:
    """A value much as it stands in a file, in one line, cut where it is long; however large or deep it is."""
    parts = json.JSONEncoder(ensure_ascii=False, default=str).iterencode(value)
    text, parts = "", itertools.islice(parts, _LONGEST + 1)
    try:
        for part in parts:
            text += part[: _LONGEST + 1]
            if len(text) > _LONGEST:
                break
    except (ValueError, TypeError):  # a number of 5,000 digits, a list in itself, a key that is none in JSON
        text += f"({type(value).__name__})"
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def wanted(first: Any) -> str:
    """What should be there instead of a value; the first of ``ValidationError.errors()``."""
    return f"it should be {_WANTED.get(first['type']) or first['msg'].removeprefix('Input should be ')}"


def suggest(name: str, known: list[str]) -> str:
    """``"did you mean 'lora'? "`` where something known is close, else nothing."""
    close = difflib.get_close_matches(name[:_LONGEST_NAME], known, n=1)
    return f"did you mean {cut(close[0], _LONGEST_NAME)!r}? " if close else ""
