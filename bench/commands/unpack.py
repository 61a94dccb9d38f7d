"""Make each record of a finished run a file of its own again, with its curves and samples beside it.

Everything reads both forms; the next `bench run` that has something to do packs it again.
"""

import argparse
from pathlib import Path


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    parser.add_argument("results", type=Path, help="a run's folder, or a suite's (its latest run)")


def call(chosen: argparse.Namespace) -> int:
    """2 where there is no run."""
    from bench.results import packed, runs

    folder = runs.latest(chosen.results) or chosen.results
    runs.read(folder)
    packed.unpack(folder)
    print(folder / "cells")
    return 0
