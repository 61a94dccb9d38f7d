"""Print the tidy table of a run as CSV: one row per (cell, metric).

`bench export results/quickstart > quickstart.csv`
"""

import argparse
import sys

from bench.commands import _arguments


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    _arguments.add_run(parser)


def call(chosen: argparse.Namespace) -> int:
    """Of its records, finished or not."""
    from bench.results import runs, tidy

    folder = _arguments.run_folder(chosen)
    sys.stdout.write(tidy.as_csv(tidy.table(runs.records(folder))))
    return 0
