"""What a part of the measurement is given, and what it leaves: a time box, and a file of figures that is there whatever
becomes of it."""

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.results import files


@dataclass
class Box:
    """The room that a part has.

    Attributes:
        seconds: it may take.
        small: whether this is a try on a CPU, where anything goes that shows that the code runs.
        device: ``"cuda"`` or ``"cpu"``.
        workers: processes that may be at work at a time.
        scratch: a folder that is gone afterwards.
        file: where what is found is kept.
        found: what is kept: what was said, tables by their title, how it ended.
    """

    seconds: float
    small: bool
    device: str
    workers: int
    scratch: Path
    file: Path
    found: dict[str, Any] = field(default_factory=dict)
    is_over: bool = False  # its time, before all was done
    began: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def say(self, line: str) -> None:
        """A sentence of the report."""
        self.found.setdefault("said", []).append(line)
        self.keep()

    def row(self, table: str, **columns: Any) -> None:
        """A row of a table of the report; where a number stands, its column says of what and in which unit."""
        self.put(table, [*self.found.get("tables", {}).get(table, []), columns])

    def put(self, table: str, rows: list[dict[str, Any]]) -> None:
        """A table of the report, as it now is."""
        self.found.setdefault("tables", {})[table] = rows
        self.keep()

    def fail(self, why: str, trace: str = "") -> None:
        """Something is broken: the part goes on, and ends as failed when it is through; ``trace`` is for its file."""
        if trace:
            self.found.setdefault("traces", {})[why] = trace
        self.found.setdefault("broken", []).append(why)
        self.keep()

    def must(self, claim: str, holds: bool, found: object = "") -> None:
        """Write down a claim and whether it holds; one that does not ends the part as failed, when it is through."""
        self.row("What must hold", claim=claim, holds="yes" if holds else "NO", found=str(found))
        if not holds:
            self.fail(f"{claim}: {found}" if found != "" else claim)

    def keep(self) -> None:
        files.write_json(self.file, self.found)

    @contextmanager
    def closing(self) -> Iterator[None]:
        """When the time is up it is as if somebody had pressed Ctrl-C, which everything here knows how to end with."""

        def end(*_: object) -> None:
            self.is_over = True
            # to this thread: where another took it, a sleep or a wait in this one would go on
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

        interrupted = signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
        before = signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, max(self.left(), 0.01))
        try:
            yield
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
            signal.signal(signal.SIGINT, interrupted)
