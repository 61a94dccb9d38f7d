"""Tasks in processes of their own: each is forked afresh from a server that has imported the heavy libraries once.

A task that raises, hangs, or is killed ends alone; the others go on. Imports no torch.
"""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import islice
from multiprocessing import forkserver, resource_tracker
from pathlib import Path
from typing import Any, Protocol

from pebble import concurrent

from bench.errors import BenchError
from bench.running import hanging, worker

_POLL = 0.1  # seconds between looks at the progress board
_PARTING = 2.0  # seconds in which a process whose task is over gives back what it holds, before it is killed
_imported: dict[str, None] = {}
"""Modules that the fork server of this process imports, in their order."""
_served = set[str]()
"""Runs that it works for."""


class Progress(Protocol):
    """What a run tells of itself; see :mod:`bench.running.progress`."""

    def stage(self, name: str, total: int, done: int = 0) -> None:
        """A stage begins; ``done`` of its ``total`` tasks were finished before."""

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        """Tasks at work: name to (steps done, steps to do)."""

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        """A task came to its end."""


@dataclass
class Task:
    """One call of a function of :mod:`bench.running.execution` in a process of its own.

    Attributes:
        name: as progress shows it.
        function, arguments: what is called.
        limit: seconds it may take.
        ended: is given the task, and what the function returned or the exception that ended it; says status, reason
            and seconds.
        log: the file that has what the process, and every library in it, would write to the terminal; it is there
            where something was written.
        silence: seconds it may take without any progress; see :mod:`bench.running.hanging`.
    """

    name: str
    function: str
    arguments: tuple[Any, ...]
    limit: float
    ended: Callable[["Task", Any], tuple[str, str, float]]
    log: Path | None = None
    silence: float = hanging.LIMIT


def run(tasks: list[Task], workers: int, preload: list[str], progress: Progress) -> None:
    """Run ``tasks``, at most ``workers`` at a time, until the last has ended; each one's end goes to its ``ended``.

    No process is left behind, also where this is interrupted or an ``ended`` raises.

    Args:
        tasks: what to do.
        workers: processes at a time.
        preload: modules the fork server imports before the first task, where it has not already.
        progress: is told which tasks are at work and how each came to its end.
    """
    context = multiprocessing.get_context("forkserver")
    board = context.RawArray("d", 3 * len(tasks))
    label = f"bench-{id(board)}"
    waiting, watch, hung = iter(enumerate(tasks)), hanging.Watch(board), set[int]()
    running: dict[Future[Any], int] = {}
    import_beforehand(context, preload)
    _served.add(label)
    try:
        start_server(context)
        while True:
            for slot, task in islice(waiting, workers - len(running)):
                running[_start(task, context, label, board, slot)] = slot
            if not running:
                return
            ended = wait(running, timeout=_POLL, return_when=FIRST_COMPLETED).done
            for future in sorted(ended, key=running.__getitem__):
                slot = running.pop(future)
                task, error = tasks[slot], future.exception()
                if error and slot in hung:
                    error = hanging.Hung(task.silence)
                _remove_empty(task.log)
                progress.finished(task.name, *task.ended(task, error if error else future.result()))
            progress.steps({tasks[slot].name: (board[3 * slot], board[3 * slot + 1]) for slot in running.values()})
            for slot in watch.hung({slot: tasks[slot].silence for slot in running.values()}):
                hung.add(slot)
                if number := int(board[3 * slot + 2]):
                    with suppress(ProcessLookupError):
                        os.kill(number, signal.SIGKILL)
    finally:
        for process in multiprocessing.active_children():
            if process.name == label:
                process.join(0 if running else _PARTING)
                process.kill()
        wait(running)
        _served.remove(label)


def _remove_empty(log: Path | None) -> None:
    """Take a log away in which nothing was written, and the folder that was made for it."""
    with suppress(OSError):
        if log and not log.stat().st_size:
            log.unlink()
            log.parent.rmdir()


def import_beforehand(context: Any, modules: list[str]) -> None:
    """Have the fork server import these, too, before it forks.

    One that is at work has to start anew for them; while it serves the run of another thread it goes on as it is, and
    tasks import what they lack.
    """
    if not _imported.keys() >= set(modules) and not _served:
        _imported.update(dict.fromkeys(modules))
        context.set_forkserver_preload(list(_imported))
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # as CPython's tests do: there is no public way


def start_server(context: Any) -> None:
    """Wait until the fork server has imported everything; Ctrl-C ends the waiting, but does not cut an import short."""
    # asking CUDA itself for its devices, as diffusers does on import, would spoil CUDA for every fork of the server
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")
    resource_tracker.ensure_running()  # else the server would start it, which lets Ctrl-C through again
    with later(signal.SIGINT):  # a process inherits what is held back
        forkserver.ensure_running()
    nothing = context.Process(target=int)
    try:
        nothing.start()
    except EOFError:  # what ended the server stands on the terminal
        raise BenchError(
            "workers cannot start here; mend what `python -c 'import bench.running.execution'` says"
        ) from None
    nothing.join()


def _start(task: Task, context: Any, label: str, board: Any, slot: int, *, again: bool = True) -> Future[Any]:
    begin = concurrent.process(name=label, daemon=False, timeout=task.limit, context=context)(worker.call)
    started: Future[Any]
    try:
        if not again:
            time.sleep(_POLL)  # until the system knows that it is dead
            start_server(context)
        with later(signal.SIGINT, signal.SIGTERM):  # so that no process starts that nobody knows of
            started = begin(board, slot, task.function, task.arguments, task.log)
    except (OSError, EOFError) as error:  # the server has been killed, or the system has no process to give
        if again:
            return _start(task, context, label, board, slot, again=False)
        started = Future()
        started.set_exception(error)
    return started


@contextmanager
def later(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back until the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


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
