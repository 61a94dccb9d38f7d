"""What a suite would do: its matrix, what is there already, what cannot be, and how long the rest may take."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import save_file

import bench
from bench import dataset, plugins
from bench.results import files, runs
from bench.running import environment
from bench.running.planning import Plan, plan
from tests.plans import Changes, load

CHANGES: Changes = {"seeds": [0, 1], "data_sizes": [4, 8], "tuning": {"learning_rate": [0.1, 0.2]}}


def planned(folder: Path, changes: Changes = CHANGES, workers: int | None = 1) -> Plan:
    return plan(load(folder, changes), folder / "results", workers)


def shown(found: Plan) -> list[str]:
    """What a terminal shows, line by line, with one space between words."""
    return [" ".join(line.split()) for line in str(found).splitlines()]


def earlier(folder: Path, cells: dict[str, float], machine: str | None = None) -> Path:
    """An earlier run of the suite, in which these cells took so many seconds."""
    run = folder / "results" / "suite" / "2024-01-01_000000"
    about: dict[str, Any] = {"environment": {"machine": {"id": machine or environment.describe()["machine"]["id"]}}}
    files.write_json(run / "run.json", about | {"cells": list(cells), "cell_seconds": cells})
    names = ("suite", "run", "model", "family", "modality", "source", "target", "approach")
    for cell in cells:
        told = re.search(r"-n(?P<data_size>\d+)-s(?P<seed>\d+)-", cell)
        sizes = {key: int(value) for key, value in told.groupdict().items()} if told else {"data_size": 4, "seed": 0}
        asked = dict.fromkeys(names, "x") | {"options": {}, "approach": cell} | sizes
        happened = {"status": "ok", "reason": "", "scores": []}
        files.write_json(runs.record_path(run, cell), {"cell": cell, "asked": asked, "happened": happened})
    return run


def test_it_shows_every_approach_with_its_trials_sizes_and_seeds(tmp_path: Path) -> None:
    lines = shown(planned(tmp_path))
    assert "approach trials no data 4 examples 8 examples" in lines
    assert "zero_shot 2 seeds" in lines
    assert "from_scratch 2 2 seeds 2 seeds" in lines
    assert "lora + augmentation 2 2 seeds 2 seeds" in lines
    # 3 controls without data, 4 approaches with two sizes, two seeds each; 2 steps in each of two trials
    assert "22 cells (22 applicable): 1 model, 2 seeds, 64 steps" in lines
    assert "time: not known until cells have run on this machine" in lines


def test_it_writes_nothing(tmp_path: Path) -> None:
    planned(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["suite.yaml"]


def test_it_is_json_for_scripts(tmp_path: Path) -> None:
    found = json.loads(json.dumps(planned(tmp_path).as_json()))
    assert found["suite"] == "suite"
    assert (found["run"], found["seconds"]) == (None, None)
    assert len(found["cells"]) == 22
    (cell,) = [c for c in found["cells"] if (c["approach"], c["data_size"], c["seed"]) == ("lora + augmentation", 8, 1)]
    assert (cell["model"], cell["target"], cell["trials"]) == ("tiny", "python_reference", 2)
    assert (cell["finished"], cell["reason"]) == (False, "")


def test_what_does_not_apply_is_there_with_the_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(plugins.find("approaches", "lora").constants, "NEEDS", ("image",))
    found = planned(tmp_path)
    reason = "lora needs images; causal_lm has none"
    assert found.not_applicable["lora", "tiny"] == reason
    assert f"not applicable to tiny: {reason}" in shown(found)
    assert "22 cells (14 applicable): 1 model, 2 seeds, 32 steps" in shown(found)
    assert "lora 2 — —" in shown(found)


def test_what_is_finished_is_known(tmp_path: Path) -> None:
    cells = planned(tmp_path).cells
    run = earlier(tmp_path, {cells[0].id: 1.0, cells[5].id: 1.0, "not-of-this-suite": 1.0})
    found = planned(tmp_path)
    assert found.finished == {cells[0].id, cells[5].id}
    files.write_json(runs.record_path(run, cells[5].id), {})  # damaged: it will be trained again
    assert planned(tmp_path).finished == {cells[0].id}
    assert found.run == run
    assert f"finished already: 2 cells in {run}" in shown(found)
    assert [cell["finished"] for cell in found.as_json()["cells"]].count(True) == 2


def test_time_is_what_alike_cells_took(tmp_path: Path) -> None:
    cells = planned(tmp_path).cells
    lora = [cell for cell in cells if cell.approach == "lora"]
    earlier(tmp_path, {cell.id: 10.0 for cell in cells if cell.approach != "lora"} | {lora[0].id: 30.0})
    assert [cell.data_size for cell in lora] == [4, 4, 8, 8]
    typical = (18 * 10 + 30) / 19  # one missing cell is as the one that took 30 s, of two nothing like them has run
    assert planned(tmp_path).seconds == pytest.approx(30 + 2 * typical)
    assert planned(tmp_path, workers=3).seconds == pytest.approx((30 + 2 * typical) / 3)
    assert "time: about 52 s" in shown(planned(tmp_path))


@pytest.mark.parametrize(("seconds", "said"), [(3.4, "3 s"), (90, "1.5 min"), (9000, "2.5 h")])
def test_time_is_told_in_the_unit_that_fits(seconds: float, said: str, tmp_path: Path) -> None:
    cells = planned(tmp_path).cells
    earlier(tmp_path, {cell.id: seconds for cell in cells[1:]})
    assert f"time: about {said}" in shown(planned(tmp_path))


def test_nothing_left_to_do_takes_no_time(tmp_path: Path) -> None:
    earlier(tmp_path, {cell.id: 10.0 for cell in planned(tmp_path).cells})
    assert planned(tmp_path).seconds == 0
    assert "time: about 0 s" in shown(planned(tmp_path))


def test_times_of_another_machine_say_nothing(tmp_path: Path) -> None:
    earlier(tmp_path, {planned(tmp_path).cells[0].id: 10.0}, machine="another")
    assert planned(tmp_path).seconds is None


def test_sizes_of_a_dataset_that_is_not_made_yet_are_checked_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "empty"))
    found = planned(tmp_path, {"data_sizes": [10**9]})
    assert found.unchecked == ["python_reference"]
    assert "sizes are checked when first read: python_reference" in shown(found)
    assert not (tmp_path / "empty").exists()


def test_a_dataset_that_is_there_is_checked_now(tmp_path: Path) -> None:
    dataset.load("python_reference")
    assert planned(tmp_path).unchecked == []


def test_the_same_from_python(tmp_path: Path) -> None:
    load(tmp_path, CHANGES)
    found = bench.plan(tmp_path / "suite.yaml", results_folder=tmp_path / "results")
    assert [cell.id for cell in found.cells] == [cell.id for cell in planned(tmp_path).cells]
    with pytest.raises(AttributeError, match="module 'bench' has no attribute 'nothing'"):
        _ = bench.nothing


@pytest.mark.parametrize(("keep", "count"), [("best", 1), ("all", 8), ("none", 0)])
def test_what_weights_take_that_stay(keep: str, count: int, tmp_path: Path) -> None:
    """Of a checkpoint with 1,000 numbers, whatever they are kept in."""
    checkpoint = tmp_path / "checkpoint"
    checkpoint.mkdir()
    save_file({"weight": np.zeros(1000, np.float16)}, checkpoint / "model.safetensors")
    (checkpoint / "config.json").write_text("{}")
    model = {"family": "causal_lm", "checkpoint": str(checkpoint)}
    changes = {"models": {"m": model}, "approaches": ["lora"], "seeds": [0, 1], "data_sizes": [4, 8], "keep": keep}
    found = planned(tmp_path, changes)
    assert found.weights == (count, 4000 * count)
    assert found.as_json()["weights"] == {"keep": keep, "files": count, "bytes": 4000 * count}
    lines = [line for line in shown(found) if line.startswith("weights that stay")]
    assert len(lines) == bool(count)
    recipe = planned(tmp_path, CHANGES)
    assert recipe.weights == (1, None)
