"""Show how a run stands, while it works or afterwards: what ended and how, what is left, how long it takes.

It reads the run's files alone, from any terminal, and disturbs nobody. The exit code is 0 where the run is under way or
finished and nothing went wrong; 1 where somebody should look: a cell ended badly, the run was stopped half way, or a
file of it is damaged.
"""

import argparse
import json
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands import _arguments, _saying
from bench.report.wording import duration
from bench.results.statuses import ENDED_WELL
from bench.words import counted, more

if TYPE_CHECKING:
    from bench.running.status import Status
    from bench.running.tracking import Written

_AT_WORK = 8  # tasks that are named
_STAGES = {"prepare": "preparing", "train": "training", "measure": "measuring", "finish": "writing the table"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where its report may be."""
    _arguments.add_run(parser)
    _arguments.add_folder(parser, "reports")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where somebody should look."""
    from bench.running import status

    found = status.look(_arguments.run_folder(chosen))
    here = found.folder.resolve()
    page = chosen.reports / here.parent.name / here.name / "index.html"
    if chosen.json:
        print(json.dumps(found.as_json() | {"report": str(page) if page.exists() else None}))
    else:
        print(*map(_saying.printable, _lines(found, page)), sep="\n")
    return int(not found.is_well)


def _lines(found: "Status", page: Path) -> Iterator[str]:
    yield f"{found.folder}: {_state(found)}"
    if found.cells:
        yield f"cells     {_cells(found)}"
    if (now := found.written) and found.state == "running":
        yield from _at_work(now)
    if now and (found.left or found.state == "running"):
        yield f"time      {_time(found, now)}"
    for cell, status, reason in found.failures:
        yield f"{status:9} {cell}: {reason}"
    if missing := sum(n for status, n in found.ended.items() if status not in {*ENDED_WELL, ""}) - len(found.failures):
        rest = "more" if found.failures else "cells"
        yield f"          and {missing} {rest} that did not end well; the report has their reasons"
    yield from (f"damaged   {fault}" for fault in found.faults)
    if found.state == "stopped":
        yield f"go on     {found.command}"
    if page.exists():
        yield f"report    {page}"
    elif found.ended and found.state != "running":
        yield f"report    none yet; bench report {shlex.quote(str(found.folder))}"


def _state(found: "Status") -> str:
    now, took = found.written, "" if found.seconds is None else duration(found.seconds)
    if found.state == "running" and now:
        quiet = f"; it has written nothing for {duration(found.silent)}" if found.silent else ""
        return f"running for {took} (process {now.pid} on {now.host}){quiet}"
    if found.state == "running":
        return "a process is at work on it"
    if found.state == "finished":
        return f"imported from {found.imported}" if found.imported else f"finished; it took {took}"
    if found.state == "damaged":
        return "its own file is damaged, so nobody knows whether it is complete"
    return "stopped half way; nothing works on it" + (f" (the last time it ran for {took})" if took else "")


def _cells(found: "Status") -> str:
    named = sorted(((n, status) for status, n in found.ended.items() if status and n), reverse=True)
    how = f": {', '.join(f'{n} {status}' for n, status in named)}" if named else ""
    left = f"; {found.left} left" if found.left else ""
    return f"{sum(found.ended.values())} of {found.cells} ended{how}{left}"


def _at_work(now: "Written") -> Iterator[str]:
    of = f" {now.of}, {now.done} of {now.total} done" if now.of and now.total else ""
    yield f"stage     {_STAGES.get(now.stage, now.stage)}{':' if of else ''}{of}"
    for name, (steps, whole) in list(now.at_work.items())[:_AT_WORK]:
        yield f"          {name}" + (f": {steps:.0f} of {counted(round(whole), 'step')}" if whole else "")
    if (left := len(now.at_work) - _AT_WORK) > 0:
        yield f"          {_saying.plain(more(left))}"


def _time(found: "Status", now: "Written") -> str:
    """What is left, no surer than anybody can be."""
    if now.stage == "finish":
        return "a moment"
    if now.stage == "prepare":
        return "left not known before cells train"
    if now.seconds_left is None:
        return f"left not known yet: no {'measurement' if now.stage == 'measure' else 'cell like these'} has ended"
    about = f"about {duration(now.seconds_left)} left"
    if now.stage == "measure":
        return f"{about}, from what those before took"
    if now.unknown:
        return f"more than {about}: of {counted(now.unknown, 'cell')} nothing can be said yet"
    return f"{about}, from what cells of the same model took so far; then the measurements"
