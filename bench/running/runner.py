"""Cell to result: isolate, skip what is finished, record every end.

Every task runs in a fresh process, forked from a server that has imported torch once, in three stages: what cells
share is prepared; missing cells train, several at a time; then each trained cell is measured (latency, memory) with
the machine to itself. This process imports no torch.
"""

import datetime
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench import cache
from bench.errors import BenchError, ResultsError
from bench.results import disk, files, packed, runs, tidy
from bench.results.statuses import ENDED_WELL
from bench.running import ends, keeping, pool, worker
from bench.running.holding import alone, remove_empty
from bench.running.ledger import Ledger
from bench.running.pool import Progress, Task
from bench.running.preparation import Preparation
from bench.running.status import way_on
from bench.running.tracking import Tracked
from bench.suite.cell import Cell
from bench.suite.declaration import NAME
from bench.suite.loading import Suite
from bench.training import intervals
from bench.words import counted, cut


class Interrupted(BenchError):
    """The run was stopped; what is finished is kept."""


class Failed(Interrupted):
    """The run was stopped by itself, at the first cell that did not end well."""


def start(suite: Suite, results_folder: Path, *, new: bool = False, name: str | None = None) -> Path:
    """The folder of the run to go on with, or of a new one; it exists and is writable afterwards.

    Args:
        suite: what to run.
        results_folder: where its runs lie.
        new: never go on with an earlier one.
        name: of the run; otherwise it is named by the time it begins. A named run is gone on with by its name alone.
    """
    folder = results_folder / suite.name
    if name is not None and not NAME.fullmatch(name):
        raise ResultsError(f"--run {cut(name, 100)!r}: no name for a run; use letters, digits, spaces and _.+,:=()%-")
    run = folder / name if name else None if new else runs.latest(folder)
    if run and runs.is_imported(run):  # nothing was trained in it, and its cells are not the suite's
        if name:
            raise ResultsError(f"{run}: holds imported results; take another name")
        run = None
    if name and new and (folder / name).exists():
        raise ResultsError(f"{folder / name}: is there already; leave out --new to go on with it, or take another name")
    if name and any((folder / name).glob("*")) and not (folder / name / "run.json").exists():
        raise ResultsError(f"{folder / name}: holds something else than a run; take another name")
    return made(run or unused(folder))


def unused(folder: Path, ending: str = "") -> Path:
    """For a new run in a folder: named by the time it begins, and an ``ending``."""
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
    last = before.name if (before := runs.latest(folder)) else ""
    stamp = max(stamp, last[: len(stamp)])  # the newest run has the last name, also where a clock was set back
    names = (f"{stamp}{ending}{f'-{count}' if count else ''}" for count in range(1000))
    return next(folder / name for name in names if name > last and not (folder / name).exists())


def made(run: Path) -> Path:
    """A run's folder, which exists and is writable afterwards."""
    with disk.clear_errors(run):
        run.mkdir(parents=True, exist_ok=True)
    return run


def run(
    suite: Suite,
    run_folder: Path,
    progress: Progress,
    *,
    workers: int | None = None,
    retry: int = 0,
    fail_fast: bool = False,
    keep: str | None = None,
    way: str = "",
    ready: Callable[[Preparation], object] = lambda preparation: None,
) -> dict[str, int]:
    """Train and measure every cell of ``suite`` that has no result in ``run_folder``, write its table, and pack it.

    Args:
        suite: what to compare.
        run_folder: from :func:`start`.
        progress: is told what happens.
        workers: cells that train at a time; by default one on a GPU, and on a CPU as many as there are cores for.
        retry: how often cells that failed, diverged, or ran out of time or memory are tried, those of an earlier run
            too; 0 leaves them as they are.
        fail_fast: stop at the first cell that does not end well, when it has been tried that often.
        keep: which trained weights stay, ``best``, ``all`` or ``none``; by default what the run was told before, or
            what its suite says. It makes no cell be trained again.
        way: what to type to go on with it; by default that of a suite's run.
        ready: is given what has been prepared, first when datasets have been read and then when all is there; it may
            raise a :class:`BenchError`, and nothing is trained.

    Returns:
        how many cells were trained now, and how many there were already: ``{"trained": …, "kept": …}``.

    Raises:
        BenchError: before anything trains, where the folder will not do, or device or data are others than the run's;
            and when interrupted. Cells whose model, dataset or feature space will not do have failed.
    """
    if keep not in (None, *keeping.CHOICES):
        raise ResultsError(f"keep: {cut(str(keep), 60)!r} will not do; use one of: {', '.join(keeping.CHOICES)}")
    intervals.seconds()  # says so where it is none
    with alone(run_folder):
        there = any(run_folder.glob("[!.]*"))
        files.remove_partial(run_folder)  # what a killed run left
        try:
            counts = _Run(
                suite, run_folder, progress, workers, bool(retry), fail_fast and retry < 2, keep, way, ready
            ).run()
            for tries in range(2, retry + 1):  # where none is left to be tried, this is decided at once
                _Run(suite, run_folder, progress, workers, True, fail_fast and tries == retry, keep, way, ready).run()
            return counts
        except BenchError as error:
            if not there and not isinstance(error, Interrupted) and not runs.Cells(run_folder).names():
                remove_empty(run_folder)
            raise
        finally:
            files.remove_partial(run_folder)  # what a task left that was killed, or ran out of time


