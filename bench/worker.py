"""The process a task runs in: what it imports beforehand, how it ends with its runner, how it tells of its progress.

Imports no torch: the runner hands :func:`call` to new processes by reference, and it imports the rest there, where the
fork server has it in memory already.
"""

import os
import sys
import threading
import types
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from multiprocessing import parent_process
from typing import Any

from bench import plugins
from bench.cell import Cell
from bench.plugins import Plugin

_board: Any = None  # shared with the runner: for each slot the steps done and the steps to do
_slot = 0


def used(cells: Iterable[Cell]) -> list[Plugin]:
    """The plugins whose code runs in the cells' processes, beside those of datasets and feature spaces."""
    names = {("families", cell.model.family) for cell in cells}
    names |= {("approaches", name) for cell in cells for name, _ in cell.chain}
    names |= {("metrics", name) for cell in cells for name, _ in cell.metrics}
    return [plugins.find(kind, name) for kind, name in sorted(names)]


def preloaded(cells: Iterable[Cell]) -> list[str]:
    """Modules the fork server imports once for all tasks; of plugins only our own, others stay in their processes."""
    modules = {plugin.module for plugin in used(cells)}
    return ["bench.execution", *sorted(module for module in modules if module.startswith("bench."))]


def call(board: Any, slot: int, function: str, arguments: tuple[Any, ...]) -> Any:
    """Run a function of :mod:`bench.execution` in this process, which ends when the runner does, however that ends."""
    global _board, _slot
    _board, _slot = board, slot
    threading.Thread(target=_end_with_parent, daemon=True).start()
    from bench import execution

    return getattr(execution, function)(*arguments)


def reporter(total: int) -> Callable[[int], None]:
    """Tells the runner how far a task is: through plain shared memory, which a killed worker cannot leave locked."""
    if _board is None:
        return lambda done: None
    _board[2 * _slot + 1] = total

    def report(done: int) -> None:
        _board[2 * _slot] = done

    return report


def _end_with_parent() -> None:
    if parent := parent_process():
        parent.join()
        os._exit(1)


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
