"""A suite so small that a whole run takes seconds, run in this process or in one of its own."""

import copy
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import yaml

import bench
from bench.results import items, packed, runs

TIMINGS = ("seconds", "latency", "throughput", "memory", "peak")
"""What the names of scores have in them that differ from run to run."""

SUITE: dict[str, Any] = {
    "models": {
        "tiny": {
            "family": "causal_lm",
            "recipe": {
                "architecture": {
                    "model_type": "gpt2",
                    "n_layer": 2,
                    "n_embd": 16,
                    "n_head": 2,
                    "n_positions": 32,
                    "vocab_size": 300,
                },
                "source": "python_reference",
                "steps": 4,
                "batch_size": 4,
            },
            "options": {"context": 32, "max_new_tokens": 4},
        }
    },
    "datasets": ["python_reference"],
    "approaches": ["full_finetuning"],
    "data_sizes": [4],
    "seeds": [0],
    "budget": {"steps": 2, "batch_size": 4, "validations": 1, "validation_rows": 8},
    "evaluation": {"samples": 8, "batch_size": 64},
    "metrics": ["cost"],
}


def write(folder: Path, name: str = "tiny", **changes: Any) -> Path:
    """The suite as a file, with some of its top-level keys changed."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(copy.deepcopy(SUITE) | changes, sort_keys=False))
    return path


def run(suite: Path, **options: Any) -> Path:
    """Run a suite from this process into ``results`` beside it; the run's folder."""
    bench.run(suite, results_folder=suite.parent / "results", reports_folder=None, **options)
    return latest(suite)


def latest(suite: Path) -> Path:
    """The folder of the suite's newest run."""
    found = runs.latest(suite.parent / "results" / suite.stem)
    assert found is not None
    return found


def copied(finished: Path, folder: Path) -> Path:
    """The suite of a finished run with its results, to be changed."""
    shutil.copytree(finished.parent.parent, folder / "results")
    return Path(shutil.copy(finished.parent.parent.parent / "tiny.yaml", folder))


def edited(suite: Path, old: str, new: str) -> Path:
    """The suite with another text in place of one that is there."""
    text = suite.read_text()
    assert old in text
    suite.write_text(text.replace(old, new))
    return suite


class Silent:
    """Progress nobody looks at."""

    def stage(self, name: str, total: int, done: int = 0) -> None: ...

    def steps(self, running: dict[str, tuple[float, float]]) -> None: ...

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None: ...


def records(folder: Path) -> dict[str, dict[str, Any]]:
    """Name of a cell without its hash to its record."""
    return {record["cell"].rpartition("-")[0]: record for record in runs.records(folder)}


def states(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Path of every file below a folder to the time it was written and its content."""
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def cells(run: Path) -> dict[str, bytes]:
    """Path below ``cells`` of every file of a run's cells, packed or not, to its content."""
    pack = packed.Pack(run)
    found = {f"{cell}.json": text.encode() for cell, text in pack.records.items()}
    found |= {name.removeprefix("cells/"): pack.content(name) or b"" for name in pack.names() if "cells/" in name}
    found |= {f"{cell}/{items.NAME}": items.encoded(pack.items.scores(cell)) for cell in pack.items.cells}
    return found | {name: content for name, (_, content) in states(run / "cells").items()}


def quality(folder: Path) -> dict[tuple[str, str], float]:
    """(cell, metric) to every score of a run that should not depend on when and beside what it was taken."""
    return {
        (record["cell"], score["metric"]): score["value"]
        for record in runs.records(folder)
        for score in record["happened"]["scores"]
        if not any(word in score["metric"] for word in TIMINGS)
    }


def environment() -> dict[str, str]:
    """For processes of their own: they import what this one imports."""
    here = [str(Path(bench.__file__).parent.parent), *sys.path]
    return dict(os.environ) | {"PYTHONPATH": os.pathsep.join(path for path in here if path)}


@contextmanager
def started(*arguments: str, cwd: Path) -> Iterator[subprocess.Popen[str]]:
    """A Python process in a session of its own, as a terminal would start it; nothing of it is left afterwards."""
    pipe = subprocess.PIPE
    command = [sys.executable, *arguments]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # which background jobs ignore
    try:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment(), stdout=pipe, stderr=pipe, text=True, start_new_session=True
        )
    finally:
        signal.signal(signal.SIGINT, before)
    with process:
        try:
            yield process
        finally:
            for left in session(process.pid):
                left.kill()


def session(leader: int) -> list[psutil.Process]:
    """Living processes of a session."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.getsid(process.pid) == leader and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (ProcessLookupError, psutil.NoSuchProcess):
            continue
    return found
