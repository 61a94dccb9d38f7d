"""What a run writes of how far it is, for who looks from elsewhere (:mod:`bench.running.status`): ``progress.json``.

Written about once a second while it works, it costs the run next to nothing. It belongs to who holds the run's lock, is
taken away when the run is complete, and stays where that is stopped or killed. Imports no torch.
"""

import os
import platform
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import ResultsError
from bench.results import fields, files
from bench.results.statuses import ENDED_WELL
from bench.words import cut

if TYPE_CHECKING:
    from bench.running.ledger import Ledger
    from bench.running.pool import Progress
    from bench.suite.cell import Cell

NAME = "progress.json"
PAUSE = 1.0  # seconds between two writings
_FAILURES = 5  # that are kept, the last ones
_LONGEST = 300  # characters of a reason
_ENOUGH = 0.05  # of a cell's steps, to tell from them how long it takes
_STAGES = {"cells": "train", "measurements": "measure", "table": "finish"}  # all others prepare

_Kind = tuple[str, str, str, int]
Failure = tuple[str, str, str]


def failures(ends: Iterable[Failure]) -> list[Failure]:
    """Of (cell, status, reason) the last few that did not end well."""
    bad = [(cell, status, cut(reason, _LONGEST)) for cell, status, reason in ends if status not in ENDED_WELL]
    return bad[-_FAILURES:]


class Written(NamedTuple):
    """``progress.json``.

    Attributes:
        pid, host: of the process that works, or did.
        command, where: to go on with the run, and the folder in which it was typed.
        began, updated: seconds since the epoch.
        cells: how many the run has.
        stage: ``prepare``, ``train``, ``measure`` or ``finish``.
        of: what the bar of the stage is called.
        done, total: tasks of the stage.
        ended: status to the number of cells.
        left: cells without an end.
        at_work: task to steps done and to do.
        seconds_left: of the stage; None where nothing can be said yet.
        unknown: cells of which nothing can be said yet.
        failures: (cell, status, reason) of the last few.
    """

    pid: int = 0
    host: str = ""
    command: str = ""
    where: str = ""
    began: float = 0.0
    updated: float = 0.0
    cells: int = 0
    stage: str = ""
    of: str = ""
    done: int = 0
    total: int = 0
    ended: Mapping[str, int] = {}
    left: int = 0
    at_work: Mapping[str, tuple[float, float]] = {}
    seconds_left: float | None = None
    unknown: int = 0
    failures: Sequence[Failure] = ()


