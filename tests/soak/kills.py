"""Runs that are killed at a random moment, all their processes at once, and gone on with."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd

from bench.results import tidy
from tests import tiny

WHOLE = 100
DONE = "a run killed (SIGKILL to its process group) while it works, and gone on with"
STAGES = ("pretraining", "training", "scoring", "measuring", "packing", "report")
_PATIENCE = 600  # seconds a run may take on a busy machine
_LOOK = 0.005  # seconds between two looks at how far it is
_METRICS = ["perplexity", "diversity", "cost", {"inference": {"repetitions": 3, "warmup": 1}}]


@contextmanager
def prepared(folder: Path) -> Iterator[Callable[[int, random.Random, Path], str]]:
    """A run that nobody kills: what its table says, and how long each stage takes here."""
    _write(folder)
    lasted: dict[str, float] = {}
    with _begun(folder) as process:
        stage, began = "", time.monotonic()
        while process.poll() is None:
            now = time.monotonic()
            assert now - began < _PATIENCE, "it does not end"
            if (found := _stage(folder)) != stage:
                stage, entered = found, now
            if stage:
                lasted[stage] = now - entered
            time.sleep(_LOOK)
        assert process.returncode == 0, process.communicate()
    wanted = _table(folder)

    def attempt(number: int, chance: random.Random, into: Path) -> str:
        aim, share = STAGES[number % len(STAGES)], chance.random()
        for _ in range(5):  # one that was over before it was hit is tried again, earlier
            _write(into)
            if hit := _killed(into, aim, share * lasted.get(aim, 0.0)):
                break
            share /= 2
            _clear(into)
        else:
            raise AssertionError(f"{aim} was never hit")
        left = _leave(into)
        _check(into, wanted, left)
        return f"while {hit}"

    yield attempt


def _write(folder: Path) -> None:
    budget = tiny.SUITE["budget"] | {"steps": 60, "validations": 4}
    model = tiny.SUITE["models"]["tiny"]
    model = model | {"recipe": model["recipe"] | {"steps": 120}}
    tiny.write(
        folder, models={"tiny": model}, budget=budget, metrics=_METRICS, seeds=[0, 1],
        approaches=["full_finetuning", "head_only"], evaluation={"samples": 48, "batch_size": 16},
    )  # fmt: skip


def _clear(folder: Path) -> None:
    """Nothing of an earlier try is there: not even what is cached."""
    subprocess.run(["find", str(folder), "-mindepth", "1", "-delete"], check=True)


@contextmanager
def _begun(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """``bench run`` with a cache of its own, so that it pretrains."""
    with _own_cache(folder), tiny.started("-m", "bench", "run", "tiny.yaml", "--workers", "2", cwd=folder) as process:
        yield process


@contextmanager
def _own_cache(folder: Path) -> Iterator[None]:
    before = os.environ.get("TRANSFERBENCH_CACHE")
    os.environ["TRANSFERBENCH_CACHE"] = str(folder / "cache")
    try:
        yield
    finally:
        os.environ.pop("TRANSFERBENCH_CACHE")
        if before is not None:
            os.environ["TRANSFERBENCH_CACHE"] = before


def _stage(folder: Path) -> str:
    """How far the run is, as its files tell; empty before it pretrains."""
    for progress in folder.glob("results/*/*/progress.json"):
        try:
            now = json.loads(progress.read_text())
        except (OSError, ValueError):
            return ""
        if now["stage"] == "prepare":
            return "pretraining" if now["of"] == "base models" else ""
        if now["stage"] == "train":  # a cell that is scored has taken all of its steps
            done = any(steps and taken >= steps for taken, steps in now["at_work"].values())
            return "scoring" if done else "training"
        return {"measure": "measuring", "finish": "packing"}.get(now["stage"], "")
    for about in folder.glob("results/*/*/run.json"):
        try:
            return "report" if json.loads(about.read_text())["finished"] else ""
        except (OSError, ValueError, KeyError):
            return ""
    return ""


def _killed(folder: Path, aim: str, after: float) -> str:
    """Kill a run so many seconds after a stage began; in which it was, or nothing where it had ended before."""
    with _begun(folder) as process:
        began = time.monotonic()
        while _stage(folder) != aim:
            assert time.monotonic() - began < _PATIENCE, f"it never came to {aim}"
            if process.poll() is not None:
                return ""
            time.sleep(_LOOK)
        time.sleep(after)
        hit = _stage(folder)
        if process.poll() is not None:
            return ""
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(_PATIENCE)
        _are_gone(process.pid)
    return hit or aim


def _are_gone(session: int) -> None:
    """No process is left of a run: those that end with their parent may take a moment to notice."""
    deadline = time.monotonic() + 30
    while left := tiny.session(session):
        assert time.monotonic() < deadline, f"processes are left: {left}"
        time.sleep(0.05)


def _leave(folder: Path) -> dict[str, bytes]:
    """The records that were finished when the run was killed."""
    return {path.name: path.read_bytes() for path in folder.glob("results/*/*/cells/*.json")}


def _check(folder: Path, wanted: pd.DataFrame, left: dict[str, bytes]) -> None:
    """The run is gone on with, and is then as if nobody had killed it."""
    with _begun(folder) as process:
        out, err = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, out + err
        _are_gone(process.pid)
    assert len(list(folder.glob("results/*/*/run.json"))) == 1, "it is the same run"
    pd.testing.assert_frame_equal(_table(folder), wanted, check_exact=True)
    run = tiny.latest(folder / "tiny.yaml")
    for name, record in left.items():  # one that was scored may have been measured since
        before, after = json.loads(record)["happened"], json.loads(tiny.cells(run)[name])["happened"]
        assert before["training"] == after["training"], f"{name} was trained twice"
    partial = [path for path in folder.rglob("*") if path.name.startswith(".")]
    assert not partial, f"left behind: {partial}"
    assert not list(folder.rglob("*.safetensors.tmp"))
    assert not list((folder / "results").rglob("checkpoint.safetensors"))
    assert (folder / "reports" / "tiny" / run.name / "index.html").read_text().rstrip().endswith("</html>")
    with tiny.started("-m", "bench", "verify", str(run), cwd=folder) as process:
        out, err = process.communicate(timeout=_PATIENCE)
        assert process.returncode == 0, out + err


def _table(folder: Path) -> pd.DataFrame:
    """The tidy table in one order, without what differs from run to run: times, and memory."""
    table = tidy.read(tiny.latest(folder / "tiny.yaml"))
    assert not table.duplicated(["cell", "metric"]).any(), "a row is there twice"
    timed = table["metric"].str.contains("|".join(tiny.TIMINGS))
    table.loc[timed, ["value", "error"]] = 0.0
    kept = [name for name in table.columns if name not in ("run", "seconds")]
    return table[kept].sort_values(["cell", "metric"]).reset_index(drop=True)
