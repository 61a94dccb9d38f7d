"""Whole runs: complete, gone on with, every end a row, measured alone."""

import json
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from bench.errors import ResultsError
from bench.results import files, packed, runs, tidy
from bench.running import planning, runner
from bench.suite import loading
from tests import tiny

# Going on -------------------------------------------------------------------------------------------------------------


def test_a_second_run_trains_nothing_and_touches_nothing(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    before = tiny.states(tmp_path)
    folder = runner.start(loading.load(path), tmp_path / "results")
    counts = runner.run(loading.load(path), folder, tiny.Silent())
    assert counts == {"trained": 0, "kept": len(runs.records(folder))}
    assert tiny.states(tmp_path) == before


def test_a_seed_more_trains_the_new_cells_only(finished: Path, tmp_path: Path) -> None:
    path = tiny.edited(tiny.copied(finished, tmp_path), "- 1\n", "- 1\n- 2\n")
    before = tiny.cells(finished)
    folder = tiny.run(path)
    after = tiny.cells(folder)
    new = {name for name in after if name not in before}
    assert {name: after[name] for name in before} == before
    assert all("-s2-" in name for name in new)
    assert len(runs.records(folder)) == 5 * 3
    assert set(tidy.read(folder)["seed"]) == {0, 1, 2}


def test_another_name_for_an_approach_keeps_its_results(finished: Path, tmp_path: Path) -> None:
    path = tiny.edited(
        tiny.copied(finished, tmp_path), "- full_finetuning\n", "- {name: all weights, approach: full_finetuning}\n"
    )
    folder = tiny.run(path)
    assert tiny.quality(folder) == tiny.quality(finished)
    approaches = tidy.read(folder)["approach"]
    assert "all weights" in set(approaches)
    assert "full_finetuning" not in set(approaches)


def test_an_approach_taken_out_leaves_the_table_and_comes_back_untrained(finished: Path, tmp_path: Path) -> None:
    path = tiny.edited(tiny.copied(finished, tmp_path), "- full_finetuning\n", "- zero_shot\n")
    folder = tiny.run(path)
    assert "full_finetuning" not in set(tidy.read(folder)["approach"])
    tiny.edited(path, "- zero_shot\n", "- full_finetuning\n")
    assert tiny.run(path) == folder
    pd.testing.assert_frame_equal(tidy.read(folder), tidy.read(finished))


def test_a_new_run_leaves_the_earlier_one_as_it_was_and_finds_the_same_numbers_in_any_order(
    finished: Path, tmp_path: Path
) -> None:
    path = tiny.copied(finished, tmp_path)
    before = tiny.states(tmp_path / "results")
    path = tiny.edited(path, "- 0\n- 1\n", "- 1\n- 0\n")
    path = tiny.edited(path, "- full_finetuning\n", "- from_scratch\n- full_finetuning\n- zero_shot\n")
    folder = tiny.run(path, new=True, workers=1)  # the first had two
    assert folder.name > finished.name
    assert {
        name: state for name, state in tiny.states(tmp_path / "results").items() if folder.name not in name
    } == before
    assert [r["cell"] for r in runs.records(folder)] != [r["cell"] for r in runs.records(finished)]
    assert tiny.quality(folder) == tiny.quality(finished)


def test_only_what_did_not_end_well_is_tried_again(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    cell = next(cell for cell in loading.load(path).cells if cell.approach == "full_finetuning" and cell.seed == 1)
    packed.unpack(folder)
    record = files.read_json(runs.record_path(folder, cell.id))
    record["happened"] |= {"status": "failed", "reason": "a fault", "scores": []}
    files.write_json(runs.record_path(folder, cell.id), record)
    before = tiny.cells(folder)
    tiny.run(path)
    assert tiny.cells(folder) == before, "a failed cell counts as finished"
    tiny.run(path, retry=True)
    changed = {name for name, content in tiny.cells(folder).items() if content != before[name]}
    assert all(name.startswith(cell.id) for name in changed)
    assert f"{cell.id}.json" in changed
    assert tiny.quality(folder) == tiny.quality(finished)


def test_broken_files_of_a_run_are_made_anew(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    packed.unpack(folder)
    broken = sorted((folder / "cells").glob("*full_finetuning*.json"))
    content = json.loads(broken[1].read_text())
    content["happened"]["status"] = "fine"
    broken[0].write_text("")
    broken[1].write_text(json.dumps(content))
    (folder / "run.json").write_text("{")
    (folder / "results.parquet").unlink()
    found = planning.plan(loading.load(path), tmp_path / "results")
    assert {cell.id for cell in found.cells} - found.finished == {path.stem for path in broken}
    assert tiny.run(path) == folder
    assert tiny.quality(folder) == tiny.quality(finished)
    assert runs.read(folder).damaged == {}
    assert files.read_json(folder / "run.json")["finished"]
    assert len(tidy.read(folder)) == len(tidy.read(finished))


@pytest.mark.parametrize(("name", "content"), [("results.parquet", "PAR1"), ("run.json", '{"cells": 3}')])
def test_a_run_s_own_files_are_made_anew_without_training(
    name: str, content: str, finished: Path, tmp_path: Path
) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    before = tiny.cells(folder)
    (folder / name).write_text(content)
    assert tiny.run(path) == folder
    assert tiny.cells(folder) == before
    pd.testing.assert_frame_equal(tidy.read(folder), tidy.read(finished))
    assert runs.read(folder).damaged == {}


def test_a_run_of_another_device_is_not_gone_on_with_because_its_own_file_is_damaged(
    finished: Path, tmp_path: Path
) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    packed.unpack(folder)
    for file in (folder / "cells").glob("*.json"):
        content = json.loads(file.read_text())
        content["environment"]["device"] = "abacus"
        file.write_text(json.dumps(content))
    (folder / "run.json").write_text("{")
    tiny.edited(path, "- 0\n- 1\n", "- 0\n- 1\n- 2\n")
    with pytest.raises(ResultsError, match="the device \\(it was abacus\\) changed since"):
        tiny.run(path)


# Every end ------------------------------------------------------------------------------------------------------------


def test_every_end_becomes_a_row_and_the_others_go_on(awkward: Path, tmp_path: Path) -> None:
    ends = ["raising", "diverging", "killed", "greedy", "meaningless", {"leaving": {"code": 3}}]
    quiet = {"name": "leaving quietly", "approach": "leaving"}
    hanging = {"name": "hanging", "approach": "hanging", "budget": {"time_limit": 1.0}}
    path = tiny.write(tmp_path, approaches=[hanging, *ends, quiet, "full_finetuning"])
    folder = tiny.run(path, workers=2)
    found = {record["asked"]["approach"]: record["happened"] for record in runs.records(folder)}
    assert {name: happened["status"] for name, happened in found.items()} == {
        "zero_shot": "ok",
        "from_scratch": "ok",
        "real_data": "ok",
        "training_data": "ok",
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
    assert found["hanging"]["reason"] == "took longer than 1 s; raise budget.time_limit and run again with --retry"
    assert found["raising"]["reason"] == "RuntimeError: a fault in two lines"
    assert "nan at step" in found["diverging"]["reason"]
    assert found["killed"]["reason"].startswith("killed (SIGKILL)")
    assert found["greedy"]["reason"].startswith("MemoryError")
    assert found["meaningless"]["reason"] == "a language model has no wings"
    assert found["leaving"]["reason"] == "its process ended with exit code 3"
    assert found["leaving quietly"]["reason"] == "its process ended with exit code 0"
    table = tidy.read(folder)
    assert set(table["approach"]) == set(found)
    ends_of = table[table["status"] != "ok"]
    assert (ends_of["metric"] == "").all()
    assert (ends_of["reason"] != "").all()
    packed.unpack(folder)
    assert "a fault" in next(folder.glob("cells/*raising*/traceback.txt")).read_text()
    assert len(list(folder.rglob("*.safetensors"))) == 1


def test_what_libraries_say_is_in_the_cell_s_log_and_not_on_the_terminal(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, approaches=["noisy", "crashing"])
    with tiny.started("-m", "bench", "run", str(path), cwd=tmp_path) as process:
        output, errors = process.communicate(timeout=300)
    assert process.returncode == 1
    for word in ("Warning", "gone in 3.0", "shards", "Loading", "from C", "Traceback", "Fatal"):
        assert word not in output + errors, output + errors
    folder = tiny.latest(path)
    packed.unpack(folder)
    (noisy,) = folder.glob("cells/*-noisy-*/log.txt")
    log = noisy.read_text()
    for words in ("FutureWarning: this will be gone in 3.0", "Writing model shards: 100%", "Loading …", "from C"):
        assert words in log
    (crash,) = folder.glob("cells/*-crashing-*/log.txt")
    assert "Fatal Python error: Segmentation fault" in crash.read_text()
    assert "crashing" in crash.read_text()
    happened = tiny.records(folder)["python_reference-crashing-n4-s0"]["happened"]
    assert happened["reason"] == "its process ended with SIGSEGV, see log.txt beside its record"
    assert not list(folder.glob("cells/*-full_finetuning-*/log.txt"))
    assert all(log.stat().st_size for log in folder.rglob("log*/*.txt"))
    assert all(list(there.iterdir()) for there in folder.rglob("*") if there.is_dir())


def test_what_cannot_be_measured_keeps_its_scores(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, metrics=["cost", "broken"], approaches=["zero_shot"])
    record = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert record["status"] == "ok"
    assert record["scores"]
    assert record["skipped"] == {"measurement": "failed: RuntimeError: a wheel is loose"}
    limited = tiny.SUITE["budget"] | {"time_limit": 8.0}
    path = tiny.write(tmp_path, metrics=["cost", "stopped"], approaches=["zero_shot"], budget=limited)
    record = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert record["status"] == "ok"
    assert record["scores"]
    assert record["skipped"] == {
        "measurement": "timed_out: took longer than 8 s; raise budget.time_limit and run again with --retry"
    }


def test_a_score_that_no_table_holds_is_its_metric_s_fault(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, metrics=["cost", "boastful"], approaches=["zero_shot"])
    happened = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert happened["skipped"]["measurement"].startswith(
        f"failed: metric boastful: no score can be like that (0.n: {10**30} will not do, it should be less than "
    )


def test_items_that_no_test_split_has_are_their_metric_s_fault(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, metrics=["cost", "itemised"], approaches=["zero_shot"])
    happened = tiny.records(tiny.run(path))["python_reference-zero_shot-n0-s0"]["happened"]
    assert happened["skipped"]["measurement"] == (
        "failed: metric itemised: no score can be like that (items of itemised: not a row of finite numbers, one for "
        "each test item); mend it"
    )


def test_a_cell_that_applies_to_nothing_has_a_row_without_a_process(tmp_path: Path) -> None:
    path = tiny.write(tmp_path, approaches=["lora"])
    loaded = loading.load(path)
    cells = [cell.model_copy(update={"reason": "means nothing here"}) for cell in loaded.cells]
    loaded.__dict__["cells"] = cells
    folder = runner.start(loaded, tmp_path / "results")
    assert runner.run(loaded, folder, tiny.Silent()) == {"trained": len(cells), "kept": 0}
    table = tidy.read(folder)
    assert set(table["status"]) == {"not_applicable"}
    assert set(table["reason"]) == {"means nothing here"}


# Measuring ------------------------------------------------------------------------------------------------------------


def test_nothing_trains_while_something_is_measured(awkward: Path, tmp_path: Path) -> None:
    path = tiny.write(
        tmp_path,
        approaches=[{"stamped": {"into": str(tmp_path)}}],
        metrics=["cost", {"stopwatch": {"into": str(tmp_path)}}],
        seeds=[0, 1],
        evaluation={"samples": 8, "batch_size": 64, "measure": "each"},
    )
    table = tidy.read(tiny.run(path, workers=2))
    trained = [json.loads(file.read_text()) for file in tmp_path.glob("trained-*.json")]
    measured = [json.loads(file.read_text()) for file in tmp_path.glob("measured-*.json")]
    assert len(trained) == 2
    assert len(measured) == (table["metric"] == "stopwatch").sum() == 6
    assert overlap(*trained), "two workers train side by side"
    assert not any(overlap(a, b) for a in trained for b in measured)
    assert not any(overlap(a, b) for a in measured for b in measured if a is not b)


def overlap(one: list[float], other: list[float]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def test_latency_is_measured_once_for_each_approach(finished: Path) -> None:
    table = tidy.read(finished)
    latency = table[table["metric"] == "latency_p50[batch=1]"]
    assert Counter(latency["approach"]) == {"zero_shot": 1, "from_scratch": 1, "full_finetuning": 1}
    assert len(list(finished.rglob("*.safetensors"))) == 1


def test_a_crash_between_training_and_measuring_is_repaired(
    finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny.copied(finished, tmp_path)

    def crash(*_: object) -> None:
        raise SystemError("a crash")

    monkeypatch.setattr("bench.running.runner._Run._measure", crash)
    with pytest.raises(SystemError):
        tiny.run(path, new=True)
    monkeypatch.undo()
    folder = tiny.latest(path)
    before = tiny.cells(folder)
    assert len(list(folder.glob("weights/*.safetensors"))) > 1
    assert "latency_p50[batch=1]" not in set(tidy.table(runs.records(folder))["metric"])
    assert tiny.run(path) == folder
    after = tiny.cells(folder)
    curves = [name for name in before if name.endswith("curve.csv")]
    assert {name: after[name] for name in curves} == {name: before[name] for name in curves}, "nothing is trained again"
    assert len(list(folder.glob("weights/*.safetensors"))) == 1
    rows = ["cell", "metric"]
    assert tidy.read(folder)[rows].equals(tidy.read(finished)[rows])
    assert tiny.quality(folder) == tiny.quality(finished)


def test_a_measurement_wanted_later_is_taken_of_the_trained_model(finished: Path, tmp_path: Path) -> None:
    path = tiny.edited(tiny.copied(finished, tmp_path), "  batch_size: 64\n", "  batch_size: 64\n  measure: each\n")
    folder = tiny.run(path)
    table = tidy.read(folder)
    assert (table["metric"] == "latency_p50[batch=1]").sum() == 6
    assert tiny.quality(folder) == tiny.quality(finished)


def test_a_run_with_nothing_to_do_keeps_where_its_numbers_come_from(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    info = files.read_json(folder / "run.json")
    files.write_json(folder / "run.json", info | {"environment": info["environment"] | {"commit": "another"}})
    tiny.edited(path, "seeds:", "# which are drawn\nseeds:")
    tiny.run(path)
    after = files.read_json(folder / "run.json")
    assert "# which are drawn" in after["source"]
    assert (after["environment"]["commit"], after["finished"]) == ("another", info["finished"])
