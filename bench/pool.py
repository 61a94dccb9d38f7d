"""Tasks in processes of their own: each is forked afresh from a server that has imported the heavy libraries once.

A task that raises, hangs, or is killed ends alone; the others go on. Imports no torch.
"""

import multiprocessing
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from pebble import ProcessPool

from bench import worker

_POLL = 0.1  # seconds between looks at the progress board


class Progress(Protocol):
    """What a run tells of itself; see :mod:`bench.progress`."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """A stage begins; ``done`` of its ``total`` tasks were finished before."""

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        """Tasks at work: name to (steps done, steps to do)."""

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        """A task came to its end."""


@dataclass
class Task:
    """One call of a function of :mod:`bench.execution` in a process of its own."""

    name: str
    function: str
    arguments: tuple[Any, ...]
    limit: float
    ended: Callable[["Task", Any], tuple[str, str, float]]


def run(tasks: list[Task], workers: int, preload: list[str], progress: Progress) -> None:
    """Run ``tasks``, at most ``workers`` at a time, until the last has ended; each one's end goes to its ``ended``.

    Args:
        tasks: what to do.
        workers: processes at a time.
        preload: modules the fork server imports before the first task.
        progress: is told which tasks are at work and how each came to its end.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(preload)
    board = context.RawArray("d", 2 * len(tasks))
    processes = ProcessPool(
        max_workers=min(workers, len(tasks)),
        max_tasks=1,
        initializer=worker.initialise,
        initargs=(board,),
        context=context,
    )
    try:
        slots: dict[Future[Any], int] = {
            processes.schedule(worker.call, args=[task.function, *task.arguments, slot], timeout=task.limit): slot
            for slot, task in enumerate(tasks)
        }
        pending = set(slots)
        while pending:
            ended, pending = wait(pending, timeout=_POLL, return_when=FIRST_COMPLETED)
            running = {tasks[slots[future]].name: slots[future] for future in pending if future.running()}
            progress.steps({name: (board[2 * slot], board[2 * slot + 1]) for name, slot in running.items()})
            for future in sorted(ended, key=slots.__getitem__):
                task = tasks[slots[future]]
                error = future.exception()
                progress.finished(task.name, *task.ended(task, error if error else future.result()))
        processes.close()
    except BaseException:
        processes.stop()
        raise
    finally:
        processes.join()


def said(error: BaseException) -> str:
    """An exception as one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": ")


@contextmanager
def stoppable() -> Iterator[None]:
    """A polite request to end (SIGTERM) is the same as Ctrl-C, where signals are ours to handle."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
