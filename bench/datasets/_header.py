"""A table whose columns a character separates: its header, checked before a row is read, and its rows."""

import csv
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

from bench.datasets import _decoding, _files
from bench.datasets._files import Damaged, Remark
from bench.errors import PluginError

_USUAL = ",;\t|"
_LONG = 6  # lines that all look like rows: of fewer, verses and lists may do so by chance

Row = dict[str, str | None] | Damaged
"""What stands under each column, None where a row ends before it; or why that is not known."""


class Table(NamedTuple):
    """What a file holds: the names of its columns, none where it is empty, its rows, and how it was read."""

    header: list[str]
    rows: Iterator[Row]
    remarks: list[Remark]


def check(dataset: str, delimiter: str) -> None:
    """Raise :class:`PluginError` unless one character is asked for, or none."""
    if len(_written(delimiter)) > 1 or delimiter in ("\n", "\r", '"'):
        remedy = "write the one character that separates columns, such as ';' or '|'"
        raise PluginError(f"dataset {dataset}: option 'delimiter': {delimiter!r} will not do; {remedy}")


@contextmanager
def opened(path: Path, delimiter: str, encoding: str) -> Iterator[Table]:
    """The table in a file. Raises :class:`Damaged`.

    The header is the first row that holds anything. A quote that is closed too late, or never, swallows lines: each of
    them that is not blank is a damaged row.

    Args:
        path: of the table.
        delimiter: between columns; empty for the one that the file's ending names.
        encoding: as of :func:`_decoding.opened`.
    """
    csv.field_size_limit(2**31 - 1)  # a whole text may stand in a field
    with _decoding.opened(path, encoding, newline="") as file:
        lines = _Lines(file)
        reader = csv.reader(lines, delimiter=_between(path, delimiter), strict=True)
        try:
            header = next((row for row in reader if any(name.strip() for name in row)), [])
        except csv.Error as error:
            raise Damaged(f"its header: {_files.one_line(error)}") from error
        if flaw := _decoding.flaw("".join(header), encoding):
            raise Damaged(f"its header: {flaw}")
        yield Table(header, _rows(reader, lines, header), _decoding.remarks(file, encoding))


def hint(path: Path, header: list[str], delimiter: str) -> str:
    """What to write where a header is one column because something else separates its columns; else nothing."""
    used = _between(path, delimiter)
    other = next((mark for mark in _USUAL if len(header) == 1 and mark != used and mark in header[0]), "")
    shown = '"\\t"' if other == "\t" else f'"{other}"'
    return f"its header is one column with {shown} in it: say delimiter: {shown}" if other else ""


class _Lines:
    """The lines of a file as a reader takes them, with those that its last row was made of."""

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = iter(lines)
        self.taken: list[str] = []

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        self.taken.append(next(self.lines))
        return self.taken[-1]


def _rows(reader: Any, lines: _Lines, header: list[str]) -> Iterator[Row]:
    while True:
        lines.taken.clear()
        before = reader.line_num
        try:
            fields = next(reader, None)
        except csv.Error as error:
            if len(lines.taken) == 1:
                yield Damaged(_files.one_line(error))
                continue
            fields, swallowed = [], True
        else:
            if fields is None:
                return
            swallowed = _swallows(fields, lines.taken, header, reader.dialect.delimiter)
        if swallowed:
            said = f"lines {before + 1}-{reader.line_num} swallowed by an unclosed quote"
            yield from (Damaged(said) for line in lines.taken if line.strip())
        elif len(fields) > len(header):
            yield Damaged("more fields than the header names")
        elif fields:
            yield dict(zip_longest(header, fields))


def _swallows(fields: list[str], lines: list[str], header: list[str], delimiter: str) -> bool:
    """Whether a row is rather several, of which a quote in the first swallowed the others: each line looks like one."""
    enough = 2 if len(fields) > len(header) else _LONG if len(header) > 1 else sys.maxsize
    return len(lines) >= enough and all(line.count(delimiter) == len(header) - 1 for line in lines[:-1])


def _between(path: Path, delimiter: str) -> str:
    return _written(delimiter) or ("\t" if _files.ending(path.name).startswith(".tsv") else ",")


def _written(delimiter: str) -> str:
    return "\t" if delimiter == "\\t" else delimiter  # as YAML reads it without quotes
