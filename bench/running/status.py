"""How a run stands, told from its files alone, while it works too: what ended and how, what is left, how long it takes.

Nothing here grows with what the run has scored: of many cells no record is read, and what holds files to their schema
(pydantic, half of the time) is not imported. So what is wrong with them is `bench verify`'s to say. Imports no torch.
"""

import fcntl
import os
import shlex
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from bench.results import fields, files, packed, runs
from bench.results.statuses import ENDED_WELL, STATUSES
from bench.running import tracking
from bench.running.tracking import Failure, Written, failures
from bench.words import counted

LOCK = ".lock"
SILENT = 120.0  # seconds without a word of a run that works: longer than a worker's libraries take to be imported
_FEW = 500  # records that are read in a tenth of a second


@dataclass
class Status:
    """How a run stands.

    Attributes:
        folder: the run's.
        state: ``running`` where a process holds its lock, else ``finished``, ``stopped`` half way, or ``damaged`` where
            its own file does not tell.
        cells: how many it has.
        ended: status to how many cells ended so; of status ``""`` it is not known without reading many records.
        failures: cell, status and reason of a few that did not end well, the last ones.
        written: what a run that works, or has been stopped, wrote of how far it is; None where it did not.
        seconds: since it began, of a finished run what it took; None where nobody knows.
        command: to go on with a run that was stopped.
        imported: the source of one that was imported.
        faults: what is damaged, as far as it was looked at.
    """

    folder: Path
    state: str = "running"
    cells: int = 0
    ended: Mapping[str, int] = field(default_factory=dict)
    failures: Sequence[Failure] = field(default_factory=list)
    written: Written | None = None
    seconds: float | None = None
    command: str = ""
    imported: str = ""
    faults: list[str] = field(default_factory=list)

    @property
    def left(self) -> int:
        """Cells that have no end yet."""
        return max(0, self.cells - sum(self.ended.values()))

    @property
    def is_well(self) -> bool:
        """Whether nobody has to look: it works or is finished, nothing is damaged and no cell ended badly."""
        bad = set(self.ended) - {*ENDED_WELL, ""}
        return self.state in ("running", "finished") and not (bad or self.faults)

    @property
    def silent(self) -> float:
        """Seconds for which a running one has written nothing, where these are many; else 0."""
        quiet = time.time() - self.written.updated if self.written else 0.0
        return quiet if self.state == "running" and quiet > SILENT else 0.0

    def as_json(self) -> dict[str, Any]:
        """For scripts."""
        now = self.written
        failures = [dict(zip(("cell", "status", "reason"), one, strict=True)) for one in self.failures]
        return {
            "run": str(self.folder), "state": self.state, "cells": self.cells, "ended": self.ended, "left": self.left,
            "seconds": self.seconds, "failures": failures, "command": self.command or None,
            "stage": now.stage if now else None, "tasks": (now.done, now.total) if now else None,
            "at_work": now.at_work if now and self.state == "running" else {},
            "seconds_left": now.seconds_left if now else None, "silent": self.silent,
            "pid": now.pid if now and self.state == "running" else None, "host": now.host if now else None,
            "imported": self.imported or None, "faults": self.faults,
        }  # fmt: skip


def look(folder: Path) -> Status:
    """How a run stands; :class:`ResultsError` where there is none."""
    held = is_held(folder)  # first: what is written afterwards is no older
    found = Status(folder, written=tracking.read(folder))
    if held is None:  # a disk without locks
        held = bool(found.written and time.time() - found.written.updated < SILENT)
    if not (folder / "run.json").exists():
        if held:  # it has just begun
            return found
        runs.about(folder)  # says what to name instead
    info = _info(found)
    if held:
        _of_running(found, info)
    elif info.finished:
        _of_finished(found, info)
    else:
        _of_stopped(found, info)
        found.state = "damaged" if found.faults else "stopped"
    return found


class _Info(NamedTuple):
    """Of ``run.json`` what is told here; what is of another type is as if it were not there."""

    cells: Sequence[str] = ()
    finished: str = ""
    seconds: float = 0.0
    ends: Mapping[str, int] = {}
    failures: Sequence[Failure] = ()
    packed: Mapping[str, str] = {}
    imported: Mapping[str, str] = {}
    rerun: Mapping[str, str] = {}


