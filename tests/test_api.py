"""The same from Python: in a script, on a prompt, in a thread."""

import threading
from pathlib import Path

import pandas as pd
import pytest

import bench
from bench.errors import SuiteError
from bench.results import tidy
from tests import tiny

PATIENCE = 120  # seconds

SCRIPT = """\
import threading
import bench

print("begun")
table = bench.run("tiny.yaml", reports_folder=None, workers=1)
found = []
thread = threading.Thread(target=lambda: found.append(bench.run("tiny.yaml", new=True, reports_folder=None)))
thread.start()
thread.join()
print(len(table), len(found[0]), list(table.columns) == list(found[0].columns), __name__)
"""


def test_a_script_without_a_main_guard_runs_once_and_from_a_thread_too(tmp_path: Path) -> None:
    tiny.write(tmp_path)
    (tmp_path / "script.py").write_text(SCRIPT)
    with tiny.started("script.py", cwd=tmp_path) as process:
        said, noise = process.communicate(timeout=PATIENCE)
    assert process.returncode == 0, noise
    rows = len(tidy.read(tiny.latest(tmp_path / "tiny.yaml")))
    assert said == f"begun\n{rows} {rows} True __main__\n"
    assert len(list((tmp_path / "results" / "tiny").iterdir())) == 2
    assert "Traceback" not in noise
    assert not (tmp_path / "reports").exists()


def test_it_runs_on_a_prompt(tmp_path: Path) -> None:
    tiny.write(tmp_path)
    code = "import bench; print(bench.run('tiny.yaml', reports_folder=None)['status'].tolist()[0])"
    with tiny.started("-c", code, cwd=tmp_path) as process:
        said, noise = process.communicate(timeout=PATIENCE)
    assert (process.returncode, said) == (0, "ok\n"), noise


def test_the_table_it_returns_is_the_one_it_wrote(finished: Path) -> None:
    suite = finished.parent.parent.parent / "tiny.yaml"
    table = bench.run(suite, results_folder=suite.parent / "results", reports_folder=None)
    pd.testing.assert_frame_equal(table, tidy.read(finished))


def test_a_thread_that_is_not_the_main_one_leaves_signals_alone(finished: Path) -> None:
    suite = finished.parent.parent.parent / "tiny.yaml"
    found: list[pd.DataFrame] = []
    thread = threading.Thread(
        target=lambda: found.append(bench.run(suite, results_folder=suite.parent / "results", reports_folder=None))
    )
    thread.start()
    thread.join(PATIENCE)
    assert len(found) == 1


def test_a_plan_says_what_a_run_would_do(finished: Path) -> None:
    suite = finished.parent.parent.parent / "tiny.yaml"
    plan = bench.plan(suite, results_folder=suite.parent / "results")
    assert plan.run == finished
    assert plan.seconds == 0
    assert {cell.id for cell in plan.cells} == plan.finished


def test_a_fault_is_raised_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SuiteError, match="nothing_of_the_kind"):
        bench.run("nothing_of_the_kind.yaml")
    assert not list(tmp_path.iterdir())
