"""Make each record of a finished run a file of its own again, with its curves and samples beside it.

Everything reads both forms; the next `bench run` that has something to do packs it again.
"""

import argparse

from bench.commands import _arguments, _saying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    _arguments.add_run(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where something of what was packed is damaged."""
    from bench.errors import ResultsError
    from bench.results import manifest, packed, runs
    from bench.running import holding

    folder = _arguments.run_folder(chosen)
    runs.about(folder)
    if manifest.is_published_run(folder):
        raise ResultsError(f"{folder}: in a publication, whose checksums would be wrong then; unpack a copy of it")
    with holding.alone(folder):
        aside = packed.unpack(folder)
    _saying.tell([f"{folder / name}: put aside, not all of it can be read ({what})" for name, what in aside.items()])
    print(folder / "cells")
    return int(bool(aside))
