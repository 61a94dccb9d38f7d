"""What commands print beside what was asked for: a line each, whatever names from files are quoted in it."""

import shutil
import sys
import textwrap

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


def folded(text: str, head: str = "", indent: int = 2) -> str:
    """Folded between words at the width of the terminal (elsewhere 80), without blanks at the end of a line.

    Args:
        text: what a no-break space joins stays in one line.
        head: before the first line.
        indent: columns before the others.
    """
    width = max(40, shutil.get_terminal_size((80, 24)).columns)
    lines = textwrap.wrap(
        text,
        width,
        initial_indent=head,
        subsequent_indent=" " * indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(map(plain, lines))


def tell(lines: list[str]) -> None:
    """Lines on the standard error stream, as many as somebody reads."""
    for told in few(lines, _MOST_LINES):
        print(line(plain(told)), file=sys.stderr)
