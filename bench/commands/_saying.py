"""What commands print beside what was asked for: a line each, whatever names from files are quoted in it."""

import sys

from bench.words import cut, few

_MOST_LINES = 10  # said of one kind of thing


def line(said: object) -> str:
    """One line for a terminal."""
    return f"bench: {printable(cut(str(said), 2000))}"


def printable(text: str) -> str:
    """A text without what would move the cursor or ring the bell."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def plain(text: str) -> str:
    """For a terminal: spaces of one kind, and nothing that moves the cursor."""
    return printable(text.replace("\N{NO-BREAK SPACE}", " ").replace("\N{THIN SPACE}", " "))


def tell(lines: list[str]) -> None:
    """Lines on the standard error stream, as many as somebody reads."""
    for told in few(lines, _MOST_LINES):
        print(line(plain(told)), file=sys.stderr)
