"""What the datasets made of a table's rows share: columns to texts, or to pairs of texts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from bench.dataset import Dataset
from bench.datasets import _files
from bench.datasets._files import Damaged, Found
from bench.errors import DataError, PluginError

PARTS = {"text": ("text",), "text_pair": ("source", "target")}
"""Modality to the parts of an item, each of which is a column of the table."""

Row = Mapping[str, Any] | Damaged
"""A row by the names of its columns, or why it cannot be read."""


def dataset(
    name: str,
    path: str,
    suffixes: Collection[str],
    rows: Callable[[Path, list[str]], Iterable[Row]],
    *,
    columns: list[str],
    modality: str,
    held_out: int,
) -> Dataset:
    """The rows of a file, or of a folder's files, in which every one of the columns holds text.

    Args:
        name: of the dataset.
        path, columns, modality, held_out: its options.
        suffixes: of its files in a folder.
        rows: reads a file, of which those columns are needed; raises :class:`Damaged` where it cannot go on.
    """
    check_columns(name, columns, modality, PARTS[modality])
    found = _found(name, files(name, path, suffixes), rows, columns, modality)
    return _files.dataset(name, modality, path, found, held_out=held_out, by=decides(modality))


def files(name: str, path: str, suffixes: Collection[str]) -> list[_files.File]:
    """The files of a table, of which each may be named by its split."""
    return _files.listing(name, path, suffixes, files_name_splits=True)


def check_columns(name: str, columns: list[str], modality: str, parts: tuple[str, ...]) -> None:
    """Raise :class:`PluginError` unless there is a column for each part of an item."""
    if len(columns) != len(parts):
        problem = f"option 'columns': {columns} will not do; {modality} takes {len(parts)}: [{', '.join(parts)}]"
        raise PluginError(f"dataset {name}: {problem}")


def decides(modality: str) -> str:
    """The part of an item that keeps it out of two splits: an input with two answers is in one split."""
    return "source" if modality == "text_pair" else ""


def value(row: Mapping[str, Any], column: str) -> Any:
    """What a row holds in a column; ``a.b`` is the entry b of what column a holds. ``KeyError`` where it has none."""
    if column in row or "." not in column:
        return row[column]
    outer, _, inner = column.partition(".")
    return value(row[outer], inner)


def text(row: Mapping[str, Any], column: str) -> str:
    """The text in a column; :class:`Damaged` where there is none."""
    try:
        found = value(row, column)
    except (KeyError, TypeError):
        raise Damaged(f"no column {column!r}") from None
    if not isinstance(found, str):
        raise Damaged(f"column {column!r} holds {'nothing' if found is None else type(found).__name__}, not text")
    if any("\ud800" <= character <= "\udfff" for character in found):
        raise Damaged(f"column {column!r} is not UTF-8")
    if not found.strip():
        raise Damaged(f"column {column!r} is blank")
    return found


def missing(columns: list[str], known: Collection[str]) -> list[str]:
    """The columns that a table does not have; of ``a.b`` it must have a."""
    return [column for column in columns if column not in known and column.partition(".")[0] not in known]


def check_named(name: str, where: object, columns: list[str], known: Collection[str]) -> None:
    """Raise :class:`DataError` unless a table has all of the columns."""
    for column in missing(columns, known):
        problem = f"{where} has no column {column!r}; name one of: {', '.join(sorted(known)) or 'none'}"
        raise DataError(f"dataset {name}: option 'columns': {problem}")


def _found(
    name: str,
    listed: list[_files.File],
    rows: Callable[[Path, list[str]], Iterable[Row]],
    columns: list[str],
    modality: str,
) -> Iterator[Found | Damaged]:
    parts = PARTS[modality]
    for path, split, group in listed:
        known: dict[str, None] = {}  # columns of the rows so far, until all that are needed were seen
        complete = False
        try:
            for number, row in enumerate(rows(path, columns), 1):
                if isinstance(row, Damaged):
                    yield Damaged(f"{path}: row {number}: {row}")
                    continue
                if not complete:
                    known |= dict.fromkeys(row)
                    complete = not missing(columns, known)
                try:
                    texts = [text(row, column) for column in columns]
                except Damaged as error:
                    yield Damaged(f"{path}: row {number}: {error}")
                    continue
                yield Found(texts[0] if len(parts) == 1 else dict(zip(parts, texts, strict=True)), split, group)
        except (Damaged, OSError) as error:  # the rest of the file cannot be read
            yield Damaged(f"{path}: {_files.one_line(error)}")
        if known:
            check_named(name, path, columns, known)
