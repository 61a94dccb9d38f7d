"""What a run has and what it lacks: the records of a suite's cells in one folder, and the folder's own files.

Imports no torch.
"""

import datetime
import re
import time
from collections import Counter
from contextlib import suppress
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from bench.results import files, packed, runs, weights
from bench.results.statuses import ENDED_WELL
from bench.running import environment
from bench.running.tracking import failures
from bench.suite.cell import Cell
from bench.suite.loading import Suite


class End(NamedTuple):
    """What became of a cell, as far as a run must know it to go on.

    Attributes:
        status: of its record; empty where there is none that can be read.
        measured: whether its latency and memory were, where they were wanted.
        scored: whether it has scores.
        has_weights: whether there are weights to be measured.
        named: whether the record has the names that the suite has for the cell today.
        seconds: it took.
        reason: why it did not end well.
        validation_loss: of the weights it ended with; None where it trained nothing.
    """

    status: str = ""
    measured: bool = False
    scored: bool = False
    has_weights: bool = True
    named: bool = True
    seconds: float = 0.0
    reason: str = ""
    validation_loss: float | None = None


_NO_END = End()


class Ledger:
    """The records of one suite in one run's folder.

    Args:
        suite: what is compared.
        folder: the run's folder.
        retry: whether cells that did not end well count as missing.
        keep: which weights are to stay, where this run was told so and not only its suite.

    Attributes:
        cells: the suite's cells, each once, in its order.
        workers: how many cells trained at a time; this and the following become part of what is written.
        device: what the workers say they run on.
        fingerprints: of the datasets, by name.
        weights: file of trained weights to its checksum, as far as it is known.
    """

    def __init__(self, suite: Suite, folder: Path, *, retry: bool, keep: str | None = None) -> None:
        self.suite, self.folder, self.retry = suite, folder, retry
        self.cells = list({cell.id: cell for cell in suite.cells}.values())
        self.workers: int | None = None
        self.device: dict[str, Any] = {}
        self.fingerprints: dict[str, str] = {}
        before, _ = runs.read_info(folder)
        self.weights: dict[str, str] = before["weights"]
        told = before.get("keep")  # a run that was told keeps to it when it goes on
        self.told = keep or (told if told in ("best", "all", "none") else None)
        self.keep: str = self.told or suite.file.keep
        self._started = datetime.datetime.now().astimezone()
        self._began = time.monotonic()  # a clock may be set back meanwhile
        self._ended: str | None = None

    # Cells --------------------------------------------------------------------------------------------------------

    def record(self, cell: Cell) -> dict[str, Any]:
        """The cell's record, as it lies in the folder now; one in which nothing has happened where none can be read."""
        return runs.read_record(self.folder, cell.id) or {"happened": {}}

    def end(self, cell: Cell) -> End:
        """What the ledger has to know of the cell's record: read once, and again after :meth:`look_again`."""
        return self._ends.get(cell.id, _NO_END)

    def look_again(self, cell: Cell) -> dict[str, Any]:
        """The cell's record, which has changed."""
        record = self.record(cell)
        self._ends[cell.id] = self._end(cell, record if record["happened"] else None)
        return record

    def forget(self) -> None:
        """Any record may have changed."""
        self.__dict__.pop("_ends", None)

    @cached_property
    def _ends(self) -> dict[str, End]:
        stored = runs.Cells(self.folder)
        return {cell.id: self._end(cell, stored.readable(cell.id)) for cell in self.cells}

    def _end(self, cell: Cell, record: dict[str, Any] | None) -> End:
        if record is None:
            return _NO_END
        happened = record["happened"]
        return End(
            status=happened["status"],
            measured=happened.get("measured", False),
            scored=bool(happened["scores"]),
            has_weights=bool(happened.get("training", {}).get("checkpoint_bytes", 1)),
            named=record["asked"] == files.plain(cell.asked(self.folder.name)),
            seconds=happened.get("seconds", 0.0),
            reason="" if happened["status"] in ENDED_WELL else happened["reason"],
            validation_loss=_validation_loss(happened),
        )

    def missing(self) -> list[Cell]:
        """Cells still to be trained: without a record, to be tried again, or with weights wanted that are gone."""
        lost = {cell.id for cell in self.to_measure() if self._weights_are_gone(cell)}
        return [
            cell
            for cell in self.cells
            if not (status := self.end(cell).status) or cell.id in lost or (self.retry and status not in ENDED_WELL)
        ]

    def to_measure(self) -> list[Cell]:
        """Trained cells whose latency and memory are wanted and not there yet."""
        wanted: list[Cell] = []
        seen: set[tuple[str, str, str]] = set()
        for cell in self.cells:
            kind = (cell.model_name, cell.target.name, cell.approach)
            if self.end(cell).status != "ok" or (cell.evaluation.measure == "once" and kind in seen):
                continue
            seen.add(kind)
            if not self.end(cell).measured:
                wanted.append(cell)
        return wanted

    def scored_on(self, missing: list[Cell]) -> dict[str, str]:
        """Datasets to their fingerprints, of which there are scores that stay when the missing cells are trained."""
        known, anew = self.environment().get("datasets", {}), {cell.id for cell in missing}
        kept = [cell for cell in self.cells if cell.id not in anew and self.end(cell).scored]
        return {cell.target.name: known[cell.target.name] for cell in kept if cell.target.name in known}

    def _weights_are_gone(self, cell: Cell) -> bool:
        """Weights are kept until the run is complete; a suite may ask later for what it did not want measured then."""
        return self.end(cell).has_weights and not weights.path(self.folder, cell.id).exists()

    def write_end(self, cell: Cell, status: str, reason: str) -> None:
        """The record of a cell that could not write its own."""
        happened = {"status": status, "reason": reason, "seconds": 0.0, "scores": [], "trials": [], "chosen": {}}
        record = {"cell": cell.id, "asked": cell.asked(self.folder.name), "happened": happened}
        record["environment"] = environment.describe() | self.device
        self.write(cell, record)

    def write(self, cell: Cell, record: dict[str, Any]) -> None:
        """Put another record in the place of the cell's."""
        record = files.plain(record)
        files.write_json(runs.record_path(self.folder, cell.id), record)
        self._ends[cell.id] = self._end(cell, record)

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

    def rename(self) -> None:
        """Give cells the names the suite has for them today."""
        for cell in self.cells:
            if not self.end(cell).named:
                self.write(cell, self.record(cell) | {"asked": files.plain(cell.asked(self.folder.name))})

    def is_settled(self) -> bool:
        """Whether nothing is to do, as ``run.json`` tells it: no record need be read to know that."""
        run, wrong = runs.read_info(self.folder)
        described = self._described()
        if wrong or not run["finished"] or any(run.get(key) != value for key, value in described.items()):
            return False
        if self.retry and set(run["ends"]) - set(ENDED_WELL):
            return False
        if run.get("keep") != self.told or not self.weights.keys() <= set(weights.there(self.folder)):
            return False
        with suppress(OSError, files.Damaged):
            whole = not files.is_broken(files.parsed(self.folder / "run.json"))
            return whole and bool(run["packed"]) and run["packed"] == packed.checksums(self.folder)
        return False

    def environment(self) -> dict[str, Any]:
        """Where the run's numbers come from and from which data: a record speaks where ``run.json`` is damaged."""
        for cell in self.cells:
            if self.end(cell).status:
                return dict(self.record(cell)["environment"] | runs.read_info(self.folder)[0]["environment"])
        return {}

    def write_run(self, *, finished: bool = False, worked: bool = True) -> None:
        """Write ``run.json``; a run that was stopped and goes on keeps its start and the time it took before.

        Args:
            finished: whether all is done; the run is packed then.
            worked: whether anything had to be trained or measured; else a run that was finished keeps its end.
        """
        now = datetime.datetime.now().astimezone()
        before, _ = runs.read_info(self.folder)
        if not worked:
            self._ended = before["finished"]
        ended = self._ended if finished else None
        found = before["environment"]
        if not (self._ended and found):  # else its numbers come from where they did
            found = found | environment.describe() | self.device
        found["datasets"] = found.get("datasets", {}) | self.fingerprints
        ends = [(cell, self.end(cell)) for cell in self.cells if finished]
        run = self._described() | {
            "environment": found,
            "started": before["started"] or self._started.isoformat(),
            "finished": ended or (now.isoformat() if finished else None),
            "seconds": before["seconds"] + (time.monotonic() - self._began if finished and not ended else 0.0),
            "workers": self.workers or before["workers"],
            "cell_seconds": {cell.id: end.seconds for cell, end in ends if end.seconds},
            "ends": dict(Counter(end.status for _, end in ends)),
            "failures": failures((cell.id, end.status, end.reason) for cell, end in ends),
            "packed": packed.checksums(self.folder) if finished else {},
            "weights": self.weights,
        }
        run |= {"keep": self.told} if self.told else {}
        files.write_json(self.folder / "run.json", files.sealed(run))

    def _described(self) -> dict[str, Any]:
        """What is asked of the run, as JSON has it."""
        about = self.suite.about()
        about["definition"] = _as_earlier(about["definition"])
        described: dict[str, Any] = files.plain(
            about | {"run": self.folder.name, "cells": [cell.id for cell in self.cells]}
        )
        return described


def _as_earlier(definition: dict[str, Any]) -> dict[str, Any]:
    """Without tolerances that are not there, and what is kept by default: runs from before these are as they were."""
    return {name: value for name, value in definition.items() if (name, value) not in (("tolerances", {}), _KEPT)}


_KEPT = ("keep", "best")


def _validation_loss(happened: dict[str, Any]) -> float | None:
    """Of the trial that was chosen: the lowest."""
    losses = [trial.get("validation_loss") for trial in happened["trials"] if trial.get("status", "ok") == "ok"]
    return min((loss for loss in losses if isinstance(loss, int | float)), default=None)
