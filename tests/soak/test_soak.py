"""A little of each part of a soak; and faults and input that no other room is right for."""

import ast
import datetime
import re
import subprocess
import tempfile
from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path
from shutil import which

import pytest

from bench import __main__, report
from bench.results import files, packed, runs, tidy
from bench.running import runner
from bench.suite import loading
from tests import tiny
from tests.report.runs import make_run
from tests.soak import attempts, faults, malicious, named
from tests.soak.__main__ import PARTS, main

# The soak itself ------------------------------------------------------------------------------------------------------


def test_a_few_of_each_and_what_is_in_the_log_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # as the soak sets it
    log, table = tmp_path / "log.jsonl", tmp_path / "table.md"
    common = ["--log", str(log), "--table", str(table)]
    assert main(["suites", "--count", "20", *common]) == 0
    log.write_text(log.read_text()[:-20])  # killed while it wrote
    assert main(["suites", "--count", "25", *common]) == 0
    assert main(["results", "--count", "3", "--seed", "1", *common]) == 0
    came = attempts.read(log)
    assert sorted(one.number for one in came if one.part == "suites") == list(range(25))
    assert [one.kind for one in came if one.part == "results"] == ["bench report", "bench compare", "bench history"]
    text = table.read_text()
    assert re.search(r"\| suites \| .* \| 25 \| 0 \|", text)
    assert re.search(r"\| results \| .* \| 3 \| 0 \|", text)
    assert capsys.readouterr().out.rstrip().splitlines()[-1] == text.rstrip().splitlines()[-1]


def test_what_goes_wrong_is_told_and_stays_in_the_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setattr("bench.suite.loading.load", lambda path: 1 / 0)
    assert main(["suites", "--only", "3", "--log", str(tmp_path / "log")]) == 1
    said = capsys.readouterr()
    assert "suites 3 of seed 0: " in said.err
    assert "ZeroDivisionError" in said.err
    assert "| went wrong | 1 | 1 |" in said.out


@pytest.mark.parametrize("tests", [faults.FAULTS, malicious.INPUTS])
def test_every_test_that_is_named_is_there(tests: named.Named) -> None:
    for name in {test for its in tests.values() for test in its}:
        file, _, function = name.partition("::")
        tree = ast.parse((named.ROOT / "tests" / file).read_text(encoding="utf-8"))
        there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert not function or function in there, name
    assert set(PARTS) == {"kills", "suites", "results", "faults", "malicious"}


# Faults ---------------------------------------------------------------------------------------------------------------


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """One of the test's own, which a fork server of its own knows."""
    with monkeypatch.context() as patch:
        patch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "cache"))
        forkserver._forkserver._stop()  # type: ignore[attr-defined]  # one that is there has the cache of all tests
        yield tmp_path / "cache"
    forkserver._forkserver._stop()  # type: ignore[attr-defined]


def test_a_damaged_base_model_a_clock_that_goes_backwards_and_another_file_system(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The model is pretrained again and scores the same; the later run stays the latest, and took no less than nothing.

    Results and cache lie on two file systems where the machine has two.
    """

    class Earlier(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Earlier":
            return cls(2001, 1, 1, tzinfo=tz)

    other = Path("/dev/shm") if Path("/dev/shm").is_dir() else tmp_path
    with tempfile.TemporaryDirectory(dir=other) as there:
        path = tiny.write(Path(there))
        first = tiny.run(path)
        (weights,) = (cache / "models").glob("*/*.safetensors")
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-4] + bytes(4))
        monkeypatch.setattr(datetime, "datetime", Earlier)
        second = tiny.run(path, new=True)
        assert weights.read_bytes() == whole
        assert tiny.quality(second) == tiny.quality(first)
        assert runs.latest(first.parent) == second != first
        assert 0 < runs.read_info(second)[0]["seconds"] < 600
        assert runner.start(loading.load(path), path.parent / "results") == second
        assert any("damaged" in log for log in (file.decode() for file in _logs(second).values()))


def _logs(run: Path) -> dict[str, bytes]:
    packed.unpack(run)
    return {str(path): path.read_bytes() for path in run.rglob("*.txt")}


def test_a_file_system_that_is_read_only_is_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    disk = tmp_path / "results"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        code = __main__.main(["run", str(tiny.write(tmp_path)), "--results", str(disk)])
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    said = capsys.readouterr().err
    assert code == 2
    assert said.count("\n") == 1
    assert "not writable; name another folder with --results" in said


# Malicious input ------------------------------------------------------------------------------------------------------

RUNS = "<script>document.title = 'ran'</script><img src=x onerror=\"document.title = 'ran'\"><svg onload=alert(1)>"


@pytest.mark.skipif(not which("chromium"), reason="no Chromium")
def test_nothing_runs_in_a_page(tmp_path: Path) -> None:
    """What others wrote is text; and a page that held a script by a fault of ours would not run it either."""
    run = make_run(tmp_path / "results", sizes=(50,), seeds=(0,))
    for path in run.glob("cells/*.json"):
        record = files.read_json(path)
        if record["happened"]["status"] == "failed":
            record["happened"]["reason"] = RUNS
        files.write_json(path, record)
    for samples in run.glob("cells/*/samples.json"):
        content = samples.read_text().replace("<script>alert('escaped?')</script>", RUNS.replace('"', "'"))
        samples.write_text(content)
    page = Path(report.build(run, tmp_path / "reports")[0])
    html = page.read_text(encoding="utf-8")
    assert "document.title" in html
    shown = dom(page)
    assert title(shown) == title(html) != "ran"
    assert not re.search(r"<(script|iframe|object)|<[^>]* on\w+=", shown)
    script = "<script>document.title = 'ran'</script></body>"
    page.write_text(html.replace("</body>", script), encoding="utf-8")
    assert title(dom(page)) == title(html)
    unguarded = re.sub('<meta http-equiv="Content-Security-Policy"[^>]*>', "", html)
    assert unguarded != html
    page.write_text(unguarded.replace("</body>", script), encoding="utf-8")
    assert title(dom(page)) == "ran", "else this test could not fail"


def dom(page: Path) -> str:
    """What a browser makes of a page."""
    with tempfile.TemporaryDirectory() as profile:
        flags = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={profile}", "--dump-dom"]
        done = subprocess.run(["chromium", *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert "</html>" in done.stdout, done.stderr
    return done.stdout


def title(html: str) -> str:
    return html.partition("<title>")[2].partition("</title>")[0]


def test_a_formula_is_a_text_in_what_a_spreadsheet_opens(finished: Path) -> None:
    found = runs.records(finished)
    formulas = ["=HYPERLINK(1)", "+1", "-1+2", "@SUM(1)", "\t=1"]
    for record, formula in zip(found, formulas, strict=False):
        record["happened"] |= {"status": "failed", "reason": formula, "scores": []}
    lines = tidy.as_csv(tidy.table(found)).splitlines()
    for formula in formulas:
        assert any(f",'{formula}" in line for line in lines)
    numbers = tidy.table(runs.records(finished))
    assert tidy.as_csv(numbers.assign(value=-1.0)).count(",-1.0,") == len(numbers)
