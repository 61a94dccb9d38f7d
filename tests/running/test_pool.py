"""Processes: as many as asked, each alone, none left."""

import multiprocessing
import os
import signal
import sys
import threading
import time
from multiprocessing import forkserver
from pathlib import Path
from typing import Any

import pytest

from bench.running import board, ends, hanging, pool, worker
from bench.running.pool import Task
from bench.suite import loading
from tests import tiny

PRELOAD = ["bench.running.execution"]


class Watched:
    """Progress that remembers."""

    def __init__(self) -> None:
        self.ends: list[tuple[str, str, str, float]] = []
        self.seen: list[dict[str, tuple[float, float]]] = []

    def stage(self, name: str, total: int, done: int = 0) -> None: ...

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        self.seen.append(running)

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        self.ends.append((name, status, reason, seconds))


def processes() -> list[str]:
    """Names of our processes that are still there."""
    return [process.name for process in multiprocessing.active_children() if process.name.startswith("bench-")]


def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
    return ("failed", ends.said(outcome), 0.0) if isinstance(outcome, Exception) else ("ok", "", 0.0)


def task(name: str, function: str = "describe_device", *arguments: Any) -> Task:
    return Task(name, function, arguments, 60.0, ended)


def test_every_task_comes_to_its_end() -> None:
    watched = Watched()
    pool.run([task("a"), task("b"), task("c")], 2, PRELOAD, watched)
    assert sorted(watched.ends) == [(name, "ok", "", 0.0) for name in "abc"]
    assert max(len(running) for running in watched.seen) in (1, 2), "one is left when one ends, or both still work"
    assert watched.seen[-1] == {}
    assert not processes()


def test_no_task_is_no_work() -> None:
    pool.run([], 2, PRELOAD, Watched())


def test_a_task_that_raises_says_so_in_one_line() -> None:
    watched = Watched()
    pool.run([task("a", "no_such_function"), task("b")], 1, PRELOAD, watched)
    (_, status, reason, _), good = watched.ends
    assert status == "failed"
    assert reason == "AttributeError: module 'bench.running.execution' has no attribute 'no_such_function'"
    assert good[1] == "ok"


def test_an_end_that_raises_stops_the_others(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, approaches=[{"slow": {"seconds": 100.0}}])
    slow = next(cell for cell in loading.load(path).cells if cell.approach == "slow")

    def fault(task: Task, outcome: Any) -> tuple[str, str, float]:
        raise ZeroDivisionError

    tasks = [Task("slow", "train", (slow, tmp_path), 600.0, ended), Task("quick", "describe_device", (), 60.0, fault)]
    begun = time.monotonic()
    with pytest.raises(ZeroDivisionError):
        pool.run(tasks, 2, PRELOAD, Watched())
    assert time.monotonic() - begun < 60
    assert not processes()


def test_a_fork_server_that_is_killed_is_started_again() -> None:
    server: Any = forkserver._forkserver

    class Killer(Watched):
        def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
            super().finished(name, status, reason, seconds)
            if name == "a":
                os.kill(server._forkserver_pid, signal.SIGKILL)

    killer = Killer()
    pool.run([task("a"), task("b"), task("c")], 1, PRELOAD, killer)
    assert [end[:3] for end in killer.ends] == [(name, "ok", "") for name in "abc"]


