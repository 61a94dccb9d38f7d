"""`bench status`: of runs that are finished, stopped, packed, imported and damaged, and while somebody works on one."""

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.results import files, packed
from bench.running import holding, status, tracking
from bench.running.tracking import Written
from tests import tiny
from tests.plans import refused
from tests.report.runs import make_run
from tests.results.test_imported import cell, made

Shown = tuple[int, dict[str, str]]


def shown(capsys: pytest.CaptureFixture[str], *arguments: object) -> Shown:
    """Exit code, and the first word of each line to the rest of it."""
    code = __main__.main(["status", *map(str, arguments)])
    said = capsys.readouterr()
    assert said.err == ""
    first, *lines = said.out.splitlines()
    return code, {line[:10].strip() or "more": line[10:] for line in lines} | {"": first}


def as_json(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, dict[str, Any]]:
    code = __main__.main(["status", *map(str, arguments), "--json"])
    said: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, said


def test_a_run_that_ended_well(finished: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    code, told = as_json(capsys, finished)
    assert (code, told["state"], told["left"], told["ended"]) == (0, "finished", 0, {"ok": 10})
    assert (told["failures"], told["command"], told["at_work"], told["faults"]) == ([], None, {}, [])
    assert told["seconds"] > 0
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    packed.unpack(folder)
    assert as_json(capsys, folder)[1]["ended"] == {"ok": 10}
    page = tmp_path / "reports" / "tiny" / folder.name / "index.html"
    page.parent.mkdir(parents=True)
    page.touch()
    assert shown(capsys, folder, "--reports", tmp_path / "reports")[1]["report"] == str(page)


def test_one_imported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, lines = shown(capsys, made(tmp_path, cell(seed=0), cell(seed=1)))
    assert code == 0
    assert lines[""].endswith("/one: imported from csv")
    assert lines["cells"] == "2 of 2 ended: 2 ok"


def test_one_of_an_earlier_version_with_every_end(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "results", beside=False)
    loose = as_json(capsys, run)
    assert loose[0] == 1
    assert loose[1]["ended"].keys() == {"ok", "failed", "diverged", "out_of_memory", "not_applicable"}
    assert len(loose[1]["failures"]) == 5
    packed.pack(run)
    assert as_json(capsys, run) == loose


def test_of_many_cells_no_record_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_run(tmp_path / "results", beside=False)
    files.write_json(run / "run.json", files.read_json(run / "run.json") | {"finished": None})
    count = len(files.read_json(run / "run.json")["cells"])
    monkeypatch.setattr(status, "_FEW", 1)
    next(run.glob("cells/*.json")).unlink()
    assert status.look(run).ended == {"": count - 1}
    files.write_json(run / tracking.NAME, Written(ended={"ok": 3, "failed": 1}, updated=2, began=1)._asdict())
    found = status.look(run)
    assert (found.state, found.ended, found.seconds) == ("stopped", {"ok": 3, "failed": 1}, 1)


def test_another_command_at_work(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    (folder / tracking.NAME).write_text("{}")  # of one that was killed
    with holding.alone(folder):
        code, lines = shown(capsys, folder)
        assert status.is_held(folder)
    assert (code, lines[""]) == (0, f"{folder}: a process is at work on it")
    assert lines["cells"] == "10 of 10 ended: 10 ok"
    assert not status.is_held(folder)


def test_one_that_has_hardly_begun(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with holding.alone(tmp_path):
        assert shown(capsys, tmp_path) == (0, {"": f"{tmp_path}: a process is at work on it"})
    assert "holds no run.json; name a folder such as" in refused(capsys, "status", tmp_path)


def test_who_only_looks_keeps_no_run_from_starting(tmp_path: Path) -> None:
    code = """
import sys, threading, time
from pathlib import Path
from bench.running import status
folder, until = Path(sys.argv[1]), time.monotonic() + 30
print(flush=True)
while time.monotonic() < until and not (folder / "enough").exists():
    status.is_held(folder)
    time.sleep(0.001)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env=tiny.environment(), stdout=subprocess.PIPE
    ) as looking:
        assert looking.stdout
        looking.stdout.readline()
        for _ in range(200):
            with holding.alone(tmp_path):
                pass
        (tmp_path / "enough").touch()


@pytest.mark.parametrize(
    "content", ["", "{", "[]", '{"pid": []}', '{"ended": {"ok": "many"}, "began": 1e400}', f'{{"updated": {10**400}}}']
)
def test_a_damaged_note_of_how_far_it_is(content: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "results", beside=False)
    files.write_json(run / "run.json", files.read_json(run / "run.json") | {"finished": None})
    with holding.alone(run):
        (run / tracking.NAME).write_text(content)
        assert shown(capsys, run)[1][""].startswith(f"{run}: ")
    (run / tracking.NAME).write_text(content)
    assert shown(capsys, run)[0] == 1


def test_damaged_runs(finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    (folder / packed.RECORDS).unlink()
    code, lines = shown(capsys, folder)
    assert code == 1
    assert lines["damaged"].startswith(f"{packed.RECORDS}: it is gone; `bench verify")
    (folder / packed.RECORDS).write_bytes(b"another")
    files.write_json(folder / "run.json", files.read_json(folder / "run.json") | {"ends": {}})
    code, lines = shown(capsys, folder)
    assert code == 1
    assert lines["damaged"].startswith("10 records cannot be read; `bench verify")
    (folder / packed.RECORDS).unlink()
    (folder / "run.json").write_text("{")
    assert "not the record of a run" in refused(capsys, "status", folder)
    loose = make_run(tmp_path / "results", beside=False)
    (loose / "run.json").write_text('{"cells": 3}')
    code, lines = shown(capsys, loose)
    assert code == 1
    assert lines[""].endswith("its own file is damaged, so nobody knows whether it is complete")
    assert lines["damaged"].startswith("run.json: it names no cells; run the suite again")


def test_a_run_that_says_nothing_any_more(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = make_run(tmp_path / "results", beside=False)
    with holding.alone(run):
        now = Written(pid=7, host="here", stage="train", of="cells", done=1, total=3, cells=3, ended={"ok": 1})
        at_work = {"a": (5.0, 10.0), "b": (0.0, 0.0)}
        now = now._replace(began=time.time() - 3600, updated=time.time() - 600, at_work=at_work, unknown=1)
        files.write_json(run / tracking.NAME, now._replace(seconds_left=90.0)._asdict())
        _, lines = shown(capsys, run)
        assert lines[""] == f"{run}: running for 1 h 0 min (process 7 on here); it has written nothing for 10 min 0 s"
        assert lines["stage"] == "training: cells, 1 of 3 done"
        assert lines["time"] == "more than about 1 min 30 s left: of 1 cell nothing can be said yet"
        files.write_json(run / tracking.NAME, now._replace(seconds_left=90.0, unknown=0)._asdict())
        said = "about 1 min 30 s left, from what cells of the same model took so far; then the measurements"
        assert shown(capsys, run)[1]["time"] == said
        files.write_json(run / tracking.NAME, now._asdict())
        assert shown(capsys, run)[1]["time"] == "left not known yet: no cell like these has ended"
        files.write_json(run / tracking.NAME, now._replace(stage="prepare")._asdict())
        assert shown(capsys, run)[1]["time"] == "left not known before cells train"


def test_it_needs_no_library_for_schemas_or_tables(tmp_path: Path) -> None:
    """Which take longer to import than all that it does."""
    run = make_run(tmp_path / "results", beside=False)
    code = f"""
import sys
from bench import __main__
__main__.main(["status", {str(run)!r}])
assert not {{"pydantic", "pandas", "pyarrow", "numpy", "torch", "filelock", "rich"}} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", code], env=tiny.environment(), check=True, cwd=tmp_path)
