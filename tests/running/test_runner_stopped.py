"""Runs that are stopped, by hand or by force: nothing half-written, nothing left behind, and a way on."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.results import packed, tidy
from bench.running import pool, runner
from bench.suite import loading
from bench.training import intervals
from tests import tiny

PATIENCE = 60  # seconds a step of a test may take on a busy machine


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


SLOW: dict[str, Any] = {"approaches": [{"slow": {"seconds": 1.0}}], "seeds": [0, 1]}


def finished_cells(folder: Path) -> dict[str, bytes]:
    """Records of a run, which say how many seconds it took to make them."""
    return {name: content for name, content in tiny.cells(folder).items() if "/" not in name}


def has_begun(path: Path) -> bool:
    """Whether some cells are finished, and others at work."""
    return len(list(path.parent.glob("results/*/*/cells/*.json"))) >= 3


@pytest.mark.parametrize("whole_group", [False, True], ids=["runner alone", "everything"])
def test_after_a_kill_a_second_run_completes_the_first(awkward: Path, tmp_path: Path, whole_group: bool) -> None:
    path = tiny.write(tmp_path, **SLOW)
    with tiny.started("-m", "bench", "run", str(path), "--workers", "2", cwd=tmp_path) as process:
        wait_for(lambda: has_begun(path))
        os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
        process.wait(PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    folder = tiny.latest(path)
    before = finished_cells(folder)
    assert 3 <= len(before) < 10
    assert tiny.run(path) == folder
    assert {name: content for name, content in finished_cells(folder).items() if name in before} == before
    table = tidy.read(folder)
    assert table["cell"].nunique() == 10
    assert set(table["status"]) == {"ok"}
    assert not [file for file in folder.rglob(".*") if file.is_file()]


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, True), (signal.SIGTERM, False)],
    ids=["Ctrl-C in a terminal", "terminate"],
)
def test_a_run_that_is_stopped_says_how_to_go_on(
    awkward: Path, tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    path = tiny.write(tmp_path, **SLOW)
    command = ["-m", "bench", "run", str(path), "--workers", "2", "--results", str(tmp_path / "results")]
    with tiny.started(*command, cwd=tmp_path) as process:
        wait_for(lambda: has_begun(path))
        os.killpg(process.pid, number) if whole_group else process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    assert process.returncode == 130
    folder = tiny.latest(path)
    done = len(list(folder.glob("cells/*.json")))
    way_on = f"go on with: bench run {path} --results {tmp_path / 'results'}"
    assert said == f"bench: stopped; {done} of 10 cells are finished and kept in {folder}; {way_on}\n"
    assert tidy.read(folder)["cell"].nunique() == done
    assert not [file for file in folder.rglob(".*") if file.is_file()]


LONG: dict[str, Any] = {
    "budget": {"steps": 100, "batch_size": 4, "validations": 3, "validation_rows": 8},
    "tuning": {"learning_rate": [1e-3, 3e-3]},
    "metrics": ["perplexity", "cost"],
}


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.run(tiny.write(tmp_path_factory.mktemp("whole"), **LONG))


@pytest.mark.parametrize("victim", ["everything", "worker"])
def test_a_cell_goes_on_inside_where_it_was_killed(
    victim: str, uninterrupted: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And ends with the very scores of one that was not killed; nothing of what it kept is left."""
    monkeypatch.setenv(intervals.NAME, "0.05")
    path = tiny.write(tmp_path, **LONG)
    with tiny.started("-m", "bench", "run", str(path), "--workers", "1", cwd=tmp_path) as process:
        wait_for(lambda: [*tmp_path.glob("results/*/*/cells/*/unfinished/[0-9]*.safetensors")])
        if victim == "everything":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            max(tiny.session(process.pid), key=lambda one: one.create_time()).kill()
        process.communicate(timeout=2 * PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    folder = tiny.run(path, retry=victim == "worker")
    resumed = [record["happened"] for record in tiny.records(folder).values() if "resumed" in record["happened"]]
    assert len(resumed) == 1
    assert resumed[0]["resumed"][0].startswith("went on inside the cell at step ")
    assert tiny.quality(folder) == tiny.quality(uninterrupted)
    assert not [*folder.rglob("unfinished")]


def test_the_way_on_names_a_named_run(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    loaded = loading.load(tiny.copied(finished, tmp_path))
    folder = runner.start(loaded, tmp_path / "results", name="a night")
    monkeypatch.setattr(pool, "run", stop)
    with pytest.raises(runner.Interrupted, match=rf"bench run \S+ --run 'a night' --results {tmp_path}/results$"):
        runner.run(loaded, folder, tiny.Silent())


def test_a_run_stopped_while_it_starts_leaves_no_noise(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    with tiny.started("-m", "bench", "run", str(path), cwd=tmp_path) as process:
        wait_for(lambda: len(tiny.session(process.pid)) >= 3)  # the fork server imports torch
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    assert process.returncode == 130
    assert said.startswith("bench: stopped; 0 of 5 cells are finished")
    assert said.count("\n") == 1


def test_the_bar_and_the_last_line_count_the_same_cells(
    awkward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that do not apply among them, and not those that are to be tried again."""

    class Bar(tiny.Silent):
        done = 0

        def stage(self, name: str, total: int, done: int = 0) -> None:
            self.done, self.total = done, total

        def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
            self.done += 1

    path = tiny.write(tmp_path, approaches=["raising", "freeze_d"])
    folder = tiny.run(path)
    packed.unpack(folder)
    assert len(list(folder.glob("cells/*.json"))) == 6
    for kept, retry, done in ((6, True, 5), (5, False, 5), (0, False, 1)):
        for record in sorted(folder.glob("cells/*.json"))[kept:]:
            record.unlink()
        loaded, bar, run = loading.load(path), Bar(), pool.run

        def stop(tasks: list[pool.Task], *rest: Any, run: Any = run) -> None:
            if tasks[0].function == "train":
                raise KeyboardInterrupt
            run(tasks, *rest)

        with monkeypatch.context() as patch:
            patch.setattr(pool, "run", stop)
            with pytest.raises(runner.Interrupted, match=f"stopped; {done} of 6 cells are finished"):
                runner.run(loaded, folder, bar, retry=retry)
        assert (bar.done, bar.total) == (done, 6)


# Tried again, or stopped at the first -------------------------------------------------------------------------------


@pytest.mark.parametrize(("retry", "status", "tried"), [(0, "failed", 1), (2, "failed", 2), (5, "ok", 3)])
def test_what_may_pass_later_is_tried_so_often(
    retry: int, status: str, tried: int, awkward: Path, tmp_path: Path
) -> None:
    log = tmp_path / "tried"
    folder = tiny.run(tiny.write(tmp_path, approaches=[{"wavering": {"at": str(log), "tries": 3}}]), retry=retry)
    happened = tiny.records(folder)["python_reference-wavering-n4-s0"]["happened"]
    assert (happened["status"], len(log.read_text().splitlines())) == (status, tried)
    assert tidy.read(folder)["cell"].nunique() == 5


def test_the_first_that_fails_may_end_the_run(
    awkward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tiny.write(tmp_path, approaches=["raising", {"slow": {"seconds": 100.0}}])
    command = ["run", str(path), "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    assert __main__.main([*command, "--workers", "1", "--fail-fast"]) == 1
    said = capsys.readouterr().err
    folder = tiny.latest(path)
    assert said.count("\n") == 1
    assert said.startswith("bench: stopped, as ")
    assert "-raising-n4-s0-" in said
    assert " ended as failed (RuntimeError: a fault in two lines); " in said
    assert f" of 6 cells are finished and kept in {folder}; go on with: bench run {path}" in said
    table = tidy.read(folder)
    assert set(table["status"]) == {"ok", "failed"} or set(table["status"]) == {"failed"}
    assert "slow" not in set(table["approach"])
    tiny.edited(path, "100.0", "0.1")
    assert __main__.main(command) == 1, "and goes on: the others are trained, what failed is left"
    assert set(tidy.read(tiny.latest(path))["approach"]) >= {"slow", "raising"}


def test_a_suite_behind_retry_is_told_where_to_stand(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        __main__.main(["run", "--retry", "quickstart"])
    said = capsys.readouterr().err
    assert "'quickstart' is no number of tries; name the suite before --retry" in said
    assert said.count("\n") == 1
