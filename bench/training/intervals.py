"""How often and where a cell that is under way is kept. Imports no torch."""

import math
import os
from pathlib import Path

from bench.errors import ResultsError
from bench.results import runs

NAME = "TRANSFERBENCH_CHECKPOINT_SECONDS"
INTERVAL = 60.0
"""Seconds between two checkpoints inside a cell, at least: shorter cells write none."""
SHARE = 0.02
"""Of the time that training takes, what checkpoints may take, unless the environment says how often they are due."""


def seconds() -> float:
    """What the environment says, or :data:`INTERVAL`; infinite where it says ``off``."""
    if (said := os.environ.get(NAME, "")) in ("", "off"):
        return math.inf if said else INTERVAL
    try:
        found = float(said)
    except ValueError:
        found = -1.0
    if not found > 0:
        raise ResultsError(f"{NAME}={said[:40]!r}: no number of seconds; set it to one such as 60, or to off")
    return found


def share() -> float:
    """Of the time that training takes, what checkpoints may take."""
    return math.inf if os.environ.get(NAME) else SHARE


def folder(run: Path, cell: str) -> Path:
    """Where a cell that is under way keeps how far it is (:mod:`bench.training.unfinished`)."""
    return runs.record_path(run, cell).with_suffix("") / "unfinished"
