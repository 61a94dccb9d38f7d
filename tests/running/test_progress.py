"""What a run shows: bars where somebody looks, lines where a file does."""

import io
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console

from bench.running import progress
from tests import tiny

CELL = "python_reference-lora-n4-s0-0123456789abcdef"


def console(*, terminal: bool) -> tuple[Console, io.StringIO]:
    written = io.StringIO()
    return Console(file=written, force_terminal=terminal, width=100), written


def lines(written: io.StringIO) -> list[str]:
    """What is left on a terminal's lines, without colours and moves."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.getvalue()).replace("\r", "\n").split("\n")


def work(shown: progress.Bars | progress.Lines) -> None:
    with shown:
        shown.stage("datasets", 1)
        shown.steps({"dataset glyphs [of matplotlib]": (0, 0)})
        shown.finished("dataset glyphs [of matplotlib]", "ok", "2 of 9 [rows] left out", 0.0)
        shown.stage("cells", 3, done=1)
        shown.steps({CELL: (1, 2)})
        shown.steps({CELL: (2, 2), "another": (0, 0)})
        shown.finished(CELL, "ok", "", 1.25)
        shown.finished("another", "failed", "[red] is a fault", 0.5)
        shown.steps({})


def test_a_file_gets_a_plain_line_for_each_task() -> None:
    to, written = console(terminal=False)
    shown = progress.show(to)
    assert isinstance(shown, progress.Lines)
    work(shown)
    assert written.getvalue().splitlines() == [
        "datasets 1/1 dataset glyphs [of matplotlib]: ok: 2 of 9 [rows] left out",
        f"cells 2/3 {CELL}: ok 1.2 s",
        "cells 3/3 another: failed 0.5 s: [red] is a fault",
    ]


def test_a_long_line_of_a_log_is_not_broken() -> None:
    to, written = console(terminal=False)
    shown = progress.show(to)
    shown.stage("cells", 1)
    shown.finished("a" * 200, "failed", "b " * 200, 1.0)
    assert len(written.getvalue().splitlines()) == 1


def test_a_terminal_gets_bars_and_a_line_for_what_went_wrong() -> None:
    to, written = console(terminal=True)
    shown = progress.show(to)
    assert isinstance(shown, progress.Bars)
    work(shown)
    said = lines(written)
    assert any("✗ another: failed: [red] is a fault" in line for line in said)
    assert any("! dataset glyphs [of matplotlib]: 2 of 9 [rows] left out" in line for line in said)
    assert any("python_reference-lora-n4-s0 " in line for line in said)
    assert not any("0123456789abcdef" in line for line in said)
    assert not shown.at_work, "bars of tasks go with their tasks"
    assert [(task.description, task.completed, task.total) for task in shown.bars.tasks] == [
        ("[bold]datasets[/]", 1, 1),
        ("[bold]cells[/]", 3, 3),
    ]


def test_bars_are_taken_away_when_the_run_is_stopped() -> None:
    to, _ = console(terminal=True)
    shown = progress.show(to)
    assert isinstance(shown, progress.Bars)
    shown.stage("cells", 2)
    shown.steps({CELL: (1, 2)})

    def stop() -> None:
        with shown:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stop()
    assert len(shown.bars.tasks) == 1
    assert not shown.bars.live.is_started


def test_a_notebook_gets_one_output_that_is_written_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    pages: list[dict[str, str]] = []
    handle = SimpleNamespace(update=lambda page, raw: pages.append(page))

    def display(page: dict[str, str], raw: bool, display_id: bool) -> SimpleNamespace:
        pages.append(page)
        return handle

    monkeypatch.setitem(sys.modules, "IPython.display", SimpleNamespace(display=display))
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    written = io.StringIO()
    work(progress.show(Console(file=written, force_jupyter=True)))
    assert not written.getvalue(), "nothing beside it"
    assert len(pages) == 6, "one for the beginning, for each look, and for the end"
    told, *at_work = pages[2]["text/plain"].splitlines()
    assert told == "! dataset glyphs [of matplotlib]: 2 of 9 [rows] left out"
    assert [re.split(r"\s{2,}|[━╸ ]*━", line.strip())[0] for line in at_work] == [
        "datasets",
        "cells",
        "python_reference-lora-n4-s0",
    ]
    assert "1/2" in at_work[2]
    first, second, *bars = pages[-1]["text/plain"].splitlines()
    assert (first, second) == (told, "✗ another: failed: [red] is a fault")
    assert [line.split()[0] for line in bars] == ["datasets", "cells"]
    assert "<pre>! dataset" in pages[-1]["text/html"]


def test_a_run_tells_of_every_task(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    tiny.run(tiny.write(tmp_path, metrics=["cost", {"inference": {"repetitions": 2}}]))
    said = capfd.readouterr().err.splitlines()
    assert [line.split()[:2] for line in said] == [
        ["datasets", "1/2"],
        ["datasets", "2/2"],
        ["base", "models"],
        *(["cells", f"{n}/5"] for n in (1, 2, 3, 4, 5)),
        *(["measurements", f"{n}/3"] for n in (1, 2, 3)),
    ]
    assert all(": ok" in line for line in said)
