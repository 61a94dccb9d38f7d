"""``bench compare``: its ends, its forms, its baselines, and bad input."""

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pandas as pd
import pytest

from bench import __main__
from bench.comparison import baselines
from bench.results import files, packed, runs, tidy
from tests.plans import refused
from tests.report.runs import make_run

METRIC = "bits_per_byte"


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a suite with three nights: one, the same again, and one in which an approach is worse."""
    first = make_run(tmp_path_factory.mktemp("a") / "results", beside=False)
    suite = first.parent
    first.rename(suite / "1")
    for name, factor in (("1", 1.0), ("2", 1.0), ("3", 1.5)):
        night = suite / name
        if name != "1":
            shutil.copytree(suite / "1", night)
        change(night, "full_finetuning", factor, f"2026-01-0{name}T00:00:00+00:00")
    return suite


def change(night: Path, approach: str, factor: float, began: str) -> None:
    """Make a night of its own: well ended, begun then, with one approach's scores times ``factor``."""
    for record in runs.records(night):
        if record["asked"]["approach"] == approach:
            for score in record["happened"]["scores"]:
                score["value"] *= factor if score["better"] == "lower" else 1 / factor
        if record["happened"]["status"] not in ("ok", "not_applicable"):
            record["happened"] |= {"status": "not_applicable", "reason": "has no meaning here"}
        files.write_json(runs.record_path(night, record["cell"]), record)
    info, _ = runs.read_info(night)
    ended = {"started": began, "finished": began.replace("T00", "T01"), "ends": {"ok": 1}, "run": night.name}
    files.write_json(night / "run.json", {**info, **ended})
    tidy.write(night, runs.records(night))


