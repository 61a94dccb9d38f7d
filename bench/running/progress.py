"""What a run shows while it works: bars on a terminal and in a notebook, a plain line per cell elsewhere."""

import html
import io
import time
from typing import Any, Self

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

_PAUSE = 0.5  # seconds at least between two changes of a notebook's page
_MARKS = {"ok": "[green]✓[/]", "not_applicable": "[dim]–[/]"}


class Bars:
    """One bar for the suite, one for each task at work, and a line for what did not end well or has to be said."""

    def __init__(self, console: Console) -> None:
        self.bars = Progress(
            TextColumn("{task.description}", table_column=None),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
        )
        self.whole: TaskID | None = None
        self.at_work: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self.bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.at_work.values():
            self.bars.remove_task(task)
        self.bars.stop()

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.whole = self.bars.add_task(f"[bold]{name}[/]", total=total, completed=done)

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        for name in set(self.at_work) - set(running):
            self.bars.remove_task(self.at_work.pop(name))
        for name, (done, total) in running.items():
            if name not in self.at_work:
                self.at_work[name] = self.bars.add_task(f"  {escape(_short(name))}", total=None)
            self.bars.update(self.at_work[name], completed=done, total=total or None)

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        if self.whole is not None:
            self.bars.advance(self.whole)
        if status != "ok" or reason:
            mark = "[yellow]![/]" if status == "ok" else _MARKS.get(status, "[red]✗[/]")
            said = reason if status == "ok" else _said(status, reason)
            self.tell(mark, escape(f"{_short(name)}: {said}"))

    def tell(self, mark: str, words: str) -> None:
        self.bars.console.print(mark, words, highlight=False)  # in one piece: the bars come back below each


class NotebookBars(Bars):
    """The same in one output of a notebook's cell, as plain text that is put in place of what it was before."""

    def __init__(self) -> None:
        # draws for itself: rich would want ipywidgets, and write one output for each line
        super().__init__(Console(file=io.StringIO(), force_jupyter=False, force_terminal=False, width=100))
        self.handle: Any = None
        self.drawn, self.ended = 0.0, io.StringIO()

    def __enter__(self) -> Self:
        from IPython.display import display

        self.handle = display(self._page(), raw=True, display_id=True)
        return self

    def __exit__(self, *_: object) -> None:
        for task in self.at_work.values():
            self.bars.remove_task(task)
        self.handle.update(self._page(), raw=True)

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        super().steps(running)
        if time.monotonic() - self.drawn >= _PAUSE:
            self.handle.update(self._page(), raw=True)
            self.drawn = time.monotonic()

    def tell(self, mark: str, words: str) -> None:
        Console(file=self.ended, force_jupyter=False, force_terminal=False).print(
            mark, words, highlight=False, soft_wrap=True
        )

    def _page(self) -> dict[str, str]:
        """By MIME type."""
        with self.bars.console.capture() as bars:
            self.bars.console.print(self.bars.get_renderable())
        lines = [line.rstrip() for line in (self.ended.getvalue() + bars.get()).splitlines()]
        text = "\n".join(line for line in lines if line)
        return {"text/plain": text, "text/html": f"<pre>{html.escape(text)}</pre>"}


class Lines:
    """A plain line per task, for logs and for nightly runs."""

    def __init__(self, console: Console) -> None:
        self.console, self.total, self.done, self.name = console, 0, 0, ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def stage(self, name: str, total: int, done: int = 0) -> None:
        self.name, self.total, self.done = name, total, done

    def steps(self, running: dict[str, tuple[float, float]]) -> None:
        return None

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        self.done += 1
        took = f" {seconds:.1f} s" if seconds else ""
        line = f"{self.name} {self.done}/{self.total} {name}: {_said(status + took, reason)}"
        self.console.print(line, markup=False, highlight=False, soft_wrap=True)


def show(console: Console) -> Bars | Lines:
    """Bars where somebody looks, lines where a file does."""
    if console.is_jupyter:
        return NotebookBars()
    return Bars(console) if console.is_terminal else Lines(console)


def _said(status: str, reason: str) -> str:
    return f"{status}: {reason}" if reason else status


def _short(name: str) -> str:
    """A cell's name without its hash."""
    head, _, tail = name.rpartition("-")
    return head if len(tail) == 16 else name
