"""A real run looked at from another process: while it works, after it was killed, and when it has been gone on with."""

import os
import signal
import time
from pathlib import Path

import pytest

from bench.running import tracking
from tests import tiny
from tests.commands.test_status import as_json, shown
from tests.running.test_runner_stopped import PATIENCE, SLOW, has_begun, wait_for


def test_a_run_that_works_and_is_killed_and_goes_on(
    awkward: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.write(tmp_path, approaches=["raising", *SLOW["approaches"]], seeds=[0, 1])
    with tiny.started("-m", "bench", "run", str(path), "--workers", "2", cwd=tmp_path) as process:
        wait_for(lambda: any(tracking.read(run) for run in tmp_path.glob("results/*/*")))
        folder = tiny.latest(path)
        code, told = as_json(capsys, folder)
        assert (told["state"], told["pid"], told["cells"]) == ("running", process.pid, 12)
        wait_for(lambda: has_begun(path) and getattr(tracking.read(folder), "at_work", None))
        time.sleep(tracking.PAUSE)
        _, told = as_json(capsys, folder)
        assert (told["state"], told["stage"]) == ("running", "train")
        assert sum(told["ended"].values()) + told["left"] == 12
        assert 0 < len(told["at_work"]) <= 2
        assert not shown(capsys, folder)[1].keys() & {"go on"}
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    assert (folder / tracking.NAME).exists(), "so that it is told from a run that works by its lock alone"
    code, lines = shown(capsys, folder)
    assert code == 1
    assert lines[""].startswith(f"{folder}: stopped half way; nothing works on it")
    there = len(list(folder.glob("cells/*.json")))
    assert lines["cells"].startswith(f"{there} of 12 ended: ")
    assert lines["go on"] == f"cd {tmp_path} && bench run {path}"
    monkeypatch.chdir(tmp_path)
    assert shown(capsys, "results/tiny")[1]["go on"] == f"bench run {path}"
    tiny.run(path)
    capsys.readouterr()
    assert not (folder / tracking.NAME).exists()
    code, lines = shown(capsys, folder)
    assert code == 1
    assert lines["cells"] == "12 of 12 ended: 10 ok, 2 failed"
    assert lines["failed"].endswith(": RuntimeError: a fault in two lines")
    assert lines["report"].startswith("none yet; bench report ")
