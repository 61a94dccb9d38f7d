"""What was measured as Parquet, for whoever has no transferbench: each column's metadata say what is in it."""

import csv
import io
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.results import columns, files, items, runs, tidy
from bench.results.columns import Column
from bench.results.files import Damaged

if TYPE_CHECKING:
    import pyarrow as pa

RESULTS, CURVES, ITEMS = "results", "curves", "items"
_TOGETHER = 1 << 18  # rows of a row group
_OPTIONS: dict[str, Any] = {"compression": "zstd", "compression_level": 12, "write_page_checksum": True}


class Table(NamedTuple):
    """One that was written.

    Attributes:
        name: of the file, without its ending.
        about: a row of it, in words.
        columns: what is in them.
        rows: how many there are.
    """

    name: str
    about: str
    columns: Mapping[str, Column]
    rows: int


def write(found: runs.Found, into: Path) -> list[Table]:
    """Write ``results.parquet``, the same as ``results.csv``, and where the run has any ``curves.parquet`` and
    ``items.parquet``.

    Raises :class:`Damaged` where a curve cannot be read.
    """
    frame = tidy.table(found.records)
    into.mkdir(parents=True, exist_ok=True)
    frame.to_csv(into / f"{RESULTS}.csv", index=False, lineterminator="\n")
    told: list[tuple[str, str, Mapping[str, Column], Iterator[dict[Any, Any]]]] = [
        (RESULTS, "one score of one cell", columns.RESULTS, iter([frame.to_dict("list")])),
        (CURVES, "one point of a cell's training", columns.OF_CELL | columns.CURVES, _curves(found)),
        (ITEMS, "what one test item adds to one score", columns.OF_CELL | columns.ITEMS, _items(found)),
    ]
    made = [Table(name, about, of, _write(into / f"{name}.parquet", of, parts)) for name, about, of, parts in told]
    return [table for table in made if table.rows]


def _write(path: Path, of: Mapping[str, Column], parts: Iterator[dict[Any, Any]]) -> int:
    """Rows that were written; no file where there are none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema, rows, waiting = _schema(of), 0, list["pa.Table"]()
    writer = pq.ParquetWriter(path, schema, **_OPTIONS)

    def save() -> None:
        if waiting:
            writer.write_table(pa.concat_tables(waiting))
            waiting.clear()

    with writer:
        for part in parts:
            arrays = [pa.array(part[field.name], field.type, from_pandas=True) for field in schema]
            waiting.append(pa.Table.from_arrays(arrays, schema=schema))
            rows += len(waiting[-1])
            if sum(map(len, waiting)) >= _TOGETHER:
                save()
        save()
    if not rows:
        path.unlink()
    return rows


def _schema(of: Mapping[str, Column]) -> Any:
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(
                name,
                pa.string() if one.kind == "str" else pa.type_for_alias(one.kind),
                metadata={"description": one.meaning, **({"unit": one.unit} if one.unit else {})},
            )
            for name, one in of.items()
        ]
    )


def _curves(found: runs.Found) -> Iterator[dict[str, list[Any]]]:
    for record in found.records:
        cell = record["cell"]
        if content := found.cells.content(cell, "curve.csv"):
            try:
                rows = list(csv.DictReader(io.StringIO(content.decode(), newline=""), strict=True))
                part: dict[str, list[Any]] = {"cell": [cell] * len(rows)}
                for name, one in columns.CURVES.items():
                    part[name] = [_read(row.get(name) or "", one.kind) for row in rows]
            except (ValueError, csv.Error) as error:
                raise Damaged(f"cells/{cell}/curve.csv: {files.said(error)}") from error
            yield part


def _read(text: str, kind: str) -> Any:
    """An entry of a curve; None where nothing stands there."""
    if kind == "str":
        return text
    return (int(text) if kind == "int64" else float(text)) if text else None


def _items(found: runs.Found) -> Iterator[dict[str, Any]]:
    import numpy as np

    for record in found.records:
        for metric, values in found.items(record).items():
            item = np.flatnonzero(~np.isnan(values))
            names = {"cell": [record["cell"]] * len(item), "metric": [metric] * len(item)}
            yield {**names, "item": item.astype(np.int32), "value": values[item].astype(np.float32)}


def samples(found: runs.Found, into: Path) -> int:
    """Write what cells made, a folder for each cell; how many files that are."""
    count = 0
    for record in found.records:
        for name in found.cells.beside(record["cell"]):
            if name not in ("curve.csv", items.NAME) and (content := found.cells.content(record["cell"], name)):
                path = into / record["cell"] / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content)
                count += 1
    return count
