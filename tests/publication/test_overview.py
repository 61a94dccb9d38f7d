"""``reports/index.html``: what is listed, in which order, with which verdict, and who renews it."""

import re
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from bench import __main__
from bench.publication import overview
from bench.results import files, runs
from tests.commands.test_compare import change
from tests.comparison.nights import Suite, write
from tests.report.runs import make_run


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with three nights of one suite, the third a regression, that is worked in."""
    drawn = Suite(np.random.default_rng(0), approaches=4)
    for place in range(3):
        changed = {("approach_1", "perplexity"): 1.3} if place == 2 else {}
        write(tmp_path / "results" / "nightly", drawn.night(changed), place)
    (tmp_path / "reports").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


class _Rows(HTMLParser):
    """The rows of all tables: what their cells say, and their first link."""

    def __init__(self) -> None:
        super().__init__()
        self.rows: list[list[str]] = []
        self.links: list[str] = []
        self.titles: list[str] = []
        self._at = ""

    def handle_starttag(self, tag, attrs):
        self._at = tag if tag != "wbr" else self._at
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        if tag == "h2":
            self.titles.append("")
        if tag == "a":
            self.links.append(dict(attrs)["href"])

    def handle_data(self, data):
        if self._at == "h2":
            self.titles[-1] += data.strip()
        elif self._at in ("td", "th", "a", "small") and self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.strip()

    def handle_endtag(self, tag):
        self._at = "" if tag in ("table", "h2") else self._at


def listed(reports: Path = Path("reports")) -> _Rows:
    found = _Rows()
    found.feed((reports / overview.NAME).read_text())
    found.rows = [row for row in found.rows if row[0] != "run"]
    return found


def test_runs_stand_newest_first_with_verdict_cells_and_machine(here: Path) -> None:
    overview.renew(Path("reports"), Path("results"))
    found = listed()
    assert found.titles == ["nightly"]
    assert [row[0] for row in found.rows] == ["night-002no report", "night-001no report", "night-000no report"]
    assert found.rows[0][1:4] == ["2026-01-03 00:00", "not compared", "36 ok"]
    assert found.links == []


def test_a_comparison_with_the_last_ok_run_renews_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    first = make_run(Path("results"), sizes=(50,), seeds=(0, 1), beside=False)
    suite = first.parent
    for night, factor in (("1", 1.0), ("2", 1.0), ("3", 1.5)):
        shutil.copytree(first, suite / night)
        change(suite / night, "full_finetuning", factor, f"2026-01-0{night}T00:00:00+00:00")
    shutil.rmtree(first)
    assert __main__.main(["compare", str(suite / "2"), "--against", "last-ok"]) == 0
    assert not Path("reports").exists()  # which no comparison makes
    Path("reports").mkdir()
    assert __main__.main(["compare", str(suite / "3"), "--against", "last-ok"]) == 1
    verdicts = [row[2] for row in listed().rows]
    assert re.fullmatch(r"regression: \d+ worse, against 2", verdicts[0])
    assert verdicts[1:] == ["no regression, against 1", "not compared"]
    info, _ = runs.read_info(suite / "3")
    files.write_json(suite / "3" / "run.json", info | {"finished": None, "ends": {}})
    overview.renew(Path("reports"), Path("results"))
    assert [row[2] for row in listed().rows] == ["not finished", "no regression, against 1", "not compared"]
    assert listed().rows[0][3] == f"{len(info['cells'])} cells"
    assert capsys.readouterr().err == ""


def test_a_report_and_a_history_renew_it_and_are_linked(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(here / "results", sizes=(50,), seeds=(0, 1), beside=False)
    assert __main__.main(["report", str(run.relative_to(here))]) == 0
    assert listed().titles == ["nightly", "quickstart"]  # which began in the year before
    assert listed().links == [f"quickstart/{run.name}/index.html", f"quickstart/{run.name}/across.html"]
    assert __main__.main(["history", "nightly"]) == 0
    found = listed()
    assert found.links[0] == "nightly/history.html"
    assert all((here / "reports" / link).is_file() for link in found.links)
    shutil.rmtree(run)
    assert __main__.main(["history", "nightly"]) == 0
    assert [run.name + "across models", "—", "its results are not here"] == [
        listed().rows[-1][place] for place in (0, 1, 3)
    ]
    capsys.readouterr()


def test_what_stands_there_and_is_not_ours_stays(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("reports/index.html").write_text("my own page")
    assert __main__.main(["history", "nightly"]) == 0
    assert "not made by transferbench, so it stays as it is" in capsys.readouterr().err
    assert Path("reports/index.html").read_text() == "my own page"


def test_odd_names_and_damage_break_nothing(here: Path) -> None:
    odd = here / "results" / "nightly" / "a b%2e=(1)"
    shutil.copytree(here / "results" / "nightly" / "night-000", odd)
    info, _ = runs.read_info(odd)
    machine = {"processor": "<script>alert(1)</script>"}
    files.write_json(odd / "run.json", info | {"run": odd.name, "environment": {"machine": machine}})
    files.write_json(odd / "verdict.json", {"counts": [1], "against": 3, "finished": info["finished"]})
    Path("reports/nightly", odd.name).mkdir(parents=True)
    Path("reports/nightly", odd.name, "index.html").touch()
    broken = here / "results" / "nightly" / "night-001"
    (broken / "run.json").write_text('{"suite": "../../x", "cells": 3')
    overview.renew(Path("reports"), Path("results"))
    html = Path("reports/index.html").read_text()
    assert "<script" not in html
    assert 'href="nightly/a%20b%252e%3D%281%29/index.html"' in html
    rows = {row[0]: row[2] for row in listed().rows}
    assert rows["a b%2e=(1)"] == "no regression"
    assert rows["night-001no report"] == "damaged"


def test_a_year_of_nights_takes_no_time(tmp_path: Path) -> None:
    """Without reading a record; those before the last thirty are there when asked for."""
    info, _ = runs.read_info(make_run(tmp_path / "one", beside=False))
    for night in range(365):
        began = f"2026-{night // 28 + 1:02d}-{night % 28 + 1:02d}T00:00:00+00:00"
        run = tmp_path / "results" / "nightly" / f"{night:03d}"
        files.write_json(run / "run.json", info | {"suite": "nightly", "run": run.name, "started": began})
    (tmp_path / "reports").mkdir()
    began_at = time.perf_counter()
    overview.renew(tmp_path / "reports", tmp_path / "results")
    assert time.perf_counter() - began_at < 3  # 0.3 s where nothing else runs
    html = (tmp_path / "reports" / "index.html").read_text()
    assert html.index("335 earlier runs") > html.index(">336")
    assert [row[0] for row in listed(tmp_path / "reports").rows] == [f"{n:03d}no report" for n in reversed(range(365))]


def test_results_of_a_run_that_lies_alone(here: Path) -> None:
    assert overview.results_of(here / "results" / "nightly" / "night-000") == here / "results"
    alone = Path(shutil.copytree(here / "results" / "nightly" / "night-000", here / "elsewhere"))
    assert overview.results_of(alone) is None


def test_a_report_of_results_elsewhere_drops_no_line_of_ours(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(here / "elsewhere" / "results", sizes=(50,), seeds=(0, 1), beside=False)
    assert __main__.main(["report", str(run)]) == 0
    assert listed().titles == ["nightly", "quickstart"]
    assert "its results are not here" not in Path("reports/index.html").read_text()
    before = Path("reports/index.html").read_text()
    shutil.copytree(run, run.with_name("2"))
    for place, night in enumerate((run, run.with_name("2"))):
        change(night, "lora", 1.0, f"2026-01-0{place + 1}T00:00:00+00:00")
    assert __main__.main(["compare", str(run.with_name("2")), "--against", "last-ok"]) == 0
    assert Path("reports/index.html").read_text() == before  # what is compared there is listed there
    capsys.readouterr()
