"""Molecules of the user's own: a file of SMILES."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.dataset import SPLITS, Dataset
from bench.datasets import _decoding, _files, _header, _table
from bench.datasets._files import Damaged
from bench.datasets._molecules import by_scaffold, in_splits, parsed
from bench.errors import DataError, PluginError
from bench.options import Fraction

MODALITY = "molecule"
EXTRA = "molecules"
GENERATION = 1  # since molecules without a ring, and common scaffolds, are in every split

_TABLES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")


def smiles_file(
    *,
    path: str,
    column: str = "smiles",
    delimiter: str = "",
    encoding: str = "utf-8",
    split: Literal["scaffold", "random"] = "scaffold",
    held_out: Fraction = 0.1,
) -> Dataset:
    """Molecules of a file, canonical and each once; lines that are no molecule are skipped and counted.

    What gzip packed is unpacked. Rows of a table that have more fields than its header are skipped and counted; so is
    each line that a quote which is never closed swallows.

    No scaffold is in two splits, but for one that is too common to be held out whole. Such a one, and molecules without
    a ring, which have none, are in each split in like share, and split by skeleton: the molecule with all atoms alike.

    Args:
        path: a .csv or .tsv file with a header, or any other text with one molecule at the start of each line.
        column: of a .csv or .tsv file.
        delimiter: what separates its columns, such as ``;``; by default commas, and tabs in .tsv.
        encoding: of a file without a byte order mark, as Python names it (cp1252, shift_jis); auto guesses it.
        split: by Bemis-Murcko scaffold, or at random.
        held_out: share of the molecules that validates, and that tests, above 0 and below a half; 400 of each at most
            are used.
    """
    _check(delimiter, encoding, held_out)
    remarks: list[_files.Remark] = []
    lines = list(_lines(_files.located("smiles_file", path), column, delimiter, encoding, remarks))
    refused: list[int] = []
    found, skipped = parsed(("" if isinstance(line, Damaged) else line for line in lines), refused)
    first = _why(refused[0], lines[refused[0]]) if refused else ""
    if not found:
        none = f"none of its {skipped} lines is a molecule (the first: {first})"
        problem = none if skipped else "it holds no molecule"
        raise _unusable(path, problem, "give it one SMILES per line, or name its column")
    if split == "scaffold":
        try:
            data = by_scaffold("smiles_file", found, skipped, held_out)
        except DataError as error:  # most share one scaffold, so that none is small enough to be held out
            raise DataError(f"{error}, or the option split: random") from error
    else:
        order = np.random.default_rng(1).permutation(len(found))
        size = round(held_out * len(found))
        splits = {"test": order[:size], "validation": order[size : 2 * size], "train": order[2 * size :]}
        known = list(found)
        split_of = {known[i]: name for name, part in splits.items() for i in part}
        data = in_splits("smiles_file", found, skipped, split_of)
    told = [f"the file is {remark.said}" for remark in remarks]
    kept = sum(len(getattr(data, part)) for part in SPLITS)
    for count, why in (
        (len(lines) - skipped - len(found), "equal to another, which counts once"),
        (len(found) - kept, "held out beyond as many as are used"),
    ):
        told += [f"{count} molecule{'s' * (count > 1)} {why}"] if count else []
    return replace(data, seen=len(lines), unit="lines", first=first, remarks=told)


def content(
    *,
    path: str,
    column: str = "smiles",
    delimiter: str = "",
    encoding: str = "utf-8",
    held_out: float = 0.1,
    **_: Any,
) -> str:
    """Hash of the file, which has the column: the dataset is made anew when it changes."""
    _check(delimiter, encoding, held_out)
    file = _files.located("smiles_file", path)
    if file.is_file():
        next(_lines(file, column, delimiter, encoding, []), None)
    return _files.content(_files.Listing([_files.File(file)], []))


def _check(delimiter: str, encoding: str, held_out: float) -> None:
    _header.check("smiles_file", delimiter)
    _decoding.check("smiles_file", encoding)
    if not 0 < held_out < 0.5:
        problem = f"option 'held_out': {held_out} will not do; it should be above 0 and below 0.5"
        raise PluginError(f"dataset smiles_file: {problem}")


def _why(number: int, line: str | Damaged) -> str:
    """Why a line, counted from 0, is no molecule."""
    return f"number {number + 1}: {line if isinstance(line, Damaged) else f'{line[:80]!r} is no molecule'}"


def _lines(
    path: Path, column: str, delimiter: str, encoding: str, remarks: list[_files.Remark]
) -> Iterator[str | Damaged]:
    """The SMILES of the file, as they stand there, or why there is none; blank lines are none."""
    try:
        if _files.ending(path.name) not in _TABLES:
            with _decoding.opened(path, encoding, newline="") as file:
                remarks += _decoding.remarks(file, encoding)
                yield from (_text(fields[0], encoding) for line in file if (fields := line.split()))
            return
        with _header.opened(path, delimiter, encoding) as (columns, rows, guesses):
            if columns.count(column) != 1:
                known = f"name one in the option column: {_table.listed(columns) if columns else 'it has none'}"
                twice = f"it has {columns.count(column)} columns {column!r}", "give each a name of its own"
                missing = f"it has no column {column!r}", _header.hint(path, columns, delimiter) or known
                raise _unusable(path, *(twice if column in columns else missing))
            remarks += guesses
            for row in rows:
                yield row if isinstance(row, Damaged) else _text((row[column] or "").strip(), encoding)
    except OSError as error:
        raise _unusable(path, _files.one_line(error), "name a file you may read") from error
    except Damaged as error:
        raise _unusable(path, f"it cannot be read ({error})", "save it as plain text, or say its encoding") from error


def _text(smiles: str, encoding: str) -> str | Damaged:
    return Damaged(flaw) if (flaw := _decoding.flaw(smiles, encoding)) else smiles


def _unusable(path: str | Path, problem: str, remedy: str) -> DataError:
    return DataError(f"dataset smiles_file: {path}: {problem}; {remedy}")