def _info(found: Status) -> _Info:
    try:
        info = fields.of(_Info, files.parsed(found.folder / "run.json"))
        if not info.cells:
            raise files.Damaged("it names no cells")
    except files.Damaged as reason:
        found.faults.append(f"run.json: {reason}; {files.ANEW}")
        info = _Info(cells=runs.Cells(found.folder).names())
    if not info.cells:
        runs.about(found.folder)  # says what to name instead
    found.cells, found.imported = len(info.cells), info.imported.get("source", "")
    return info


def is_held(folder: Path) -> bool | None:
    """Whether a process works on a run; None where nothing tells.

    Looked at for a moment, which :func:`bench.running.holding.alone` waits for.
    """
    return is_locked(folder / LOCK)


def is_locked(lock: Path) -> bool | None:
    """Whether a process holds a lock, whose file may stay without; None where the disk or its rights do not tell."""
    try:
        handle = os.open(lock, os.O_RDONLY | os.O_NONBLOCK)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return None
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return None
    finally:
        os.close(handle)
    return False


def way_on(suite: str, folder: Path) -> str:
    """What to type to go on with a run of a suite, by its name or its file."""
    words = ["bench", "run", suite]
    if runs.latest(folder.parent) != folder:
        words += ["--run", folder.name]
    if (results_folder := folder.parent.parent) != Path("results"):
        words += ["--results", str(results_folder)]
    return shlex.join(words)


def command(info: Mapping[str, Any], folder: Path) -> str:
    """What to type to go on with a run, of its ``run.json``: a suite's, or a rerun (:mod:`bench.running.again`)."""
    rerun = info.get("rerun")
    if isinstance(rerun, dict) and isinstance(told := rerun.get("command"), str):
        return told
    suite = str(info["suite"])
    return way_on(f"{suite}.yaml" if Path(f"{suite}.yaml").exists() else suite, folder)


def _of_running(found: Status, info: _Info) -> None:
    if found.written is None:  # `bench unpack`, say, or one that looks at what is there
        _count(found, info)
        return
    found.cells = found.written.cells
    found.ended, found.failures = found.written.ended, found.written.failures
    found.seconds = max(0.0, time.time() - found.written.began)


def _of_finished(found: Status, info: _Info) -> None:
    found.state, found.written = "finished", None
    found.seconds = None if found.imported else info.seconds
    loose = any((found.folder / "cells").glob("*"))
    gone = [name for name in info.packed if not loose and not (found.folder / name).exists()]
    found.faults += [f"{name}: it is gone; `bench verify {found.folder}` says what that costs" for name in gone]
    ends = dict(info.ends)
    if sum(ends.values()) != found.cells:  # of earlier versions
        _count(found, info)
    elif info.failures or set(ends) <= set(ENDED_WELL):
        found.ended, found.failures = ends, info.failures
    else:
        _count(found, info)  # for the reasons
        found.ended = ends
    if found.left and not gone:
        lost = counted(found.left, "record")
        found.faults.append(f"{lost} cannot be read; `bench verify {found.folder}` says what is wrong")


def _of_stopped(found: Status, info: _Info) -> None:
    _count(found, info)
    if (last := found.written) is None:
        found.command = command({"suite": found.folder.resolve().parent.name, "rerun": info.rerun}, found.folder)
        return
    if "" in found.ended:
        found.ended, found.failures = last.ended, last.failures
    found.seconds = max(0.0, last.updated - last.began)
    elsewhere = last.where != str(Path.cwd())
    found.command = f"cd {shlex.quote(last.where)} && {last.command}" if elsewhere else last.command


def _count(found: Status, info: _Info) -> None:
    """How cells ended, as their records say, where these are few; else how many have one."""
    loose = {path.stem for path in (found.folder / "cells").glob("*.json")}.intersection(info.cells)
    if len(info.cells) > _FEW:
        count = len(loose) or found.cells * (found.folder / packed.RECORDS).exists()
        found.ended = {"": count} if count else {}
        return
    texts = packed.Pack(found.folder).records
    ends = list[Failure]()
    for cell in info.cells:
        with suppress(files.Damaged, KeyError, TypeError):  # `bench verify` says what is wrong
            text = files.content(runs.record_path(found.folder, cell)) if cell in loose else texts[cell]
            happened = files.parsed_text(text)["happened"]
            if happened["status"] in STATUSES:
                ends.append((cell, happened["status"], str(happened["reason"])))
    found.ended = dict(Counter(status for _, status, _ in ends))
    found.failures = failures(ends)
