"""A user's own table of comma-separated values."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Literal

from bench.dataset import Dataset
from bench.datasets import _decoding, _header, _table
from bench.options import Count

MODALITY = "{modality}"

SUFFIXES = (".csv", ".tsv", ".csv.gz", ".tsv.gz")
"""Of its files in a folder."""


def csv(
    *,
    path: str,
    columns: list[str],
    modality: Literal["text", "text_pair"] = "text",
    delimiter: str = "",
    encoding: str = "utf-8",
    held_out: Count = 1000,
) -> Dataset:
    """Texts, or pairs of texts, in columns of a .csv table (.tsv where tabs separate) with a header.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct rows is, chosen by their content. What gzip packed (.csv.gz) is unpacked. Rows that
    hold no text in one of the columns, or have more fields than the header, are skipped and counted; so is each line
    that a quote which is never closed swallows.

    Args:
        path: of a file, or of a folder of such files; relative to the current folder, ``~`` is your home.
        columns: the one that holds the text; of pairs, that of the source and that of the target.
        modality: text or text_pair.
        delimiter: what separates columns, such as ``;``; by default commas, and tabs in .tsv.
        encoding: of files without a byte order mark, as Python names it (cp1252, shift_jis); auto guesses each file's.
        held_out: rows of the validation and of the test split, at most.
    """
    _check(delimiter, encoding)
    rows = partial(_rows, delimiter=delimiter, encoding=encoding)
    return _table.dataset(
        "csv", path, SUFFIXES, rows, columns=columns, modality=modality, held_out=held_out, encoding=encoding
    )


def content(
    *,
    path: str,
    columns: list[str],
    modality: str = "text",
    delimiter: str = "",
    encoding: str = "utf-8",
    **_: object,
) -> str:
    """Hash of the table's files, of which each has the columns."""
    _check(delimiter, encoding)

    def check(file: Path) -> None:
        next(iter(_rows(file, columns, delimiter=delimiter, encoding=encoding)), None)

    return _table.content("csv", path, SUFFIXES, columns, modality, check)


def _check(delimiter: str, encoding: str) -> None:
    _header.check("csv", delimiter)
    _decoding.check("csv", encoding)


def _rows(path: Path, columns: list[str], *, delimiter: str, encoding: str) -> Iterator[_table.Row]:
    with _header.opened(path, delimiter, encoding) as (header, rows, remarks):
        if header:
            _table.check_named("csv", path, columns, header, _header.hint(path, header, delimiter))
        yield from remarks
        yield from rows