class Tracked:
    """Shows what ``shown`` shows of a run, and writes down how far it is.

    Args:
        shown: is told everything, too.
        ledger: of the run, whose ``run.json`` is there.
        again: cells that have an end and are to be trained all the same.
        command: to type to go on with the run.
    """

    def __init__(self, shown: "Progress", ledger: "Ledger", again: Collection[str], command: str) -> None:
        self.shown, self.ledger, self.again = shown, ledger, again
        self._path = ledger.folder / NAME
        self._cells = {cell.id: cell for cell in ledger.cells}
        where, cells = str(Path.cwd()), len(ledger.cells)
        self._fixed = Written(os.getpid(), platform.node(), command, where, began=time.time(), cells=cells)
        self._name, self._total, self._done, self._before, self._stage_began = "", 0, 0, 0, time.monotonic()
        self._written, self._begun = 0.0, dict[str, float]()
        self.count()

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.shown.stage(name, total, done)
        self._name, self._total, self._done, self._before, self._stage_began = name, total, done, done, time.monotonic()
        self.count()

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        self.shown.steps(running)
        if time.monotonic() - self._written >= PAUSE:
            self._write(running)

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        self.shown.finished(name, status, reason, seconds)
        self._done += 1
        if self._stage == "train":
            self._left[_kind(self._cells[name])] -= 1
            self._end(self._cells[name], status, reason, seconds)

    def count(self) -> None:
        """Look at the ends of all cells, some of which are no task's, and write them down."""
        self._ended, self._left = Counter[str](), Counter[_Kind]()
        self._failures = list[Failure]()
        self._took: dict[Any, tuple[int, float]] = {}
        for cell in self.ledger.cells:
            end = self.ledger.end(cell)
            if end.status and cell.id not in self.again:
                self._end(cell, end.status, end.reason, end.seconds)
            else:
                self._left[_kind(cell)] += 1
        self._write({})

    def close(self) -> None:
        """All cells have ended; what is left is their table."""
        self._name, self._done, self._total = "table", 0, 0
        self.count()

    def remove(self) -> None:
        """The run is complete."""
        self._path.unlink(missing_ok=True)

    @property
    def _stage(self) -> str:
        return _STAGES.get(self._name, "prepare")

    def _end(self, cell: "Cell", status: str, reason: str, seconds: float) -> None:
        self._ended[status] += 1
        self._failures = failures([*self._failures, (cell.id, status, reason)])
        if status == "ok":  # others may have ended early
            for alike in (kind := _kind(cell), _wider(kind)):
                count, total = self._took.get(alike, (0, 0.0))
                self._took[alike] = count + 1, total + seconds

    def _write(self, running: dict[str, tuple[float, float]]) -> None:
        self._written = time.monotonic()
        self._begun = {name: self._begun.get(name, self._written) for name in running}
        seconds, unknown = self._seconds_left(running)
        now = self._fixed._replace(
            updated=time.time(), stage=self._stage, of=self._name, done=self._done, total=self._total,
            ended=dict(self._ended), left=self._left.total(), at_work=running, seconds_left=seconds, unknown=unknown,
            failures=self._failures,
        )  # fmt: skip
        with suppress(OSError, ResultsError):  # a disk that is full is told where a result is written
            files.write_json(self._path, now._asdict())

    def _seconds_left(self, running: dict[str, tuple[float, float]]) -> tuple[float | None, int]:
        """Seconds of the stage that are left, and the number of cells of which nothing can be said.

        Of cells from what ended ones like them took, or else those of the same model that train as they do, or do not;
        before one of these has ended from how far those at work have come. Of measurements from what those before took.
        """
        if self._stage == "measure":
            now = self._done - self._before
            per = (time.monotonic() - self._stage_began) / now if now else None
            return (None if per is None else per * (self._total - self._done)), 0
        if self._stage != "train":
            return None, self._left.total()
        left = {kind: count for kind, count in self._left.items() if count > 0}
        going = self._going(running)
        each = {kind: self._typical(kind) or going.get(_wider(kind)) for kind in left}
        total = sum(count * (each[kind] or 0.0) for kind, count in left.items())
        for name, (done, whole) in running.items():
            if whole and name in self._cells:
                total -= (each.get(_kind(self._cells[name])) or 0.0) * min(1.0, done / whole)
        unknown = sum(count for kind, count in left.items() if each[kind] is None)
        if unknown == sum(left.values()):
            return (None if left else 0.0), unknown
        return total / max(1, min(self.ledger.workers or 1, sum(left.values()))), unknown

    def _going(self, running: dict[str, tuple[float, float]]) -> dict[Any, float]:
        """Seconds that cells at work will have taken, each kind's slowest, where enough of them is done to tell."""
        found: dict[Any, float] = {}
        for name, (done, whole) in running.items():
            if name in self._cells and whole and done / whole >= _ENOUGH:
                wider, took = _wider(_kind(self._cells[name])), self._written - self._begun[name]
                found[wider] = max(found.get(wider, 0.0), took * whole / done)
        return found

    def _typical(self, kind: _Kind) -> float | None:
        count, total = self._took.get(kind) or self._took.get(_wider(kind)) or (0, 0.0)
        return total / count if count else None


def _kind(cell: "Cell") -> _Kind:
    return cell.model_name, cell.target.name, cell.approach, cell.data_size


def _wider(kind: _Kind) -> tuple[str, bool]:
    """What trains takes longer than what does not."""
    return kind[0], kind[3] > 0


def read(run: Path) -> Written | None:
    """What the file says; None where there is none that can be read."""
    with suppress(files.Damaged, FileNotFoundError):
        return fields.of(Written, files.parsed(run / NAME))
    return None
