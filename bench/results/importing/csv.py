"""A table of scores: CSV (or with semicolons or tabs), or parquet.

A row is one score (long), or one result with a column for each metric (wide):

  bench import csv long.csv --map approach=method --map metric=name --map value=score --metric accuracy:higher
  bench import csv wide.csv --map approach=method --set model=llama --metric accuracy:higher --metric loss:lower:nats

Ours are model, target, approach, data_size, seed, metric, value, better, unit, n and error (the score's own standard
error), and family, modality, source, data_quality, options, status and reason. A column that has one of these names
is that, so the table that `bench export` prints needs nothing more. --map says which other column is one of ours,
--set what holds for all rows, --metric which direction of a metric is better; the first one named ranks approaches.

Each of --map, --set and --metric may be there several times. An empty field, NA or NaN is a missing score, and is
counted. A result is told by model, target, approach, data_size, data_quality and seed. Without a seed each is 0, and a
model or a target that is not said is `unknown`. A data_size of 0 says that no target data were used, as of zero_shot,
real_data and training_data without one. Where no other row has a data size, 0 stands for it in all; where some have,
those without are left out and counted.
"""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.results.imported import Imported

SUITE = "imported"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The file, and what its columns are."""
    parser.add_argument("path", type=Path, metavar="FILE", help="a CSV or parquet file")
    for flag, form, about in (
        ("map", "OURS=COLUMN", "a column of the table is one of ours (n.METRIC, error.METRIC in a wide one)"),
        ("set", "OURS=VALUE", "one of ours is the same for all rows"),
        ("metric", "NAME[=COLUMN]:BETTER[:UNIT]", "higher, lower or none is better; in a wide table its column"),
    ):
        parser.add_argument(f"--{flag}", action="append", default=[], metavar=form, help=about)


def read(chosen: argparse.Namespace) -> "Imported":
    """The results in a table; :class:`bench.errors.ResultsError` names the line and the column that will not do."""
    from bench.results.importing import _mapping, _rows, _table

    path: Path = chosen.path
    with _rows.opened(path) as table:
        mapping = _mapping.mapping(str(path), table.header, chosen.map, chosen.set, chosen.metric)
        return _table.imported(path, mapping, table.rows)
