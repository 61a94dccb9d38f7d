"""What a run has and what it lacks: the records of a suite's cells in one folder, and the folder's own files.

Imports no torch.
"""

import datetime
import re
from contextlib import suppress
from pathlib import Path
from typing import Any

from bench.errors import ResultsError
from bench.results import files, runs, tidy
from bench.running import environment
from bench.suite.cell import Cell
from bench.suite.loading import Suite


class Ledger:
    """The records of one suite in one run's folder.

    Args:
        suite: what is compared.
        folder: the run's folder.
        retry: whether cells that did not end well count as missing.

    Attributes:
        cells: the suite's cells, each once, in its order.
        workers: how many cells trained at a time; this and the following become part of what is written.
        device: what the workers say they run on.
        fingerprints: of the datasets, by name.
    """

    def __init__(self, suite: Suite, folder: Path, *, retry: bool) -> None:
        self.suite, self.folder, self.retry = suite, folder, retry
        self.cells = list({cell.id: cell for cell in suite.cells}.values())
        self.workers: int | None = None
        self.device: dict[str, Any] = {}
        self.fingerprints: dict[str, str] = {}
        self._started = datetime.datetime.now().astimezone()

    # Cells --------------------------------------------------------------------------------------------------------

    def record(self, cell: Cell) -> dict[str, Any]:
        """The cell's record; one in which nothing has happened where there is none that can be read."""
        return runs.read_record(self.folder, cell.id) or {"happened": {}}

    def missing(self) -> list[Cell]:
        """Cells still to be trained: without a record, to be tried again, or with weights wanted that are gone."""
        ends = {cell.id: self.record(cell)["happened"].get("status") for cell in self.cells}
        good = ("ok", "not_applicable")
        lost = {cell.id for cell in self.to_measure() if self._weights_are_gone(cell)}
        return [
            cell
            for cell in self.cells
            if not ends[cell.id] or cell.id in lost or (self.retry and ends[cell.id] not in good)
        ]

    def to_measure(self) -> list[Cell]:
        """Trained cells whose latency and memory are wanted and not there yet."""
        wanted: list[Cell] = []
        seen: set[tuple[str, str, str]] = set()
        for cell in self.cells:
            happened = self.record(cell)["happened"]
            kind = (cell.model_name, cell.target.name, cell.approach)
            if happened.get("status") != "ok" or (cell.evaluation.measure == "once" and kind in seen):
                continue
            seen.add(kind)
            if not happened.get("measured"):
                wanted.append(cell)
        return wanted

    def scored_on(self, missing: list[Cell]) -> dict[str, str]:
        """Datasets to their fingerprints, of which there are scores that stay when the missing cells are trained."""
        known, anew = self.environment().get("datasets", {}), {cell.id for cell in missing}
        kept = [cell for cell in self.cells if cell.id not in anew and self.record(cell)["happened"].get("scores")]
        return {cell.target.name: known[cell.target.name] for cell in kept if cell.target.name in known}

    def _weights_are_gone(self, cell: Cell) -> bool:
        """Weights are kept until the run is complete; a suite may ask later for what it did not want measured then."""
        stored = self.record(cell)["happened"].get("training", {}).get("checkpoint_bytes", 1)
        return bool(stored) and not runs.checkpoint_path(self.folder, cell.id).exists()

    def write_end(self, cell: Cell, status: str, reason: str) -> None:
        """The record of a cell that could not write its own."""
        happened = {"status": status, "reason": reason, "seconds": 0.0, "scores": [], "trials": [], "chosen": {}}
        record = {"cell": cell.id, "asked": cell.asked(self.folder.name), "happened": happened}
        record["environment"] = environment.describe() | self.device
        files.write_json(runs.record_path(self.folder, cell.id), record)

    def log(self, task: str, function: str) -> Path:
        """What a task writes for a terminal: beside a cell's record, or in ``logs``; an earlier try's is removed."""
        if function in ("train", "measure"):
            log = runs.record_path(self.folder, task).with_suffix("") / "log.txt"
        else:
            log = self.folder / "logs" / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', task)[:100]}.txt"
        if function != "measure":
            log.unlink(missing_ok=True)
        return log

    # The run ------------------------------------------------------------------------------------------------------

    def rename(self) -> bool:
        """Give cells the names the suite has for them today; whether there was one to rename."""
        found = False
        for cell in self.cells:
            record, asked = self.record(cell), files.plain(cell.asked(self.folder.name))
            if record["happened"] and record["asked"] != asked:
                files.write_json(runs.record_path(self.folder, cell.id), record | {"asked": asked})
                found = True
        return found

    def is_current(self) -> bool:
        """Whether the run's own files are all there, and are those of the suite as it is today."""
        run, wrong = runs.read_info(self.folder)
        described = self._described()
        if wrong or not run["finished"] or any(run.get(key) != value for key, value in described.items()):
            return False
        with suppress(ResultsError):
            known = set(tidy.read(self.folder)["cell"])
            return known == {cell.id for cell in self.cells} and (self.folder / "results.csv").exists()
        return False

    def environment(self) -> dict[str, Any]:
        """Where the run's numbers come from and from which data: a record speaks where ``run.json`` is damaged."""
        for cell in self.cells:
            if (record := self.record(cell))["happened"]:
                return dict(record["environment"] | runs.read_info(self.folder)[0]["environment"])
        return {}

    def write_run(self, *, finished: bool = False) -> None:
        """Write ``run.json``; a run that was stopped and goes on keeps its start and the time it took before."""
        now = datetime.datetime.now().astimezone()
        before, _ = runs.read_info(self.folder)
        found = before["environment"] | environment.describe() | self.device
        found["datasets"] = found.get("datasets", {}) | self.fingerprints
        run = self._described() | {
            "environment": found,
            "started": before["started"] or self._started.isoformat(),
            "finished": now.isoformat() if finished else None,
            "seconds": before["seconds"] + ((now - self._started).total_seconds() if finished else 0.0),
            "workers": self.workers or before["workers"],
            "cell_seconds": {
                cell.id: seconds
                for cell in self.cells
                if finished and (seconds := self.record(cell)["happened"].get("seconds"))
            },
        }
        files.write_json(self.folder / "run.json", run)

    def _described(self) -> dict[str, Any]:
        """What is asked of the run, as JSON has it."""
        described: dict[str, Any] = files.plain(
            {
                "suite": self.suite.name,
                "run": self.folder.name,
                "description": self.suite.file.description,
                "definition": self.suite.file.model_dump(),
                "source": self.suite.path.read_text(encoding="utf-8"),
                "cells": [cell.id for cell in self.cells],
                "primary": self.suite.primary(),
            }
        )
        return described