def compare(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = __main__.main(["compare", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_same_again_is_no_regression(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, err = compare(capsys, nights / "1", nights / "2")
    assert (code, err) == (0, "")
    assert "/ 2 against" in out
    assert "\nno regression: " in out


def test_a_regression_is_named_and_written_in_every_form(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    markdown, junit = tmp_path / "verdict.md", tmp_path / "verdict.xml"
    code, out, _ = compare(capsys, nights / "1", nights / "3", "--markdown", markdown, "--junit", junit)
    assert code == 1
    assert "\nregression: " in out
    assert "full_finetuning" in out
    assert markdown.read_text().startswith("## ❌ regression: ")
    assert "full\\_finetuning" in markdown.read_text()
    suite = ElementTree.parse(junit).getroot()
    failed = [case for case in suite if case.find("failure") is not None]
    assert len(failed) == int(suite.get("failures", "")) > 0
    code, out, _ = compare(capsys, nights / "1", nights / "3", "--json")
    found = json.loads(out)
    assert (code, found["regression"], found["complete"]) == (1, True, True)
    worse = [row for row in found["rows"] if row["verdict"] == "worse"]
    assert {row["approach"] for row in worse} == {"full_finetuning"}
    assert found["counts"]["worse"] == len(worse)


def test_the_page_is_written_where_it_was_asked_for(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "verdict.html"
    code, out, _ = compare(capsys, nights / "1", nights / "3", "--page", page)
    assert code == 1
    assert out.endswith(f"\npage     {page}\n")
    html = page.read_text(encoding="utf-8")
    verdict = next(line for line in out.splitlines() if line.startswith("regression: "))
    assert verdict in html
    assert "3 against 1" in html
    assert "quickstart / 3 kept no samples." in html
    code, out, _ = compare(capsys, nights / "1", nights / "3", "--page", page, "--json")
    assert json.loads(out)["page"] == str(page)
    assert "page" not in json.loads(compare(capsys, nights / "1", nights / "3", "--json")[1])


def test_what_is_not_shown_is_counted(
    nights: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("bench.commands._verdicts.MOST", 2)
    _, out, _ = compare(capsys, nights / "1", nights / "3")
    _, told, _ = compare(capsys, nights / "1", nights / "3", "--json")
    worse = json.loads(told)["counts"]["worse"]
    assert f"\nand {worse - 2} more, see --json\n" in out


def test_tables_are_compared_like_runs(nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tables = []
    for name in ("1", "3"):
        tables.append(tmp_path / f"{name}.csv")
        tidy.read(nights / name).to_csv(tables[-1], index=False)
    code, out, _ = compare(capsys, *tables)
    assert code == 1
    assert "full_finetuning" in out
    assert "which machine measured it is not known" in out


def test_the_last_ok_run_is_no_regression_itself(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = Path(shutil.copytree(nights, tmp_path / nights.name))
    code, out, _ = compare(capsys, suite / "3", "--against", "last-ok")
    assert code == 1
    assert "/ 3 against" in out
    assert "/ 2\n" in out
    assert files.parsed(suite / "3" / "verdict.json")["regression"] is True
    shutil.copytree(suite / "1", suite / "4")
    change(suite / "4", "full_finetuning", 1.0, "2026-01-04T00:00:00+00:00")
    code, out, _ = compare(capsys, suite / "4", "--against", "last-ok")
    assert code == 0
    assert "/ 2\n" in out  # the third was a regression
    line = refused(capsys, "compare", suite / "1", "--against", "last-ok")
    assert "no earlier run of" in line


def test_what_has_not_finished_ends_with_3(nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night = Path(shutil.copytree(nights / "2", tmp_path / "suite" / "2"))
    packed.unpack(night)
    cell = runs.records(night)[-1]["cell"]
    runs.record_path(night, cell).unlink()
    files.write_json(night / "run.json", runs.read_info(night)[0] | {"finished": None, "packed": {}})
    code, out, err = compare(capsys, nights / "1", night)
    assert code == 3
    assert "1 cell not finished" in out
    assert "go on by bench run" in err


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["1"], "name two runs, BASE and NEW, or one and --against last-ok"),
        (["1", "2", "3"], "name two runs, BASE and NEW, or one and --against last-ok"),
        (["1", "2", "--tolerance", "speed"], "argument --tolerance: 'speed' is not a name and a share"),
        (["1", "2", "--tolerance", "speed=-1"], "argument --tolerance: 'speed=-1' is not a name and a share"),
        (["1", "2", "--tolerance", "perplexty=0.1"], "tolerances: perplexty: "),
        (["1", "nothing"], "nothing: holds no run.json"),
        (["1", "other.csv"], "other.csv: no tidy table, it lacks the columns suite, "),
        (["1", "broken.parquet"], "broken.parquet: not a readable table"),
        (["1", "newer.csv"], "newer.csv: not a tidy table"),
        (["1", "2", "--markdown", "nowhere/x.md"], "nowhere/x.md: "),
        (["1", "2", "--page", "nowhere/x.html"], "nowhere/x.html: "),
        (["1", "2", "--page", "."], ".: cannot be written (Is a directory); name another file"),
    ],
    ids=str,
)
def test_bad_input_is_one_line(
    arguments: list[str],
    problem: str,
    nights: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    (tmp_path / "broken.parquet").write_bytes(b"PAR1")
    tidy.read(nights / "1").astype({"value": object}).assign(value="a lot").to_csv(tmp_path / "newer.csv", index=False)
    given = [str(nights / one) if one in "123" else one for one in arguments]
    assert refused(capsys, "compare", *given).startswith(f"bench: {problem}")


def test_facts_that_changed_are_named(nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    night = Path(shutil.copytree(nights / "1", tmp_path / "suite" / "5"))
    info, _ = runs.read_info(night)
    packages = info["environment"].get("packages", {}) | {"torch": "99.0"}
    files.write_json(night / "run.json", info | {"environment": info["environment"] | {"packages": packages}})
    _, out, _ = compare(capsys, nights / "1", night)
    assert "changed packages.torch: " in out
    assert "→ 99.0" in out


def test_names_cannot_break_a_form(nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frame = tidy.read(nights / "1")
    evil = "<b>|`x`\x1b[31m\x00"
    frame["approach"] = frame["approach"].replace("full_finetuning", evil)
    worse = frame.assign(value=frame["value"].where(frame["approach"] != evil, frame["value"] * 1.5))
    paths = [tmp_path / "a.parquet", tmp_path / "b.parquet"]
    for path, one in zip(paths, (frame, worse), strict=True):
        pd.DataFrame(one).to_parquet(path)
    forms = ("--markdown", tmp_path / "x.md", "--junit", tmp_path / "x.xml", "--page", tmp_path / "x.html")
    _, out, _ = compare(capsys, *paths, *forms)
    assert "\x1b" not in out
    assert "\\<b\\>\\|\\`x\\`" in (tmp_path / "x.md").read_text()
    assert ElementTree.parse(tmp_path / "x.xml").getroot().get("tests")
    page = (tmp_path / "x.html").read_text(encoding="utf-8")
    assert "&lt;b&gt;|`x`" in page
    assert not [part for part in ("\x1b", "\x00", "<b>|") if part in page]


def test_nights_that_lie_apart_in_time_are_told(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "suite"
    for number in range(9):
        shutil.copytree(nights / "1", suite / str(number))
        slow(suite / str(number), 1.0 if number % 2 else 2.0, f"2026-01-1{number}T00:00:00+00:00")
    forms = ("--markdown", tmp_path / "said.md", "--page", tmp_path / "x.html")
    code, out, _ = compare(capsys, suite / "7", suite / "8", *forms)
    assert code == 0
    assert "training_seconds: nights on this machine differ by up to" in (tmp_path / "x.html").read_text()
    assert "training_seconds: nights on this machine differ by up to" in " ".join(out.split())
    assert "### How far nights lie apart" in (tmp_path / "said.md").read_text()
    assert json.loads(compare(capsys, suite / "7", suite / "8", "--json")[1])["paces"]["training_seconds"] > 1
    assert compare(capsys, suite / "0", suite / "3")[0] == 0  # faster, and no night before tells that it is chance
    assert compare(capsys, suite / "1", suite / "2")[0] == 1


def slow(night: Path, factor: float, began: str) -> None:
    """Make a night whose times are as many times as long."""
    for record in runs.records(night):
        for score in record["happened"]["scores"]:
            score["value"] *= factor if score["unit"] in ("s", "ms") else 1.0
        files.write_json(runs.record_path(night, record["cell"]), record)
    change(night, "", 1.0, began)
    info, _ = runs.read_info(night)
    files.write_json(night / "run.json", {**info, "environment": {"machine": {"id": "here"}}})


def test_the_first_night_is_no_fault_where_it_may_be(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "quickstart"
    shutil.copytree(nights / "1", suite / "1")
    assert compare(capsys, suite / "1", "--against", "last-ok")[0] == 2
    code, out, _ = compare(capsys, suite / "1", "--against", "last-ok", "--first", "--markdown", tmp_path / "said.md")
    assert (code, out) == (0, "quickstart / 1: the first run, with which later ones are compared\n")
    assert (tmp_path / "said.md").read_text() == out
    shutil.copytree(nights / "2", suite / "2")
    info, _ = runs.read_info(suite / "1")
    files.write_json(suite / "1" / "run.json", {**info, "suite": "another"})
    assert compare(capsys, suite / "2", "--against", "last-ok", "--first")[0] == 0
    record = runs.records(suite / "2")[0]
    record["happened"] |= {"status": "failed", "reason": "no", "scores": []}
    files.write_json(runs.record_path(suite / "2", record["cell"]), record)
    code, out, _ = compare(capsys, suite / "2", "--against", "last-ok", "--first", "--json")
    assert (code, json.loads(out)["first"]) == (1, True)
    assert "; 1 cell did not end well" in json.loads(out)["said"]


def test_a_base_that_is_not_finished_is_told(nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    suite = tmp_path / "quickstart"
    for name in ("1", "2"):
        shutil.copytree(nights / name, suite / name)
    info, _ = runs.read_info(suite / "1")
    cells = [*info["cells"], "one-more"]
    files.write_json(suite / "1" / "run.json", {**info, "cells": cells, "finished": None})
    code, _, err = compare(capsys, suite / "1", suite / "2")
    (line,) = err.splitlines()
    assert code == 0
    assert f"/1: 1 cell of {len(cells)} not finished; go on by bench run quickstart --run 1 " in line
    assert line.endswith("or name another: what it lacks is not compared")


def test_sides_that_are_hardly_meant_are_remarked(nights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = compare(capsys, nights / "1", nights / ".." / nights.name / "1")
    assert (code, err.count("\n"), "stands on both sides" in err) == (0, 1, True)
    code, _, err = compare(capsys, nights / "2", nights / "1")
    assert (code, err.count("\n"), "/1: began before " in err) == (0, 1, True)


def test_a_night_that_cannot_be_compared_is_no_baseline(
    nights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    suite = tmp_path / "quickstart"
    for name, source in (("1", "1"), ("2", "2"), ("4", "3")):
        shutil.copytree(nights / source, suite / name)
    wrong = ("--tolerance", "perplexty=0.1")
    assert compare(capsys, suite / "2", "--against", "last-ok", *wrong)[0] == 2
    found, info = files.parsed(suite / "2" / "verdict.json"), runs.read_info(suite / "2")[0]
    assert ("perplexty" in found["unusable"], baselines.verdict(suite / "2", info)) == (True, "could not be compared")
    code, out, _ = compare(capsys, suite / "4", "--against", "last-ok", "--json")
    assert (code, json.loads(out)["base"]["path"]) == (1, str(suite / "1"))
    assert compare(capsys, suite / "2", "--against", "last-ok")[0] == 0  # looked at once more
    code, out, _ = compare(capsys, suite / "4", "--against", "last-ok", "--json")
    assert json.loads(out)["base"]["path"] == str(suite / "2")