class _Run:
    def __init__(
        self,
        suite: Suite,
        folder: Path,
        progress: Progress,
        workers: int | None,
        retry: bool,
        fail_fast: bool,
        keep: str | None,
        way: str,
        ready: Callable[[Preparation], object],
    ) -> None:
        self.folder, self.progress, self.workers, self.ready = folder, progress, workers, ready
        self.fail_fast = fail_fast
        self.suite, self.ledger, self.way = suite, Ledger(suite, folder, retry=retry, keep=keep), way

    def run(self) -> dict[str, int]:
        ledger = self.ledger
        if ledger.is_settled():
            return {"trained": 0, "kept": len(ledger.cells)}
        missing, to_measure = ledger.missing(), ledger.to_measure()
        counts = {"trained": len(missing), "kept": len(ledger.cells) - len(missing)}
        packed.unpack(self.folder)
        ledger.rename()
        ledger.weights = keeping.without(ledger.weights, missing)
        self.keeping = keeping.Keeping(ledger, ledger.keep)
        ledger.write_run(worked=bool(missing or to_measure))
        self.again = {cell.id for cell in missing if ledger.end(cell).status}
        self.way = self.way or way_on(str(self.suite.path), self.folder)  # it is known as the latest by now
        self.progress = self.tracked = Tracked(self.progress, ledger, self.again, self.way)
        if to_measure or not all(cell.reason for cell in missing):
            cache.make()
            with worker.blank_main(), pool.stoppable():
                self._work([cell for cell in missing if not cell.reason], to_measure, missing)
        else:
            self._write_inapplicable(missing)
        self.tracked.close()
        for cell in ledger.cells:
            if self.ledger.end(cell).status in ENDED_WELL:  # of one that was killed --retry goes on
                shutil.rmtree(intervals.folder(self.folder, cell.id), ignore_errors=True)
        ledger.weights = self.keeping.settle()
        tidy.write(self.folder, runs.records(self.folder))
        packed.pack(self.folder)
        ledger.write_run(finished=True)
        self.tracked.remove()
        return counts

    def _write_inapplicable(self, missing: list[Cell]) -> None:
        for cell in missing:
            if cell.reason:
                self.ledger.write_end(cell, "not_applicable", cell.reason)
                self.again.discard(cell.id)

    def _work(self, applicable: list[Cell], to_measure: list[Cell], missing: list[Cell]) -> None:
        try:
            able = self._prepared(applicable, to_measure)
            self._write_inapplicable(missing)  # they count as finished, on the bar and where the run is stopped
            self._train(able)
            self._measure(self.ledger.to_measure())
        except (KeyboardInterrupt, Failed) as end:
            tidy.write(self.folder, runs.records(self.folder))
            self.ledger.forget()  # some have written a record since, and could not say so any more
            self.tracked.count()
            ended = [cell for cell in self.ledger.cells if self.ledger.end(cell).status]
            finished = sum(cell.id not in self.again for cell in ended)
            done = f"{finished} of {counted(len(self.ledger.cells), 'cell')} are finished and kept in {self.folder}"
            way = f"{done}; go on with: {self.way}"
            if isinstance(end, Failed):
                raise Failed(f"stopped, as {end}; {way}") from None
            raise Interrupted(f"stopped; {way}") from None

    def _prepared(self, missing: list[Cell], to_measure: list[Cell]) -> list[Cell]:
        """Make what cells share; the missing ones that can be trained. The others end here, with what they lack."""
        preparation = Preparation([*missing, *to_measure], self._stage)
        preparation.read()
        self.ready(preparation)
        self.ledger.device = preparation.device
        self._refuse_mixing(preparation.fingerprints(), missing)
        self.ledger.fingerprints |= preparation.fingerprints()
        preparation.make()
        self.ready(preparation)
        self.ledger.write_run()
        for cell in {cell.id: cell for cell in (*missing, *to_measure)}.values():
            if fault := preparation.fault(cell):
                self._end_unprepared(cell, fault)
        return [cell for cell in missing if not preparation.fault(cell)]

    def _end_unprepared(self, cell: Cell, fault: str) -> None:
        """What a cell has scored before stays."""
        if self.ledger.end(cell).status == "ok":
            self._not_measured(cell, f"failed: {fault}")
        else:
            self.ledger.write_end(cell, "failed", fault)
            self.again.discard(cell.id)
            self._stop_at(cell, "failed", fault)

    def _stop_at(self, cell: Cell, status: str, reason: str) -> None:
        if self.fail_fast and status not in ENDED_WELL:
            raise Failed(f"{cell.id} ended as {status} ({reason})")

    def _not_measured(self, cell: Cell, why: str) -> dict[str, Any]:
        record = self.ledger.record(cell)
        record["happened"]["skipped"]["measurement"] = why
        record["happened"]["measured"] = True
        self.ledger.write(cell, record)
        return record

    def _refuse_mixing(self, fingerprints: dict[str, str], missing: list[Cell]) -> None:
        """A run's numbers come from one kind of device, and those on one dataset from the same data."""
        before = self.ledger.environment()
        held = self.ledger.scored_on(missing)
        changed = [name for name, now in fingerprints.items() if held.get(name, now) != now]
        if before.get("device", self.ledger.device["device"]) != self.ledger.device["device"]:
            changed.append(f"the device (it was {before['device']})")
        if changed:
            raise ResultsError(f"{self.folder}: {', '.join(changed)} changed since; start another run with --new")

    def _train(self, cells: list[Cell]) -> None:
        by_name = {cell.id: cell for cell in cells}

        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, ResultsError):  # the results folder fails, not the cell
                raise outcome
            cell = by_name[task.name]
            if isinstance(outcome, BaseException):
                self.ledger.write_end(cell, *ends.how_it_ended(outcome, cell.budget.time_limit))
            self.again.discard(cell.id)
            happened = self.ledger.look_again(cell)["happened"]
            self.keeping.ended(cell)
            self._stop_at(cell, happened["status"], happened["reason"])
            return happened["status"], happened["reason"], happened["seconds"]

        tasks = [Task(cell.id, "train", (cell, self.folder), cell.budget.time_limit, ended) for cell in cells]
        cores = max(1, (os.cpu_count() or 1) // max((cell.budget.threads for cell in cells), default=1))
        self.ledger.workers = self.workers or (1 if self.ledger.device["device"] == "cuda" else cores)
        self._stage("cells", tasks, self.ledger.workers, done=len(self.ledger.cells) - len(cells))

    def _measure(self, cells: list[Cell]) -> None:
        """One at a time: latency is never taken while other cells train."""
        by_name = {cell.id: cell for cell in cells}

        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, ResultsError):
                raise outcome
            cell = by_name[task.name]
            if isinstance(outcome, BaseException):  # what was scored before stays
                record = self._not_measured(cell, ": ".join(ends.how_it_ended(outcome, cell.budget.time_limit)))
            else:
                record = self.ledger.look_again(cell)
            self.keeping.ended(cell)
            status, _, reason = record["happened"]["skipped"].get("measurement", "ok: ").partition(": ")
            return status, reason, 0.0

        tasks = [Task(cell.id, "measure", (cell, self.folder), cell.budget.time_limit, ended) for cell in cells]
        self._stage("measurements", tasks, workers=1)

    def _stage(self, name: str, tasks: list[Task], workers: int, done: int = 0) -> None:
        for task in tasks:
            task.log = self.ledger.log(task.name, task.function)
        if tasks:
            self.progress.stage(name, len(tasks) + done, done)
            pool.run(tasks, workers, worker.preloaded(self.ledger.cells), self.progress)
