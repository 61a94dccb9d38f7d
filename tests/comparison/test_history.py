"""A suite's runs one after another: what changed its level, when, and what changed there."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench import __main__
from bench.comparison import appearances, history
from bench.errors import ResultsError
from tests.comparison.nights import Suite, write
from tests.plans import refused

NIGHTS, CHANGED = 30, 18


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """From one night on an approach is worse, and torch is another; on another machine all was slower before."""
    folder = tmp_path_factory.mktemp("a") / "results" / "nightly"
    drawn = Suite(np.random.default_rng(0), approaches=4)
    for place in range(NIGHTS):
        changed = {("approach_1", "perplexity"): 1.1} if place >= CHANGED else {}
        machine = {"id": "first" if place < 12 else "second"}
        packages = {"torch": "2.10.0" if place >= CHANGED else "2.9.0"}
        slower = {("", "training_seconds"): 2.0} if place < 12 else {}
        write(folder, drawn.night(changed | slower), place, machine=machine, packages=packages)
    return folder


def test_a_change_is_found_where_it_happened_with_what_changed_there(suite):
    found = history.read(suite)
    (point,) = found.points  # the other machine's seconds are no change
    assert (point.night, point.is_worse) == (CHANGED, True)
    assert found.rows.iloc[point.row][["approach", "metric"]].tolist() == ["approach_1", "perplexity"]
    assert point.after / point.before == pytest.approx(1.1, abs=0.02)
    assert [(one.what, one.base, one.new) for one in found.changed(CHANGED)] == [("packages.torch", "2.9.0", "2.10.0")]
    assert found.values.shape == (12, NIGHTS)


def test_a_year_without_changes_has_none(tmp_path):
    drawn = Suite(np.random.default_rng(1), approaches=3, seeds=2)
    for place in range(60):
        write(tmp_path / "quiet", drawn.night(), place)
    assert history.read(tmp_path / "quiet").points == []


def test_the_command_writes_page_and_table(suite, tmp_path, capsys):
    arguments = ["history", "nightly", "--results", str(suite.parent), "--reports", str(tmp_path)]
    assert __main__.main(arguments) == 0
    out = capsys.readouterr().out
    assert "approach_1, 100 examples: perplexity" in out
    assert "changed packages.torch: 2.9.0 → 2.10.0" in out
    page = (tmp_path / "nightly" / "history.html").read_text()
    assert "perplexity" in page
    assert page.count("data:image/svg+xml") == 1  # the primary metric
    table = pd.read_csv(tmp_path / "nightly" / "history.csv")
    assert list(table.columns[-NIGHTS:]) == [f"night-{place:03d}" for place in range(NIGHTS)]
    assert __main__.main([*arguments, "--json", "--metric", "accuracy"]) == 0
    (change,) = json.loads(capsys.readouterr().out)["changes"]
    assert (change["run"], change["worse"], change["approach"]) == (f"night-{CHANGED:03d}", True, "approach_1")


def test_what_cannot_be_read_is_named_and_the_rest_goes_on(tmp_path, capsys):
    drawn, folder = Suite(np.random.default_rng(2), approaches=2), tmp_path / "results" / "s"
    runs = [write(folder, drawn.night(), place) for place in range(3)]
    (runs[1] / "results.parquet").write_bytes(b"PAR1")
    (runs[0] / "verdict.json").write_text("{")
    found = history.read(folder)
    assert ([night.side.path for night in found.nights], len(found.unread)) == ([runs[0], runs[2]], 1)
    assert "not a readable table" in found.unread[0]
    code = __main__.main(["history", str(folder), "--reports", str(tmp_path / "reports")])
    assert (code, "not a readable table" in capsys.readouterr().err) == (1, True)


def test_bad_input_is_one_line(suite, tmp_path, capsys):
    assert "no run of a suite lies there" in refused(capsys, "history", "nothing", "--results", tmp_path)
    line = refused(capsys, "history", suite, "--metric", "perplexty", "--reports", tmp_path)
    assert "no metric 'perplexty'; did you mean 'perplexity'" in line
    with pytest.raises(ResultsError):
        history.read(tmp_path)


def test_another_suite_s_run_is_none_of_its_nights(tmp_path):
    drawn = Suite(np.random.default_rng(0), approaches=2)
    runs = [write(tmp_path / "nightly", drawn.night(), place) for place in range(3)]
    about = json.loads((runs[1] / "run.json").read_text())
    (runs[1] / "run.json").write_text(json.dumps(about | {"suite": "another"}))
    found = history.read(tmp_path / "nightly")
    assert len(found.nights) == 2
    assert found.unread == [f"{runs[1]}: a run of another, and this is the history of nightly"]
    pd.read_parquet(runs[0] / "results.parquet").drop(columns=["unit"]).to_parquet(runs[0] / "results.parquet")
    assert "not a readable table (it lacks unit)" in history.read(tmp_path / "nightly").unread[0]


def test_where_figures_begin_and_end_is_told(tmp_path, capsys):
    drawn, folder = Suite(np.random.default_rng(3), approaches=3), tmp_path / "results" / "nightly"
    for place in range(9):
        frame = drawn.night()
        if place >= 4:
            frame["approach"] = frame["approach"].replace("approach_1", "renamed")
        if place >= 6:
            frame = frame[~((frame["approach"] == "approach_2") & (frame["metric"] == "accuracy"))]
        if place == 5:  # one night's failure is no end
            frame = frame[frame["approach"] != "approach_0"]
        run = write(folder, frame, place)
    about = json.loads((run / "run.json").read_text())  # nor is what has not finished
    (run / "run.json").write_text(json.dumps(about | {"finished": None, "ends": {}}))
    frame = pd.read_parquet(run / "results.parquet")
    frame[frame["approach"] == "renamed"].to_parquet(run / "results.parquet", index=False)
    found = history.read(folder)
    assert [appearances.line(one) for one in appearances.appearances(found)] == [
        "ends here: 3 figures of approach_1",
        "begins here: 3 figures of renamed",
        "ends here: 1 figure of approach_2 (accuracy)",
    ]
    assert [one.night for one in appearances.appearances(found)] == [4, 4, 6]
    arguments = ["history", str(folder), "--reports", str(tmp_path)]
    assert __main__.main(arguments) == 0
    out = capsys.readouterr().out
    assert "night-004\n  ends here: 3 figures of approach_1\n  begins here: 3 figures of renamed\n" in out
    page = (tmp_path / "nightly" / "history.html").read_text()
    assert "ends here: 3 figures of approach_1" in page
    assert "No figure changed its level" in page
    assert __main__.main([*arguments, "--json"]) == 0
    assert [one["approach"] for one in json.loads(capsys.readouterr().out)["appearances"]] == [
        "approach_1",
        "renamed",
        "approach_2",
    ]


def test_lines_fit_a_terminal_and_figures_stay_whole(suite, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "50")
    __main__.main(["history", "nightly", "--results", str(suite.parent), "--reports", str(tmp_path)])
    *lines, _page = capsys.readouterr().out.splitlines()
    assert [line for line in lines if len(line) > 50 or line != line.rstrip()] == []
    (figure,) = (line for line in lines if "→" in line and "%" in line)
    assert re.search(r"[\d.]+ → [\d.]+ \(\+[\d.]+ %\)", figure)
