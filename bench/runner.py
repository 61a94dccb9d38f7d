"""Cell to result: isolate, skip what is finished, record every end.

Every task runs in a fresh process, forked from a server that has imported torch once, in three stages: what cells
share is prepared; missing cells train, several at a time; then each trained cell is measured (latency, memory) with
the machine to itself. This process imports no torch.
"""

import datetime
import os
import signal
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pebble import ProcessExpired

from bench import environment, plugins, pool, results, worker
from bench.cell import Cell
from bench.errors import BenchError, ResultsError
from bench.pool import Progress, Task, said
from bench.suite import Suite, definition

_PREPARING_LIMIT = 24 * 3600.0  # seconds


class Interrupted(BenchError):
    """The run was stopped; what is finished is kept."""


def start(suite: Suite, results_folder: Path, *, new: bool = False) -> Path:
    """The folder of the run to go on with, or of a new one; it exists and is writable afterwards."""
    folder = results_folder / suite.name
    run = None if new else results.latest(folder)
    if run is None:
        stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
        names = (stamp if not count else f"{stamp}-{count}" for count in range(1000))
        run = next(folder / name for name in names if not (folder / name).exists())
    with results.clear_disk_errors(run):
        (run / "cells").mkdir(parents=True, exist_ok=True)
    return run


def run(
    suite: Suite,
    run_folder: Path,
    progress: Progress,
    *,
    workers: int | None = None,
    retry: bool = False,
) -> dict[str, int]:
    """Train and measure every cell of ``suite`` that has no result in ``run_folder``; the tidy tables are written.

    Args:
        suite: what to compare.
        run_folder: from :func:`start`.
        progress: is told what happens.
        workers: cells that train at a time; by default one on a GPU, and on a CPU as many as there are cores for.
        retry: whether cells that failed, diverged, or ran out of time or memory are trained again.

    Returns:
        how many cells were trained now, and how many there were already: ``{"trained": …, "kept": …}``.

    Raises:
        BenchError: before anything trains, where a dataset, model or folder will not do; and when interrupted.
    """
    try:
        lock = FileLock(run_folder / ".lock")
        with results.clear_disk_errors(run_folder), lock.acquire(timeout=0):
            return _Run(suite, run_folder, progress, workers, retry).run()
    except Timeout:
        raise ResultsError(
            f"{run_folder}: another process works on this run; wait for it, or start one with --new"
        ) from None
    finally:
        (run_folder / ".lock").unlink(missing_ok=True)


