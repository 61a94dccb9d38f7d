"""The process a task runs in: what it imports beforehand, how it ends with its runner, how it tells of its progress.

Imports no torch: the runner hands :func:`call` to new processes by reference, and it imports the rest there, where the
fork server has it in memory already.
"""

import faulthandler
import gc
import io
import os
import sys
import threading
import types
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import parent_process
from pathlib import Path
from typing import Any

from bench import plugins
from bench.running import board
from bench.suite.cell import Cell


def preloaded(cells: Iterable[Cell]) -> list[str]:
    """Modules that tasks for these cells import, for the fork server to import once for all.

    Those of others are not among them: what these do when they are imported is their own task's to bear.
    """
    needed: dict[str, dict[str, None]] = {"families": {}, "approaches": {}, "metrics": {}}
    for cell in cells:
        needed["families"][cell.model.family] = None
        needed["approaches"].update((name, None) for name, _ in cell.chain)
        needed["metrics"].update((name, None) for name, _ in cell.metrics)
    modules = [plugins.find(kind, name).module for kind, names in needed.items() for name in names]
    return ["bench.running.execution", *(module for module in modules if module.startswith("bench."))]


def call(places: Any, slot: int, function: str, arguments: tuple[Any, ...], log: Path | None = None) -> Any:
    """Run a function of :mod:`bench.running.execution` in this process, which ends when the runner does.

    What is written to the terminal, by us or by a library, goes into ``log``.
    """
    board.take(places, slot)
    if log:
        _write_into(log)
    threading.Thread(target=end_with_parent, daemon=True).start()
    from bench.running import execution

    gc.freeze()  # what is imported stays; collecting what a trial leaves behind then takes no time
    return getattr(execution, function)(*arguments)


def _write_into(log: Path) -> None:
    """Lead this process's output, that of C code included, into a file; and where in Python it was if it crashes."""
    with suppress(OSError):  # a full disk is told where a result is written
        log.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        for stream in (1, 2):
            os.dup2(handle, stream)
        os.close(handle)
        for text in (sys.stdout, sys.stderr):
            if isinstance(text, io.TextIOWrapper):
                text.reconfigure(line_buffering=True, errors="backslashreplace")
        faulthandler.enable()


def end_with_parent() -> None:
    """Wait for the process that this one works for, and end when it has; for a thread."""
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
