"""The header of a table whose columns a character separates: found, and checked before a row is read."""

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.datasets import _decoding, _files
from bench.datasets._files import Damaged
from bench.errors import PluginError

_USUAL = ",;\t|"


def check(dataset: str, delimiter: str) -> None:
    """Raise :class:`PluginError` unless one character is asked for, or none."""
    if len(_written(delimiter)) > 1 or delimiter in ("\n", "\r", '"'):
        remedy = "write the one character that separates columns, such as ';' or '|'"
        raise PluginError(f"dataset {dataset}: option 'delimiter': {delimiter!r} will not do; {remedy}")


@contextmanager
def opened(path: Path, delimiter: str, encoding: str) -> Iterator[tuple["csv.DictReader[str]", list[_files.Remark]]]:
    """The rows after the header, and what was done to read them. Raises :class:`Damaged`.

    Args:
        path: of the table.
        delimiter: between columns; empty for the one that the file's ending names.
        encoding: as of :func:`_decoding.opened`.
    """
    csv.field_size_limit(2**31 - 1)  # a whole text may stand in a field
    with _decoding.opened(path, encoding, newline="") as file:
        table = csv.DictReader(file, delimiter=_between(path, delimiter), strict=True)
        try:
            header = table.fieldnames or []
        except csv.Error as error:
            raise Damaged(f"its header: {_files.one_line(error)}") from error
        if flaw := _decoding.flaw("".join(header), encoding):
            raise Damaged(f"its header: {flaw}")
        yield table, _decoding.remarks(file, encoding)


def hint(path: Path, header: list[str], delimiter: str) -> str:
    """What to write where a header is one column because something else separates its columns; else nothing."""
    used = _between(path, delimiter)
    other = next((mark for mark in _USUAL if len(header) == 1 and mark != used and mark in header[0]), "")
    shown = '"\\t"' if other == "\t" else f'"{other}"'
    return f"its header is one column with {shown} in it: say delimiter: {shown}" if other else ""


def _between(path: Path, delimiter: str) -> str:
    return _written(delimiter) or ("\t" if _files.ending(path.name).startswith(".tsv") else ",")


def _written(delimiter: str) -> str:
    return "\t" if delimiter == "\\t" else delimiter  # as YAML reads it without quotes