class _Run:
    def __init__(self, suite: Suite, folder: Path, progress: Progress, workers: int | None, retry: bool) -> None:
        self.suite, self.folder, self.progress, self.workers, self.retry = suite, folder, progress, workers, retry
        self.cells = list({cell.id: cell for cell in suite.cells}.values())
        self.started = datetime.datetime.now().astimezone()
        self.device: dict[str, Any] = {}
        self.fingerprints: dict[str, str] = {}

    def run(self) -> dict[str, int]:
        kept = {cell.id: record for cell in self.cells if (record := self._finished(cell))}
        missing = [cell for cell in self.cells if cell.id not in kept]
        to_measure = self._to_measure() if not missing else []
        work = bool(missing or to_measure)
        if work or not (self.folder / "run.json").exists():
            self._write_run()
        if any(not cell.reason for cell in missing) or to_measure:
            with worker.blank_main(), pool.stoppable():
                self._work(missing, to_measure, len(kept))
        for cell in missing:
            if cell.reason:
                self._write_end(cell, "not_applicable", cell.reason)
        results.write_tables(self.folder)
        if work or not results.read_json(self.folder / "run.json")["finished"]:
            self._write_run(finished=True)
        return {"trained": len(missing), "kept": len(kept)}

    def _work(self, missing: list[Cell], to_measure: list[Cell], kept: int) -> None:
        try:
            self._prepare(missing + to_measure)
            self._write_run()
            self._train(missing, kept)
            self._measure(self._to_measure())
        except KeyboardInterrupt:
            results.write_tables(self.folder)
            done = sum(results.record_path(self.folder, cell.id).exists() for cell in self.cells)
            message = f"stopped; {done} of {len(self.cells)} cells are finished and kept in {self.folder}"
            raise Interrupted(f"{message}; go on with: bench run {self.suite.path}") from None

    # The stages ---------------------------------------------------------------------------------------------------

    def _prepare(self, cells: list[Cell]) -> None:
        """Datasets, base models and feature spaces; anything wrong with them ends the run before a cell trains."""
        threads = max((cell.budget.threads for cell in cells), default=1)
        specs = {cell.target.model_dump_json(): cell.target for cell in cells}
        specs |= {c.model.recipe.source.model_dump_json(): c.model.recipe.source for c in cells if c.model.recipe}
        models = {cell.model.model_dump_json(): (cell.model_name, cell.model) for cell in cells}
        spaces = {str(space): space for cell in cells for space in _spaces(cell)}
        found: dict[str, tuple[int, str]] = {}

        def ready(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, BenchError):
                raise outcome
            if isinstance(outcome, BaseException):
                raise ResultsError(
                    f"{task.name}: could not be made ({said(outcome)}); nothing was trained"
                ) from outcome
            if task.function == "prepare_dataset":
                found[task.arguments[0].model_dump_json()] = outcome
            elif task.function == "describe_device":
                self.device = outcome
            return "ok", "", 0.0

        def task(name: str, function: str, *arguments: Any) -> Task:
            return Task(name, function, arguments, _PREPARING_LIMIT, ready)

        cores = max(1, (os.cpu_count() or 1) // threads)
        first = [Task("device", "describe_device", (), _PREPARING_LIMIT, ready)]
        first += [task(f"dataset {spec.name}", "prepare_dataset", spec) for spec in specs.values()]
        self._stage("datasets", first, workers=cores)
        for cell in cells:
            size, self.fingerprints[cell.target.name] = found[cell.target.model_dump_json()]
            if cell.data_size > size:
                problem = f"{cell.data_size} examples asked, {cell.target.name} has {size} to train on"
                raise self.suite.error("data_sizes", problem, f"ask for {size} or fewer")
        second = [task(f"feature space {n}", "prepare_features", n, options, threads) for n, options in spaces.values()]
        second += [task(f"model {name}", "prepare_model", spec, threads) for name, spec in models.values()]
        self._stage("base models", second, workers=cores)

    def _train(self, cells: list[Cell], kept: int) -> None:
        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, BenchError):  # the results folder fails, not the cell
                raise outcome
            cell = by_name[task.name]
            if isinstance(outcome, BaseException):
                self._write_end(cell, *_status(outcome, cell))
            happened = self._record(cell)["happened"]
            return happened["status"], happened["reason"], happened["seconds"]

        applicable = [cell for cell in cells if not cell.reason]
        by_name = {cell.id: cell for cell in applicable}
        tasks = [Task(cell.id, "train", (cell, self.folder), cell.budget.time_limit, ended) for cell in applicable]
        cores = max(1, (os.cpu_count() or 1) // max((cell.budget.threads for cell in applicable), default=1))
        workers = self.workers or (1 if self.device["device"] == "cuda" else cores)
        self._stage("cells", tasks, workers=workers, done=kept)

    def _measure(self, cells: list[Cell]) -> None:
        """One at a time: latency is never taken while other cells train."""

        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, BenchError):
                raise outcome
            record = self._record(by_name[task.name])
            if isinstance(outcome, BaseException):  # what was scored before stays
                status, reason = _status(outcome, by_name[task.name])
                record["happened"] |= {"measured": True, "skipped": {"exclusive": f"{status}: {reason}"}}
                results.write_json(results.record_path(self.folder, task.name), record)
                return status, reason, 0.0
            return record["happened"]["status"], record["happened"]["reason"], 0.0

        by_name = {cell.id: cell for cell in cells}
        tasks = [Task(cell.id, "measure", (cell, self.folder), cell.budget.time_limit, ended) for cell in cells]
        self._stage("measurements", tasks, workers=1)
        for cell in self.cells:
            results.checkpoint_path(self.folder, cell.id).unlink(missing_ok=True)

    def _to_measure(self) -> list[Cell]:
        """Trained cells whose latency and memory are wanted and not there yet."""
        wanted: list[Cell] = []
        seen: set[tuple[str, str, str]] = set()
        for cell in self.cells:
            happened = self._record(cell)["happened"]
            kind = (cell.model_name, cell.target.name, cell.approach)
            if happened.get("status") != "ok" or (cell.evaluation.measure == "once" and kind in seen):
                continue
            seen.add(kind)
            if not happened.get("measured", True):
                wanted.append(cell)
        return wanted

    def _stage(self, name: str, tasks: list[Task], workers: int, done: int = 0) -> None:
        if tasks:
            self.progress.stage(name, len(tasks) + done, done)
            pool.run(tasks, workers, worker.preloaded(self.cells), self.progress)

    # Records ------------------------------------------------------------------------------------------------------

    def _finished(self, cell: Cell) -> dict[str, Any] | None:
        """The cell's record where it counts as finished, under the name the suite has for it today."""
        path = results.record_path(self.folder, cell.id)
        if not path.exists():
            return None
        record: dict[str, Any] = results.read_json(path)
        if self.retry and record["happened"]["status"] not in ("ok", "not_applicable"):
            return None
        asked = cell.asked(self.folder.name)
        if record["asked"] != asked:
            results.write_json(path, record | {"asked": asked})
        return record

    def _record(self, cell: Cell) -> dict[str, Any]:
        path = results.record_path(self.folder, cell.id)
        return results.read_json(path) if path.exists() else {"happened": {}}

    def _write_end(self, cell: Cell, status: str, reason: str) -> None:
        record = {
            "cell": cell.id,
            "asked": cell.asked(self.folder.name),
            "happened": {"status": status, "reason": reason, "seconds": 0.0, "scores": [], "trials": [], "chosen": {}},
            "environment": environment.describe() | self.device,
        }
        results.write_json(results.record_path(self.folder, cell.id), record)

    def _write_run(self, *, finished: bool = False) -> None:
        now = datetime.datetime.now().astimezone()
        path = self.folder / "run.json"
        before = results.read_json(path) if path.exists() else {}
        environment_before = before.get("environment", {})
        fingerprints = environment_before.get("datasets", {}) | self.fingerprints
        record = {
            "suite": self.suite.name,
            "run": self.folder.name,
            "description": self.suite.file.description,
            "definition": definition(self.suite),
            "source": self.suite.path.read_text(encoding="utf-8"),
            "cells": [cell.id for cell in self.cells],
            "primary": self.suite.primary(),
            "environment": environment_before | environment.describe() | self.device | {"datasets": fingerprints},
            "started": before.get("started", self.started.isoformat()),
            "finished": now.isoformat() if finished else None,
            "seconds": before.get("seconds", 0.0) + ((now - self.started).total_seconds() if finished else 0.0),
            "workers": self.workers or before.get("workers"),
            "cell_seconds": {
                cell.id: seconds
                for cell in self.cells
                if finished and (seconds := self._record(cell)["happened"].get("seconds"))
            },
        }
        results.write_json(path, record)


def _spaces(cell: Cell) -> list[tuple[str, dict[str, Any]]]:
    """The feature spaces a cell is scored in, with their options."""
    found = [options for _, options in cell.metrics if "space" in options]
    return [
        (options["space"], {"weights": options["weights"]} if options.get("weights") else {})
        for options in found
        if plugins.find("features", options["space"]).constants["MODALITY"] == cell.modality
    ]


def _status(outcome: BaseException, cell: Cell) -> tuple[str, str]:
    """Status and reason of a cell whose process could not say them itself."""
    if isinstance(outcome, TimeoutError):
        return "timed_out", f"took longer than {cell.budget.time_limit:g} s; raise budget.time_limit"
    if isinstance(outcome, ProcessExpired) and outcome.exitcode == -signal.SIGKILL:
        return "failed", "killed (SIGKILL): by hand, or by a system that ran out of memory"
    if isinstance(outcome, ProcessExpired):
        code = outcome.exitcode
        return "failed", f"its process ended with {signal.Signals(-code).name if code < 0 else f'exit code {code}'}"
    return "failed", said(outcome)
