"""The rows of a table in a file: CSV with any usual separator, or parquet; bounded, and read to the last row or not."""

import csv
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import ResultsError
from bench.results import files

_USUAL = ",;\t|"
_BLANK = f" {_USUAL}"  # that a line may be of and yet say nothing
_MOST_BYTES, _MOST_ROWS, _MOST_COLUMNS = 1 << 28, 1_000_000, 10_000
_MOST_HEADER = 1 << 20  # characters that the separator is looked for in
_QUOTED = re.compile(rf'(?<![^\r\n{_USUAL}]) *"[^"]*(?:""[^"]*)*(?:"|\Z)')  # where a field begins; others are letters
_MAGIC = b"PAR1"  # that a parquet file begins with


class Table(NamedTuple):
    """A header, and the rows with what a person counts them by: ``line 3``; a value that is not there is None."""

    header: list[str]
    rows: Iterator[tuple[str, dict[str, Any]]]


@contextmanager
def opened(path: Path) -> Iterator[Table]:
    """The table in a file; :class:`ResultsError` where it is none, also while rows are read."""
    try:
        with files.regular(path, _MOST_BYTES).open("rb") as file:
            is_parquet = file.read(len(_MAGIC)) == _MAGIC
        if is_parquet:
            yield _parquet(path)
        else:
            with path.open(encoding="utf-8-sig", newline="") as text:
                yield _csv(path, text)
    except files.Damaged as reason:
        raise ResultsError(f"{path}: no table ({reason}); name a CSV or a parquet file") from reason
    except UnicodeDecodeError as error:
        raise ResultsError(f"{path}: not in UTF-8 (byte {error.start}); save it so, or as parquet") from error
    except csv.Error as error:
        raise ResultsError(f"{path}: no CSV table ({error}); mend it there") from error
    except OSError as error:
        raise ResultsError(f"{path}: cannot be read ({error.strerror or error}); check the path") from error


def _csv(path: Path, text: Any) -> Table:
    mark = _separator(text.read(_MOST_HEADER))
    text.seek(0)
    lines = csv.reader(text, delimiter=mark, strict=True)
    header = next((row for row in lines if _is_filled(row)), None)
    if header is None:
        raise files.Damaged("it is empty")
    header = [name.strip() for name in header]
    _check_header(header)
    return Table(header, _csv_rows(path, lines, header))


def _separator(text: str) -> str:
    """The usual one that the header has most of, outside of quotes: in these line breaks and all others may stand."""
    lines = re.split(r"[\r\n]", _QUOTED.sub("quoted", text))
    header = next((line for line in lines if line.strip(_BLANK)), "")
    return max(_USUAL, key=header.count)


def _is_filled(row: list[str]) -> bool:
    return any(field.strip(_BLANK) for field in row)


def _csv_rows(path: Path, lines: Any, header: list[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    for count, row in enumerate(row for row in lines if _is_filled(row)):
        if len(row) != len(header):
            said = f"line {lines.line_num}: {len(row)} fields under {len(header)} columns"
            raise ResultsError(f"{path}: {said}; put quotes around a field that holds the separator")
        if count >= _MOST_ROWS:
            raise files.Damaged(f"more than {_MOST_ROWS} rows")
        yield f"line {lines.line_num}", {name: value.strip() or None for name, value in zip(header, row, strict=True)}


def _parquet(path: Path) -> Table:
    from pyarrow import ArrowException, parquet

    try:
        file = parquet.ParquetFile(path)
        about = file.metadata
        size = sum(about.row_group(group).total_byte_size for group in range(about.num_row_groups))
        if about.num_rows > _MOST_ROWS or size > 4 * _MOST_BYTES:
            raise files.Damaged(f"more than {_MOST_ROWS} rows or {4 * _MOST_BYTES >> 20} MiB")
        _check_header(list(file.schema_arrow.names))
        return Table(list(file.schema_arrow.names), _parquet_rows(file))
    except (ArrowException, ValueError) as error:
        if isinstance(error, files.Damaged):
            raise
        raise files.Damaged(" ".join(str(error).split())[:200]) from error


def _parquet_rows(file: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    from pyarrow import ArrowException

    count = 0
    try:
        for batch in file.iter_batches(batch_size=10_000):
            for row in batch.to_pylist():
                count += 1
                yield f"row {count}", row
    except ArrowException as error:
        raise files.Damaged(" ".join(str(error).split())[:200]) from error


def _check_header(header: list[str]) -> None:
    if len(header) > _MOST_COLUMNS:
        raise files.Damaged(f"more than {_MOST_COLUMNS} columns")
