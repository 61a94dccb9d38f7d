"""Send a run to MLflow, TensorBoard, trackio or Weights & Biases: its cells as runs with parameters, scores and curves.

It sends what is not there yet, so it may be typed again at any time. The exit code is 0 where all is there, 1 where
something could not be sent.
"""

import argparse
import json

from bench.commands import _arguments, _tracking
from bench.errors import ResultsError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where to."""
    _arguments.add_run(parser)
    _arguments.add_track(parser, "--to")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where a tracker lacks something of the run."""
    from bench.results import runs
    from bench.running import status
    from bench.trackers import sending, targets

    folder = _arguments.run_folder(chosen)
    wanted = targets.chosen(chosen.track, "--to")
    if not wanted:
        raise targets.TrackerError(f"where to? Name a tracker with --to: {', '.join(targets.NAMES)}")
    runs.about(folder)
    if status.is_held(folder):
        raise ResultsError(f"{folder}: a process works on this run; send it when that has ended (see `bench status`)")
    with sending.beside(folder, wanted) as sendings:
        found = sending.outcomes(sendings)
    if chosen.json:
        print(json.dumps({str(outcome.target): outcome.as_json() for outcome in found}))
    return int(bool(_tracking.show(found, folder, quiet=chosen.json)))
