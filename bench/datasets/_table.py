"""What the datasets made of a table's rows share: columns to texts, or to pairs of texts."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.dataset import Dataset
from bench.datasets import _decoding, _files
from bench.datasets._files import Damaged, Found, Remark
from bench.errors import DataError, PluginError

PARTS = {"text": ("text",), "text_pair": ("source", "target")}
"""Modality to the parts of an item, each of which is a column of the table."""

Row = Mapping[str, Any] | Damaged | Remark
"""A row by the names of its columns, or why it cannot be read; or what was done to read the rows."""

TWICE = object()
"""Stands in a row for what is named twice in it, with two values."""


def dataset(
    name: str,
    path: str,
    suffixes: Collection[str],
    rows: Callable[[Path, list[str]], Iterable[Row]],
    *,
    columns: list[str],
    modality: str,
    held_out: int,
    encoding: str = "utf-8",
) -> Dataset:
    """The rows of a file, or of a folder's files, in which every one of the columns holds text.

    Args:
        name: of the dataset.
        path, columns, modality, held_out, encoding: its options.
        suffixes: of its files in a folder.
        rows: reads a file, of which those columns are needed; raises :class:`Damaged` where it cannot go on.
    """
    check_columns(name, columns, modality, PARTS[modality])
    found = _found(name, _files_of(name, path, suffixes), rows, columns, modality, encoding)
    return _files.dataset(name, modality, path, found, held_out=held_out, by=decides(modality), unit="rows")


def content(
    name: str,
    path: str,
    suffixes: Collection[str],
    columns: list[str],
    modality: str,
    check: Callable[[Path], None] | None = None,
) -> str:
    """Hash of the table's files; what can be known of its options without its rows is said here, before anything runs.

    Args:
        name, path, suffixes, columns, modality: as in :func:`dataset`.
        check: raises :class:`DataError` where a file's header lacks a column.
    """
    check_columns(name, columns, modality, PARTS[modality])
    listed = _files_of(name, path, suffixes)
    for file in listed.files if check else ():
        with suppress(Damaged, OSError):  # which is counted when it is read
            check(file.path)  # type: ignore[misc]
    return _files.content(listed)


def _files_of(name: str, path: str, suffixes: Collection[str]) -> _files.Listing:
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


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A row of named values, with :data:`TWICE` under a name that stands there more than once."""
    row: dict[str, Any] = {}
    for name, held in pairs:
        row[name] = TWICE if name in row else held
    return row


def text(row: Mapping[str, Any], column: str, encoding: str = "utf-8") -> str:
    """The text in a column; :class:`Damaged` where there is none."""
    try:
        found = value(row, column)
    except (KeyError, TypeError):
        raise Damaged(f"no column {column!r}") from None
    if found is TWICE:
        raise Damaged(f"column {column!r} is there twice")
    if not isinstance(found, str):
        raise Damaged(f"column {column!r} holds {'nothing' if found is None else type(found).__name__}, not text")
    if flaw := _decoding.flaw(found, encoding):
        raise Damaged(f"column {column!r}: {flaw}")
    if not found.strip():
        raise Damaged(f"column {column!r} is blank")
    return found


def missing(columns: list[str], known: Collection[str]) -> list[str]:
    """The columns that a table does not have; of ``a.b`` it must have a."""
    return [column for column in columns if column not in known and column.partition(".")[0] not in known]


def check_named(name: str, where: object, columns: list[str], known: Iterable[str], remedy: str = "") -> None:
    """Raise :class:`DataError` unless a table has all of the columns, and each of them once.

    Args:
        name: of the dataset.
        where: the table is.
        columns: that are wanted.
        known: that there are, in order.
        remedy: what to do where one is missing, if not to name another.
    """
    names = list(known)
    for column in missing(columns, names):
        problem = f"{where} has no column {column!r}; {remedy or f'name one of: {listed(sorted(set(names)))}'}"
        raise DataError(f"dataset {name}: option 'columns': {problem}")
    for column in columns:
        if (count := names.count(column if column in names else column.partition(".")[0])) > 1:
            problem = f"{where} has {count} columns {column!r}; give each a name of its own"
            raise DataError(f"dataset {name}: option 'columns': {problem}")


def listed(names: Sequence[str], most: int = 20) -> str:
    """Names of columns, as many as can be read."""
    found = [name if len(name) <= 60 else f"{name[:58]} …" for name in names]
    return (", ".join(found[:most]) + f" and {len(found) - most} more" * (len(found) > most)) or "none"


def _found(
    name: str,
    table: _files.Listing,
    rows: Callable[[Path, list[str]], Iterable[Row]],
    columns: list[str],
    modality: str,
    encoding: str,
) -> Iterator[Found | Damaged | Remark]:
    parts = PARTS[modality]
    for path, split, group, called in table.files:
        within = f"{called}: " if len(table.files) > 1 else ""
        known: dict[str, None] = {}  # columns of the rows so far, until all that are needed were seen
        complete = False
        try:
            number = 0
            for row in rows(path, columns):
                if isinstance(row, Remark):
                    yield row
                    continue
                number += 1
                if isinstance(row, Damaged):
                    yield Damaged(f"{within}row {number}: {row}")
                    continue
                if not complete:
                    known |= dict.fromkeys(row)
                    complete = not missing(columns, known)
                try:
                    texts = [text(row, column, encoding) for column in columns]
                except Damaged as error:
                    yield Damaged(f"{within}row {number}: {error}")
                    continue
                yield Found(texts[0] if len(parts) == 1 else dict(zip(parts, texts, strict=True)), split, group)
        except (Damaged, OSError) as error:  # the rest of the file cannot be read
            yield Damaged(f"{called}: {_files.one_line(error)}")
        if known:
            check_named(name, path, columns, known)
    yield from table.remarks