def test_a_request_to_end_is_an_interrupt_in_the_main_thread_only() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(KeyboardInterrupt), pool.stoppable():
        signal.raise_signal(signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is before

    handlers = []

    def elsewhere() -> None:
        with pool.stoppable():
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert handlers == [before]


def test_workers_do_not_see_the_users_script() -> None:
    script = sys.modules["__main__"]
    with worker.blank_main():
        assert not hasattr(sys.modules["__main__"], "__file__")
    assert sys.modules["__main__"] is script


def test_progress_of_a_task_goes_to_its_own_place(monkeypatch: pytest.MonkeyPatch) -> None:
    board.reporter(5)(1)  # outside of a worker: nobody to tell
    places = [0.0] * 6
    monkeypatch.setattr(board, "_places", None)
    monkeypatch.setattr(board, "_slot", 0)
    board.take(places, 1)
    board.reporter(5)(3)
    assert places == [0.0, 0.0, 0.0, 3, 5, os.getpid()]


def test_what_makes_no_progress_is_ended_and_the_others_go_on(
    awkward: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that sleeps for ever; beside it one that works for longer than the other may be silent."""
    monkeypatch.setattr(hanging, "PAUSE", 0.2)
    slow = {"slow": {"seconds": 6.0}}
    suite = tiny.write(tmp_path, approaches=["hanging", slow], budget=tiny.SUITE["budget"] | {"steps": 60})
    cells = {cell.approach: cell for cell in loading.load(suite).cells}
    watched, outcomes = Watched(), dict[str, Any]()

    def remember(task: Task, outcome: Any) -> tuple[str, str, float]:
        outcomes[task.name] = outcome
        return ended(task, outcome)

    tasks = [
        Task(name, "train", (cells[name], tmp_path), 600.0, remember, silence=3.0 if name == "hanging" else 600.0)
        for name in ("hanging", "slow")
    ]
    pool.run(tasks, 2, PRELOAD, watched)
    assert outcomes["slow"] is None
    status, reason = ends.how_it_ended(outcomes["hanging"], 600.0)
    assert status == "timed_out"
    assert reason.startswith("made no progress for 3 s: it took no step and did not use the processor; see log.txt")


def test_steps_and_the_processor_s_time_are_progress_and_standing_still_is_none(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, used, board_ = [0.0], [0.0], [0.0, 9.0, 7.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(hanging, "_used", lambda process: used[0])
    watch = hanging.Watch(board_)

    def after(seconds: float) -> list[int]:
        now[0] += seconds
        return watch.hung({0: 20.0})

    assert [after(6) for _ in range(4)] == [[], [], [], []]
    board_[0] = 1.0
    assert [after(6) for _ in range(4)] == [[], [], [], []], "a step was taken"
    used[0] = 0.2
    assert [after(6) for _ in range(4)] == [[], [], [], []], "the processor was used"
    assert after(1) == [], "it looks seldom"
    assert after(5) == [0]
    used[0] = 0.5
    assert [after(6), after(10_000)] == [[], []], "we stood still ourselves"


def test_what_the_cells_need_of_ours_is_imported_beforehand(awkward: Path, tmp_path: Path) -> None:
    suite = tiny.write(tmp_path, approaches=["lora", {"slow": {"seconds": 1.0}}], metrics=["loss"])
    modules = worker.preloaded(loading.load(suite).cells)
    assert modules[0] == "bench.running.execution"
    assert {"bench.families.causal_lm", "bench.approaches.lora", "bench.metrics.loss"} <= set(modules)
    assert all(module.startswith("bench.") for module in modules), "theirs may do anything when they are imported"
    assert "bench.families.diffusion" not in modules, "which takes seconds to import"


def test_the_fork_server_starts_anew_for_what_it_lacks_unless_another_run_works_with_it() -> None:
    server: Any = forkserver._forkserver

    def after(*more: str) -> int:
        pool.run([task("a")], 1, [*PRELOAD, *more], Watched())
        return int(server._forkserver_pid)

    first = after()
    assert after() == first
    second = after("bench.metrics.syntax")
    assert second != first
    assert after() == after("bench.metrics.syntax") == second, "it keeps what it has"

    class Another(Watched):
        def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
            super().finished(name, status, reason, seconds)
            pool.import_beforehand(None, ["bench.metrics.overlap"])

    another = Another()
    pool.run([task("b"), task("c")], 1, PRELOAD, another)
    assert [end[1] for end in another.ends] == ["ok", "ok"]
    assert server._forkserver_pid == second
