"""A user's own table in Parquet's format."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

from pyarrow import ArrowException
from pyarrow.parquet import ParquetFile

from bench.dataset import Dataset
from bench.datasets import _files, _table
from bench.options import Count

MODALITY = "{modality}"

SUFFIXES = (".parquet",)
"""Of its files in a folder."""


def parquet(
    *, path: str, columns: list[str], modality: Literal["text", "text_pair"] = "text", held_out: Count = 1000
) -> Dataset:
    """Texts, or pairs of texts, in columns of .parquet files.

    Files and folders named train, validation (valid, val, dev) and test are the splits; where one of the last two is
    missing, a tenth of the distinct rows is, chosen by their content. Rows that hold no text in one of the columns are
    skipped and counted.

    Args:
        path: of a file, or of a folder of such files; relative to the current folder, ``~`` is your home.
        columns: the one that holds the text; of pairs, that of the source and that of the target.
            ``a.b`` is the entry b of what a holds.
        modality: text or text_pair.
        held_out: rows of the validation and of the test split, at most.
    """
    return _table.dataset("parquet", path, SUFFIXES, _rows, columns=columns, modality=modality, held_out=held_out)


def content(*, path: str, columns: list[str], modality: str = "text", **_: object) -> str:
    """Hash of the table's files, of which each has the columns."""

    def check(file: Path) -> None:
        try:
            with ParquetFile(file) as opened:
                _table.check_named("parquet", file, columns, opened.schema_arrow.names)
        except ArrowException as error:
            raise _files.Damaged(str(error)) from error

    return _table.content("parquet", path, SUFFIXES, columns, modality, check)


def _rows(path: Path, columns: list[str]) -> Iterator[_table.Row]:
    try:
        with ParquetFile(path) as file:
            known = file.schema_arrow.names
            _table.check_named("parquet", path, columns, known)
            needed = [name for name in known if any(name in (column, column.partition(".")[0]) for column in columns)]
            for batch in file.iter_batches(columns=needed):
                try:
                    yield from batch.to_pylist()
                except UnicodeDecodeError:  # in one of them
                    yield from (_row(batch, number) for number in range(batch.num_rows))
    except ArrowException as error:
        raise _files.Damaged(_files.one_line(error)) from error


def _row(batch: Any, number: int) -> _table.Row:
    try:
        found: _table.Row = batch.slice(number, 1).to_pylist()[0]
    except UnicodeDecodeError as error:
        return _files.Damaged(f"not UTF-8 (byte 0x{error.object[error.start]:02x})")
    return found
