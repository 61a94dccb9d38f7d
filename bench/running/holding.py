"""A run's folder is one process's at a time, and is gone again where nothing came of it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from bench.errors import ResultsError
from bench.results import disk, weights
from bench.running import tracking
from bench.running.status import LOCK

_TOUCH = 0.5  # seconds to wait for who only looks whether a run is at work


@contextmanager
def alone(run_folder: Path) -> Iterator[None]:
    """Nobody else works on a run meanwhile; :class:`ResultsError` where somebody does."""
    lock = FileLock(run_folder / LOCK)
    try:
        with disk.clear_errors(run_folder):
            lock.acquire(timeout=_TOUCH)
            (run_folder / tracking.NAME).unlink(missing_ok=True)  # of who held it before
    except Timeout:
        raise ResultsError(
            f"{run_folder}: another process works on this run; wait for it, or start one with --new"
        ) from None
    try:
        yield
    finally:
        (run_folder / LOCK).unlink(missing_ok=True)
        lock.release()


def remove_empty(run_folder: Path) -> None:
    """Take away what we made of a run of which nothing came; whatever else lies there stays."""
    for name in ("run.json", "results.parquet", LOCK, tracking.NAME):
        (run_folder / name).unlink(missing_ok=True)
    shutil.rmtree(run_folder / "logs", ignore_errors=True)
    with suppress(OSError):
        (run_folder / weights.FOLDER).rmdir()
    for log in run_folder.glob("cells/*/log.txt"):
        log.unlink()
    for folder in (*(run_folder / "cells").glob("*/"), run_folder / "cells", run_folder, run_folder.parent):
        with suppress(OSError):  # it never was, or holds somebody else's files, or earlier runs
            folder.rmdir()
