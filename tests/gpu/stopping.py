"""Ctrl-C: `bench run` in a terminal of its own is stopped in the middle, leaves no process and no memory on the GPU,
says how to go on, and goes on.
"""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.results import runs as kept
from bench.running import runner
from bench.suite import loading
from tests import tiny
from tests.gpu import leftover
from tests.gpu.box import Box

SHARE = 0.1
_AT_WORK = 2  # cells that have ended when it is stopped
_MOMENT = 15.0  # seconds in which processes notice that their run has ended


def measure(box: Box) -> None:
    budget = tiny.SUITE["budget"] | {"steps": 40 if box.small else 200}
    suite = tiny.write(box.scratch, budget=budget)
    before = leftover.free(box)
    command = ["-m", "bench", "run", str(suite), "--workers", "1", "--results", str(box.scratch / "results")]
    with tiny.started(*command, cwd=box.scratch) as process:
        _until(box, lambda: len(_ended(suite)) >= _AT_WORK or process.poll() is not None)
        during, ended = leftover.free(box), time.monotonic()
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=box.left())
        seconds = time.monotonic() - ended
        _until(box, lambda: not tiny.session(process.pid) or time.monotonic() > ended + seconds + _MOMENT)
        left = [left.pid for left in tiny.session(process.pid)]
    box.must("it ends as a stopped command does", process.returncode == 130, f"exit code {process.returncode}")
    told = [line for line in said.splitlines() if line.startswith("bench: stopped; ") and "; go on with: " in line]
    box.must("it says how to go on", len(told) == 1, "" if told else said[-500:])
    box.must("no process is left", not left, left or "none")
    box.say(f"From Ctrl-C to the end it took {seconds:.1f} s (once).")
    if before is not None and during is not None:
        box.say(f"On the GPU it held {(before - during) / 2**20:.0f} MiB when it was stopped.")
    leftover.check(box, before)
    loaded, first = loading.load(suite), _ended(suite)
    box.must("it was in the middle", _AT_WORK <= len(first) < len(loaded.cells), f"{len(first)} of {len(loaded.cells)}")
    folder = tiny.latest(suite)
    counts = runner.run(loaded, folder, tiny.Silent(), workers=box.workers)
    records = kept.records(folder)
    box.must("it goes on, and keeps what was there", counts["kept"] >= len(first), counts)
    statuses = {record["happened"]["status"] for record in records}
    box.must("all cells end well", statuses == {"ok"} and len(records) == len(loaded.cells), sorted(statuses))


def _ended(suite: Path) -> list[str]:
    return [name for path in suite.parent.glob("results/*/*/run.json") for name in kept.Cells(path.parent).names()]


def _until(box: Box, condition: Callable[[], Any]) -> None:
    while not condition():
        if box.left() < 1:
            raise TimeoutError("no cell had ended in time")
        time.sleep(0.05)
