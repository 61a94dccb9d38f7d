"""Who has the last word on budget, tuning and evaluation, and that every approach gets the same number of trials."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from tests.plans import Changes, cells, refused_run, write

LAYERS = ["", "models/tiny/", "datasets/0/", "approaches/0/"]
"""Where a key may stand in the file; later ones win."""

NAMED: Changes = {
    "datasets": [{"name": "python_reference"}],
    "approaches": [{"name": "mine", "approach": "lora"}],
}


@pytest.mark.parametrize("layers", [c for n in range(1, 5) for c in itertools.combinations(range(4), n)], ids=str)
def test_suite_then_model_then_dataset_then_approach(layers: tuple[int, ...], tmp_path: Path) -> None:
    changes: Changes = dict(NAMED)
    for index in layers:
        changes[f"{LAYERS[index]}budget/warmup"] = index / 10
        changes[f"{LAYERS[index]}evaluation/batch_size"] = 10 + index
        changes[f"{LAYERS[index]}tuning/learning_rate"] = [float(1 + index)]
    (cell,) = cells(tmp_path, changes, approach="mine")
    last = layers[-1]
    assert (cell.budget.warmup, cell.evaluation.batch_size) == (last / 10, 10 + last)
    assert cell.tuning == [{"learning_rate": 1.0 + last}]
    assert (cell.budget.steps, cell.evaluation.samples) == (2, 8)  # what nobody else speaks of stays the suite's
    (other,) = cells(tmp_path, changes, approach="from_scratch")
    assert (other.tuning == cell.tuning) == (last < 3)  # an approach speaks for itself alone


@pytest.mark.parametrize(
    ("layer", "key"),
    list(zip(LAYERS, ["", "models.tiny.", "datasets.python_reference.", "approaches.mine."], strict=True)),
)
def test_the_key_that_is_named_is_the_one_that_is_wrong(
    layer: str, key: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def said(changes: Changes) -> str:
        return refused_run(capsys, write(tmp_path, NAMED | changes))

    assert said({f"{layer}budget/clip": 0}).startswith(f"{key}budget.clip: 0 will not do; it should be greater than 0")
    assert said({f"{layer}evaluation/sampels": 9}).startswith(f"{key}evaluation.sampels: unknown key; did you mean")
    assert said({f"{layer}tuning/weight_decay": [-1]}).startswith(f"{key}tuning.weight_decay: -1 will not do")


def points(folder: Path, tuning: dict[str, list[Any]], approach: str) -> list[dict[str, Any]]:
    own = {"name": "mine", "approach": approach, "tuning": tuning}
    (cell,) = cells(folder, {"approaches": [own], "tuning": {"learning_rate": [1, 2, 3, 4]}}, approach="mine")
    return cell.tuning


def test_a_grid_is_all_combinations_of_its_axes(tmp_path: Path) -> None:
    found = points(tmp_path, {"learning_rate": [0.1, 0.2], "lora.rank": [2, 4]}, "lora")
    assert found == [{"learning_rate": rate, "lora.rank": rank} for rate in (0.1, 0.2) for rank in (2, 4)]


def test_an_option_of_one_part_of_a_composition(tmp_path: Path) -> None:
    found = points(tmp_path, {"learning_rate": [1], "lora.rank": [1, 2, 3, 4]}, "lora + augmentation")
    assert found == [{"learning_rate": 1, "lora.rank": rank} for rank in (1, 2, 3, 4)]


def test_an_axis_of_another_approach_does_not_concern_this_one(tmp_path: Path) -> None:
    changes: Changes = {"approaches": ["lora", "full_finetuning"], "tuning": {"lora.rank": [2]}}
    assert [cell.tuning for cell in cells(tmp_path, changes, approach="lora")] == [[{"lora.rank": 2}]]
    assert [cell.tuning for cell in cells(tmp_path, changes, approach="full_finetuning")] == [[{}]]


def test_what_trains_nothing_is_not_tuned(tmp_path: Path) -> None:
    changes: Changes = {"tuning": {"learning_rate": [1, 2]}}
    assert [cell.tuning for cell in cells(tmp_path, changes, approach="zero_shot")] == [[{}]]
    assert [len(cell.tuning) for cell in cells(tmp_path, changes, approach="from_scratch")] == [2]


@pytest.mark.parametrize(
    "changes",
    [
        {"tuning": {"learning_rate": [1, 2], "lora.rank": [2, 4]}},
        {"approaches/0": {"name": "mine", "approach": "lora", "tuning": {"learning_rate": [1, 2]}}},
    ],
)
def test_every_approach_gets_the_same_number_of_trials(
    changes: Changes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    said = refused_run(capsys, write(tmp_path, changes))
    assert said.startswith("tuning: approaches get different numbers of trials (from_scratch: ")
    assert said.endswith("; give all the same number")
