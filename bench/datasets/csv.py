"""A user's own table of comma-separated values."""

from collections.abc import Iterator
from csv import DictReader, Error, field_size_limit
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _files, _table
from bench.options import Count

MODALITY = "{modality}"

SUFFIXES = (".csv", ".tsv")
"""Of its files in a folder."""


def csv(
    *, path: str, columns: list[str], modality: Literal["text", "text_pair"] = "text", held_out: Count = 1000
) -> Dataset:
    """Texts, or pairs of texts, in columns of a .csv table (.tsv where tabs separate) with a header.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct rows is, chosen by their content. Rows that hold no text in one of the columns are
    skipped and counted.

    Args:
        path: of a file, or of a folder of such files; relative to the current folder, ``~`` is your home.
        columns: the one that holds the text; of pairs, that of the source and that of the target.
        modality: text or text_pair.
        held_out: rows of the validation and of the test split, at most.
    """
    return _table.dataset("csv", path, SUFFIXES, _rows, columns=columns, modality=modality, held_out=held_out)


def content(*, path: str, **_: object) -> str:
    """Hash of the table's files."""
    return _files.content(_table.files("csv", path, SUFFIXES))


def _rows(path: Path, _: list[str]) -> Iterator[_table.Row]:
    field_size_limit(2**31 - 1)  # a whole text may stand in a field
    with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
        table = DictReader(file, delimiter="\t" if path.suffix.lower() == ".tsv" else ",", strict=True)
        while True:
            try:
                row = next(table, None)
            except Error as error:  # such as a quote that is never closed
                yield _files.Damaged(_files.one_line(error))
                continue
            if row is None:
                return
            yield _files.Damaged("more fields than the header names") if None in row else row
