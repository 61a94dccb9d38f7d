"""Functions of ``inside/`` in processes of their own, forked from one server that has imported everything.

A fault of CUDA, which spoils the process that it happens in, is one call's alone. This process never touches the GPU.
"""

import importlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from pathlib import Path
from typing import Any

from pebble import concurrent

from bench import plugins
from bench.running import pool, worker

_INSIDE = "tests.gpu.inside"


class Ended(Exception):
    """How a call ended that did not come back: in one line, and where in the code."""

    def __init__(self, why: str, trace: str = "") -> None:
        super().__init__(why)
        self.trace = trace


def start_server() -> None:
    """Import all that any call needs, once."""
    context = multiprocessing.get_context("forkserver")
    known = [plugin for kind in ("families", "approaches", "metrics") for plugin in plugins.available(kind)]
    ours = [plugin.module for plugin in known if plugin.module.startswith("bench.")]
    pool.import_beforehand(context, [*ours, *(f"{_INSIDE}.{path.stem}" for path in _modules())])
    pool.start_server(context)


def _modules() -> list[Path]:
    return sorted((Path(__file__).parent / "inside").glob("[a-z]*.py"))


def call(function: str, *arguments: Any, seconds: float) -> Any:
    """What the function returns; :class:`Ended` where it raised, took too long, or its process died."""
    [(_, outcome)] = each(function, [arguments], workers=1, seconds=seconds)
    if isinstance(outcome, Ended):
        raise outcome
    return outcome


def each(
    function: str, calls: list[tuple[Any, ...]], *, workers: int, seconds: float, until: float = 0.0
) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """Arguments and what came of them, as it comes; no call begins after ``until``, of :func:`time.monotonic`."""
    context: Any = multiprocessing.get_context("forkserver")
    waiting = iter(calls)
    running: dict[Future[Any], tuple[Any, ...]] = {}
    label = f"apart-{id(running)}"
    begin = concurrent.process(name=label, daemon=False, timeout=seconds, context=context)(_guarded)
    try:
        while True:
            while len(running) < workers and not (until and time.monotonic() > until):
                if (arguments := next(waiting, None)) is None:
                    break
                with pool.later(signal.SIGINT, signal.SIGTERM):  # so that no process starts that nobody knows of
                    running[begin(f"{_INSIDE}.{function}", arguments)] = arguments
            if not running:
                return
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(future), _outcome(future)
    finally:
        for process in multiprocessing.active_children():
            if process.name == label:
                process.kill()
        wait(running)


def _outcome(future: Future[Any]) -> Any:
    error = future.exception()
    if error is not None:
        return Ended(f"{type(error).__name__}: {error}".splitlines()[0][:300])
    status, result = future.result()
    return result if status == "ok" else Ended(*result)


def _guarded(function: str, arguments: tuple[Any, ...]) -> tuple[str, Any]:
    """Errors as text: an exception of a library need not survive the way back."""
    threading.Thread(target=worker.end_with_parent, daemon=True).start()
    warnings.simplefilter("ignore")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    import torch

    torch.set_num_threads(1)
    module, _, name = function.rpartition(".")
    try:
        return "ok", getattr(importlib.import_module(module), name)(*arguments)
    except BaseException as error:
        said = " ".join(f"{type(error).__name__}: {error}".split())[:300]
        ours = [frame for frame in traceback.extract_tb(error.__traceback__) if "/site-packages/" not in frame.filename]
        where = f"{ours[-1].filename.rpartition('/')[2]}:{ours[-1].lineno} {ours[-1].line}" if ours else ""
        return "failed", (f"{said} ({where})", "".join(traceback.format_exception(error)))
