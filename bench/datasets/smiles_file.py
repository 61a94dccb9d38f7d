"""Molecules of the user's own: a file of SMILES."""

import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from bench.dataset import Dataset
from bench.datasets import _files
from bench.datasets._molecules import by_scaffold, in_splits, parsed
from bench.errors import DataError, PluginError
from bench.options import Fraction

MODALITY = "molecule"
EXTRA = "molecules"

_TABLES = {".csv": ",", ".tsv": "\t"}


def smiles_file(
    *,
    path: str,
    column: str = "smiles",
    split: Literal["scaffold", "random"] = "scaffold",
    held_out: Fraction = 0.1,
) -> Dataset:
    """Molecules of a file, canonical and each once; lines that are no molecule are skipped and counted.

    No scaffold is in two splits, and molecules without a ring share one: where nearly all do, split at random.

    Args:
        path: a .csv or .tsv file with a header, or any other text with one molecule at the start of each line.
        column: of a .csv or .tsv file.
        split: by Bemis-Murcko scaffold, or at random.
        held_out: share of the molecules that validates, and that tests, above 0 and below a half; 400 of each at most
            are used.
    """
    if not 0 < held_out < 0.5:
        problem = f"option 'held_out': {held_out} will not do; it should be above 0 and below 0.5"
        raise PluginError(f"dataset smiles_file: {problem}")
    found, skipped = parsed(_lines(_files.located("smiles_file", path), column))
    if not found:
        problem = f"none of its {skipped} lines is a molecule" if skipped else "it holds no molecule"
        raise _unusable(path, problem, "give it one SMILES per line, or name its column")
    if split == "scaffold":
        try:
            return by_scaffold("smiles_file", found, skipped, held_out)
        except DataError as error:  # most share one scaffold, so that none is small enough to be held out
            raise DataError(f"{error}, or the option split: random") from error
    order = np.random.default_rng(1).permutation(len(found))
    size = round(held_out * len(found))
    splits = {"test": order[:size], "validation": order[size : 2 * size], "train": order[2 * size :]}
    known = list(found)
    return in_splits("smiles_file", found, skipped, {known[i]: name for name, part in splits.items() for i in part})


def content(*, path: str, **options: Any) -> str:
    """Hash of the file: the dataset is made anew when it changes."""
    return _files.content([_files.File(_files.located("smiles_file", path), "", "")])


def _lines(path: Path, column: str) -> Iterator[str]:
    """The SMILES of the file, as they stand there; blank lines are none."""
    try:
        with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
            if path.suffix.lower() not in _TABLES:
                yield from (fields[0] for line in file if (fields := line.split()))
                return
            rows = csv.DictReader(file, delimiter=_TABLES[path.suffix.lower()])
            columns = rows.fieldnames or []
            if column not in columns:
                known = ", ".join(columns) or "it has none"
                raise _unusable(path, f"it has no column {column!r}", f"name one in the option column: {known}")
            yield from ((row[column] or "").strip() for row in rows)
    except OSError as error:
        raise _unusable(path, _files.one_line(error), "name a file you may read") from error
    except csv.Error as error:
        raise _unusable(path, f"it is no table ({error})", "save it as plain CSV") from error


def _unusable(path: str | Path, problem: str, remedy: str) -> DataError:
    return DataError(f"dataset smiles_file: {path}: {problem}; {remedy}")
