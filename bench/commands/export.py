"""Print the tidy table of a run as CSV: one row per (cell, metric).

`bench export results/quickstart > quickstart.csv`
"""

import argparse
import sys
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("results", type=Path, help="a run's folder, or a suite's (its latest run)")


def call(chosen: argparse.Namespace) -> int:
    """Of its records, finished or not."""
    from bench.results import runs, tidy

    folder = runs.latest(chosen.results) or chosen.results
    tidy.table(runs.records(folder)).to_csv(sys.stdout, index=False)
    return 0
