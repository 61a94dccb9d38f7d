"""The process a task runs in: what it imports beforehand, how it listens, how it tells of its progress.

Imports no torch: the runner hands these functions to new processes by reference, and :func:`call` imports the rest
there, where the fork server has it in memory already.
"""

import os
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import Any

from bench import plugins
from bench.cell import Cell

_board: Any = None  # shared with the runner: for each slot the steps done and the steps to do


def preloaded(cells: Iterable[Cell]) -> list[str]:
    """Modules the fork server imports once for all tasks; of plugins only our own, others stay in their processes."""
    used = {("families", cell.model.family) for cell in cells}
    used |= {("approaches", name) for cell in cells for name, _ in cell.chain}
    used |= {("metrics", name) for cell in cells for name, _ in cell.metrics}
    modules = {plugins.find(kind, name).module for kind, name in used}
    return ["bench.execution", *sorted(module for module in modules if module.startswith("bench."))]


def initialise(board: Any) -> None:
    """First thing in a worker: Ctrl-C is the runner's business, and the runner's end is the worker's end."""
    global _board
    _board = board
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        if parent := parent_process():
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


def call(function: str, *arguments: Any) -> Any:
    """Run a function of :mod:`bench.execution`."""
    from bench import execution

    return getattr(execution, function)(*arguments)


def reporter(slot: int, total: int) -> Callable[[int], None]:
    """Tells the runner how far a task is: through plain shared memory, which a killed worker cannot leave locked."""
    if _board is None:
        return lambda done: None
    _board[2 * slot + 1] = total

    def report(done: int) -> None:
        _board[2 * slot] = done

    return report


@contextmanager
def blank_main() -> Iterator[None]:
    """Keep workers from importing the user's script again, which would start the run again.

    Tasks are functions of this package, so nothing of the script is needed in them.
    """
    script = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = script
