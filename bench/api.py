"""What the command line does, for Python: ``bench.run("quickstart")`` returns the tidy table."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from bench.results import runs, tidy
from bench.running import planning, progress, runner
from bench.suite import loading
from bench.trackers import sending, targets

if TYPE_CHECKING:
    import pandas as pd


def run(
    name: str | Path,
    *,
    results_folder: str | Path = "results",
    reports_folder: str | Path | None = "reports",
    new: bool = False,
    run_name: str | None = None,
    workers: int | None = None,
    retry: int = 0,
    fail_fast: bool = False,
    track: Sequence[str] | None = None,
    keep: str | None = None,
) -> "pd.DataFrame":
    """Run a suite, or go on with its latest run, and return one row per (cell, metric).

    Args:
        name: a suite's YAML file, or the name of one in ``./suites`` or of one we ship.
        results_folder, reports_folder: where both land; ``None`` makes no report.
        new: start another run and leave the earlier one as it was.
        run_name: name of the run to start or go on with; by default it is named by the time it begins.
        workers: cells that train at a time.
        retry: how often to try what failed, diverged, or ran out of time or memory; 0 leaves it as it is.
        fail_fast: stop at the first cell that does not end well: :class:`bench.running.runner.Failed`.
        track: trackers that get the results, such as ``mlflow=http://127.0.0.1:5000``; by default those that the
            environment's ``TRANSFERBENCH_TRACK`` names. What one does not take is said on the standard error stream.
        keep: which trained weights stay, ``best``, ``all`` or ``none``; by default what the suite says.

    Raises:
        BenchError: one line that says what to mend, before anything trains.
    """
    checked, trackers = loading.load(name), targets.chosen(track)
    folder = runner.start(checked, Path(results_folder), new=new, name=run_name)
    with progress.show(Console(stderr=True)) as shown:
        runner.run(checked, folder, shown, workers=workers, retry=retry, fail_fast=fail_fast, keep=keep)
    with sending.beside(folder, trackers) as sendings:
        if reports_folder is not None:
            from bench import report
            from bench.publication import overview

            report.build(folder, Path(reports_folder))
            overview.renew(Path(reports_folder), Path(results_folder))
        table = tidy.read(folder)
        for one in sending.outcomes(sendings, sending.bearable(runs.read_info(folder)[0]["seconds"])):
            if said := one.complaint(folder):
                Console(stderr=True).print(f"bench: {said}", markup=False, highlight=False, soft_wrap=True)
    return table


def plan(name: str | Path, *, results_folder: str | Path = "results", workers: int | None = None) -> planning.Plan:
    """What :func:`run` would do."""
    return planning.plan(loading.load(name), Path(results_folder), workers)
