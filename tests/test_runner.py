"""Whole runs: complete, gone on with, stopped in every way, and the same whatever the order."""

import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from bench import cli, results, runner, suite
from bench.errors import BenchError, ResultsError, SuiteError
from tests import tiny

PATIENCE = 60  # seconds a step of a test may take on a busy machine


def copied(finished: Path, folder: Path) -> Path:
    """The suite of a finished run with its results, to be changed."""
    shutil.copytree(finished.parent.parent, folder / "results")
    return Path(shutil.copy(finished.parent.parent.parent / "tiny.yaml", folder))


def edited(path: Path, old: str, new: str) -> Path:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return path


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)


# Going on ---------------------------------------------------------------------------------------------------------


def test_a_second_run_trains_nothing_and_touches_nothing(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    before = tiny.states(tmp_path)
    folder = runner.start(suite.load(path), tmp_path / "results")
    counts = runner.run(suite.load(path), folder, Silent())
    assert counts == {"trained": 0, "kept": len(results.records(folder))}
    assert tiny.states(tmp_path) == before


def test_a_seed_more_trains_the_new_cells_only(finished: Path, tmp_path: Path) -> None:
    path = edited(copied(finished, tmp_path), "- 1\n", "- 1\n- 2\n")
    before = tiny.states(finished / "cells")
    folder = tiny.run(path)
    after = tiny.states(folder / "cells")
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert all("-s2-" in name for name in new)
    assert len(results.records(folder)) == 4 * 3
    assert set(results.read_table(folder)["seed"]) == {0, 1, 2}


def test_another_name_for_an_approach_keeps_its_results(finished: Path, tmp_path: Path) -> None:
    path = edited(
        copied(finished, tmp_path), "- full_finetuning\n", "- {name: all weights, approach: full_finetuning}\n"
    )
    folder = tiny.run(path)
    assert tiny.quality(folder) == tiny.quality(finished)
    approaches = results.read_table(folder)["approach"]
    assert "all weights" in set(approaches)
    assert "full_finetuning" not in set(approaches)


def test_an_approach_taken_out_leaves_the_table_and_comes_back_untrained(finished: Path, tmp_path: Path) -> None:
    path = edited(copied(finished, tmp_path), "- full_finetuning\n", "- zero_shot\n")
    folder = tiny.run(path)
    assert "full_finetuning" not in set(results.read_table(folder)["approach"])
    edited(path, "- zero_shot\n", "- full_finetuning\n")
    assert tiny.run(path) == folder
    assert (folder / "results.csv").read_bytes() == (finished / "results.csv").read_bytes()


def test_a_new_run_leaves_the_earlier_one_as_it_was(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    before = tiny.states(tmp_path)
    folder = tiny.run(path, new=True, workers=1)
    assert folder.name > finished.name
    assert {name: state for name, state in tiny.states(tmp_path).items() if folder.name not in name} == before
    assert tiny.quality(folder) == tiny.quality(finished)


def test_numbers_do_not_depend_on_the_order_of_cells(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    path = edited(path, "- 0\n- 1\n", "- 1\n- 0\n")
    path = edited(path, "- full_finetuning\n", "- from_scratch\n- full_finetuning\n- zero_shot\n")
    folder = tiny.run(path, new=True, workers=2)
    assert [r["cell"] for r in results.records(folder)] != [r["cell"] for r in results.records(finished)]
    assert tiny.quality(folder) == tiny.quality(finished)


def test_only_what_did_not_end_well_is_tried_again(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    folder = tiny.latest(path)
    cell = next(cell for cell in suite.load(path).cells if cell.approach == "full_finetuning" and cell.seed == 1)
    record = results.read_json(results.record_path(folder, cell.id))
    record["happened"] |= {"status": "failed", "reason": "a fault", "scores": []}
    results.write_json(results.record_path(folder, cell.id), record)
    before = tiny.states(folder / "cells")
    tiny.run(path)
    assert tiny.states(folder / "cells") == before, "a failed cell counts as finished"
    tiny.run(path, retry=True)
    changed = {name for name, state in tiny.states(folder / "cells").items() if state != before[name]}
    assert all(name.startswith(cell.id) for name in changed)
    assert f"{cell.id}.json" in changed
    assert tiny.quality(folder) == tiny.quality(finished)


def test_broken_files_of_a_run_are_made_anew(finished: Path, tmp_path: Path) -> None:
    path = copied(finished, tmp_path)
    folder = tiny.latest(path)
    broken = next((folder / "cells").glob("*full_finetuning*-s1-*.json"))
    broken.write_text("")
    (folder / "run.json").write_text("{")
    (folder / "results.parquet").unlink()
    assert tiny.run(path) == folder
    assert tiny.quality(folder) == tiny.quality(finished)
    assert results.read_json(folder / "run.json")["finished"]
    assert len(results.read_table(folder)) == len(results.read_table(finished))


# Every end --------------------------------------------------------------------------------------------------------


def test_every_end_becomes_a_row_and_the_others_go_on(awkward: Path, tmp_path: Path) -> None:
    ends = ["raising", "diverging", "killed", "greedy", "meaningless", {"leaving": {"code": 3}}]
    quiet = {"name": "leaving quietly", "approach": "leaving"}
    hanging = {"name": "hanging", "approach": "hanging", "budget": {"time_limit": 1.0}}
    path = tiny.write(tmp_path, approaches=[hanging, *ends, quiet, "full_finetuning"])
    folder = tiny.run(path, workers=2)
    found = {record["asked"]["approach"]: record["happened"] for record in results.records(folder)}
    assert {name: happened["status"] for name, happened in found.items()} == {
        "zero_shot": "ok",
        "from_scratch": "ok",
        "real_data": "ok",
        "hanging": "timed_out",
        "raising": "failed",
        "diverging": "diverged",
        "killed": "failed",
        "greedy": "out_of_memory",
        "meaningless": "not_applicable",
        "leaving": "failed",
        "leaving quietly": "failed",
        "full_finetuning": "ok",
    }
    assert found["hanging"]["reason"] == "took longer than 1 s; raise budget.time_limit"
    assert found["raising"]["reason"] == "RuntimeError: a fault in two lines"
    assert "nan at step" in found["diverging"]["reason"]
    assert found["killed"]["reason"].startswith("killed (SIGKILL)")
    assert found["greedy"]["reason"].startswith("MemoryError")
    assert found["meaningless"]["reason"] == "a language model has no wings"
    assert found["leaving"]["reason"] == "its process ended with exit code 3"
    assert found["leaving quietly"]["reason"] == "its process ended with exit code 0"
    table = results.read_table(folder)
    assert set(table["approach"]) == set(found)
    ends_of = table[table["status"] != "ok"]
    assert (ends_of["metric"] == "").all()
    assert (ends_of["reason"] != "").all()
    assert "a fault" in next(folder.glob("cells/*raising*/traceback.txt")).read_text()
    assert not list(folder.rglob("*.safetensors"))


def test_what_cannot_be_measured_keeps_its_scores(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, metrics=["cost", "broken"], approaches=["zero_shot"])
    record = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert record["status"] == "ok"
    assert record["scores"]
    assert record["skipped"] == {"measurement": "failed: RuntimeError: a wheel is loose"}
    limited = tiny.SUITE["budget"] | {"time_limit": 3.0}
    path = tiny.write(tmp_path, metrics=["cost", "stopped"], approaches=["zero_shot"], budget=limited)
    record = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert record["status"] == "ok"
    assert record["scores"]
    assert record["skipped"] == {"measurement": "timed_out: took longer than 3 s; raise budget.time_limit"}


def test_a_cell_that_applies_to_nothing_has_a_row_without_a_process(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, approaches=["lora"])
    loaded = suite.load(path)
    cells = [cell.model_copy(update={"reason": "means nothing here"}) for cell in loaded.cells]
    loaded.__dict__["cells"] = cells
    folder = runner.start(loaded, tmp_path / "results")
    assert runner.run(loaded, folder, Silent()) == {"trained": len(cells), "kept": 0}
    table = results.read_table(folder)
    assert set(table["status"]) == {"not_applicable"}
    assert set(table["reason"]) == {"means nothing here"}


# Measuring --------------------------------------------------------------------------------------------------------


def test_nothing_trains_while_something_is_measured(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(
        tmp_path,
        approaches=[{"stamped": {"into": str(tmp_path)}}],
        metrics=["cost", {"stopwatch": {"into": str(tmp_path)}}],
        seeds=[0, 1, 2],
        evaluation={"samples": 8, "batch_size": 64, "measure": "each"},
    )
    table = results.read_table(tiny.run(path, workers=2))
    trained = [json.loads(file.read_text()) for file in tmp_path.glob("trained-*.json")]
    measured = [json.loads(file.read_text()) for file in tmp_path.glob("measured-*.json")]
    assert len(trained) == 3
    assert len(measured) == (table["metric"] == "stopwatch").sum() == 9
    assert any(overlap(a, b) for a in trained for b in trained if a is not b), "two workers train side by side"
    assert not any(overlap(a, b) for a in trained for b in measured)
    assert not any(overlap(a, b) for a in measured for b in measured if a is not b)


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def test_latency_is_measured_once_for_each_approach(finished: Path) -> None:
    table = results.read_table(finished)
    latency = table[table["metric"] == "latency_p50[batch=1]"]
    assert Counter(latency["approach"]) == {"zero_shot": 1, "from_scratch": 1, "full_finetuning": 1}
    assert not list(finished.rglob("*.safetensors"))


def test_a_crash_between_training_and_measuring_is_repaired(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = copied(finished, tmp_path)

    def crash(*_: object) -> None:
        raise SystemError("a crash")

    monkeypatch.setattr("bench.runner._Run._measure", crash)
    with pytest.raises(SystemError):
        tiny.run(path, new=True)
    monkeypatch.undo()
    folder = tiny.latest(path)
    before = tiny.states(folder / "cells")
    assert any(name.endswith("checkpoint.safetensors") for name in before)
    assert "latency_p50[batch=1]" not in set(results.table(results.records(folder))["metric"])
    assert tiny.run(path) == folder
    after = tiny.states(folder / "cells")
    curves = [name for name in before if name.endswith("curve.csv")]
    assert {name: after[name] for name in curves} == {name: before[name] for name in curves}, "nothing is trained again"
    assert not any(name.endswith("checkpoint.safetensors") for name in after)
    rows = ["cell", "metric"]
    assert results.read_table(folder)[rows].equals(results.read_table(finished)[rows])
    assert tiny.quality(folder) == tiny.quality(finished)


def test_a_measurement_wanted_later_is_taken_of_the_trained_model(finished: Path, tmp_path: Path) -> None:
    path = edited(copied(finished, tmp_path), "  batch_size: 64\n", "  batch_size: 64\n  measure: each\n")
    folder = tiny.run(path)
    table = results.read_table(folder)
    assert (table["metric"] == "latency_p50[batch=1]").sum() == 6
    assert tiny.quality(folder) == tiny.quality(finished)


# Stopped ----------------------------------------------------------------------------------------------------------

SLOW: dict[str, Any] = {"approaches": [{"slow": {"seconds": 1.0}}], "seeds": [0, 1]}


def finished_cells(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Records of a run and the time they were written."""
    return {name: state for name, state in tiny.states(folder / "cells").items() if "/" not in name}


def has_begun(path: Path) -> bool:
    """Whether some cells are finished, and others at work."""
    return len(list(path.parent.glob("results/*/*/cells/*.json"))) >= 3


@pytest.mark.parametrize("whole_group", [False, True], ids=["runner alone", "everything"])
def test_after_a_kill_a_second_run_completes_the_first(awkward: Path, tmp_path: Path, whole_group: bool) -> None:
    path = tiny.write(tmp_path, **SLOW)
    with tiny.started("-m", "bench", "run", str(path), "--workers", "2", cwd=tmp_path) as process:
        wait_for(lambda: has_begun(path))
        os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
        process.wait(PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    folder = tiny.latest(path)
    before = finished_cells(folder)
    assert 3 <= len(before) < 8
    assert tiny.run(path) == folder
    assert {name: state for name, state in finished_cells(folder).items() if name in before} == before
    table = results.read_table(folder)
    assert table["cell"].nunique() == 8
    assert set(table["status"]) == {"ok"}
    assert not [file for file in folder.rglob(".*") if file.is_file()]


@pytest.mark.parametrize(
    ("number", "whole_group"),
    [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, False)],
    ids=["interrupt", "Ctrl-C in a terminal", "terminate"],
)
def test_a_run_that_is_stopped_says_how_to_go_on(
    awkward: Path, tmp_path: Path, number: signal.Signals, whole_group: bool
) -> None:
    path = tiny.write(tmp_path, **SLOW)
    command = ["-m", "bench", "run", str(path), "--workers", "2", "--results", str(tmp_path / "results")]
    with tiny.started(*command, cwd=tmp_path) as process:
        wait_for(lambda: has_begun(path))
        os.killpg(process.pid, number) if whole_group else process.send_signal(number)
        _, said = process.communicate(timeout=PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    assert process.returncode == 130
    folder = tiny.latest(path)
    done = len(list(folder.glob("cells/*.json")))
    way_on = f"go on with: bench run {path} --results {tmp_path / 'results'}"
    assert said == f"bench: stopped; {done} of 8 cells are finished and kept in {folder}; {way_on}\n"
    assert results.read_table(folder)["cell"].nunique() == done
    assert not [file for file in folder.rglob(".*") if file.is_file()]


def test_a_run_stopped_while_it_starts_leaves_no_noise(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    with tiny.started("-m", "bench", "run", str(path), cwd=tmp_path) as process:
        wait_for(lambda: len(tiny.session(process.pid)) >= 3)  # the fork server imports torch
        time.sleep(0.5)
        os.killpg(process.pid, signal.SIGINT)
        _, said = process.communicate(timeout=PATIENCE)
        wait_for(lambda: not tiny.session(process.pid))
    assert process.returncode == 130
    assert said.startswith("bench: stopped; 0 of 4 cells are finished")
    assert said.count("\n") == 1


# Faults of the user -----------------------------------------------------------------------------------------------


def test_two_processes_do_not_work_on_one_run(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = copied(finished, tmp_path)
    folder = tiny.latest(path)
    with FileLock(folder / ".lock"):
        for _ in range(2):  # the first attempt does not open the way for a second
            code = cli.main(["run", str(path), "--results", str(tmp_path / "results")])
            said = capsys.readouterr().err
            assert code == 2
            assert said.startswith(f"bench: {folder}: another process works on this run; wait for it, or start one")
            assert said.count("\n") == 1
    assert cli.main(["run", str(path), "--results", str(tmp_path / "results"), "--reports", str(tmp_path)]) == 0


def test_more_data_than_there_is_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny.write(tmp_path, data_sizes=[100_000])
    with monkeypatch.context() as patch:
        patch.setattr("bench.dataset.sizes", lambda *_: None)  # as on a machine that never read it
        loaded = suite.load(path)
        _ = loaded.cells
    folder = runner.start(loaded, tmp_path / "results")
    with pytest.raises(SuiteError, match=r"data_sizes: 100000 examples asked, python_reference has \d+ to train on"):
        runner.run(loaded, folder, Silent())
    assert not list((tmp_path / "results").iterdir())


def test_a_results_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    (tmp_path / "results").write_text("")
    with pytest.raises(ResultsError, match="a file stands where a folder is needed"):
        tiny.run(path)


@pytest.mark.skipif(not Path("/sys").is_dir(), reason="no folder that nobody may write")
def test_a_results_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"not writable; name another folder with --results"):
        runner.start(suite.load(tiny.write(tmp_path)), Path("/sys/results"))


def test_a_disk_that_fills_up_ends_the_run_with_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tiny.write(tmp_path)
    disk = tmp_path / "results"
    disk.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=100k", "tmpfs", disk], capture_output=True).returncode:
        pytest.skip("may not mount a file system here")
    try:
        assert cli.main(["run", str(path), "--results", str(disk)]) == 2
        assert not [file for file in disk.rglob(".*") if file.is_file()]
        assert all(json.loads(file.read_text()) for file in disk.rglob("*.json"))
    finally:
        subprocess.run(["umount", "-l", disk], check=True)
    said = capsys.readouterr().err
    assert "the disk is full; free some space and run the same command again" in said
    assert said.count("\n") == 1


def test_what_cannot_be_prepared_ends_the_run_before_anything_trains(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = suite.load(tiny.write(tmp_path))
    wrong = loaded.cells[0].model.model_copy(update={"checkpoint": str(tmp_path / "none"), "recipe": None})
    loaded.__dict__["cells"] = [cell.model_copy(update={"model": wrong}) for cell in loaded.cells]
    folder = runner.start(loaded, tmp_path / "results")
    with pytest.raises(BenchError, match=r"none: not a causal language model"):
        runner.run(loaded, folder, Silent())
    assert not list((tmp_path / "results").iterdir())


class Silent:
    """Progress nobody looks at."""

    def stage(self, name: str, total: int, done: int = 0) -> None: ...

    def steps(self, running: dict[str, tuple[float, float]]) -> None: ...

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None: ...
