"""Committed reports are what `bench report` makes of the committed results."""

import re
from pathlib import Path

import pytest

from bench import report
from bench.publication import overview
from bench.report import plots
from tests.reference import ROOT, RUNS, listed


def text(page: Path) -> str:
    """A page without its pictures, whose bytes depend on the libraries that draw them."""
    return re.sub(r'"data:[^"]*"', '"data:"', page.read_text(encoding="utf-8"))


@pytest.mark.parametrize("run", RUNS, ids=lambda run: run.parent.name)
def test_a_committed_report_is_what_is_made_of_its_results(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plots, "rendered", lambda figure: {"svg": b"<svg/>", "png": b""})
    made, committed = report.build(run, tmp_path).page.parent, ROOT / "reports" / run.parent.name / run.name
    for kind in ("*.html", "*.csv"):
        names = {path.name for path in committed.glob(kind)}
        assert names <= {path.name for path in made.glob(kind)}
        assert kind != "*.html" or names == {path.name for path in made.glob(kind)}
        for name in names:
            assert text(made / name) == text(committed / name), name


def test_the_committed_list_has_every_committed_report() -> None:
    """Each line of it; a run of one's own adds others."""
    rows = [line for line in listed().splitlines() if line.startswith('<tr><th scope="row"')]
    assert len(rows) == len(RUNS)
    assert set(rows) <= set((ROOT / "reports" / overview.NAME).read_text(encoding="utf-8").splitlines())
