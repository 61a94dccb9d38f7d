"""A cell's key: of all that determines its outcome, and of nothing else."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.budget import Budget, EvaluationSpec
from bench.suite.cell import GENERATION, Cell, DatasetSpec, ModelSpec, Recipe
from tests.plans import SUITE, Changes, cells, write
from tests.tiny import environment

CELL = Cell(
    suite="s",
    model_name="m",
    model=ModelSpec(
        family="causal_lm",
        recipe=Recipe(
            architecture={"model_type": "gpt2", "n_layer": 1}, source=DatasetSpec(name="python_code"), steps=3
        ),
        options={"context": 8},
    ),
    modality="text",
    target=DatasetSpec(name="python_reference", options={"a": 1}),
    approach="mine",
    chain=[("lora", {"rank": 4}), ("augmentation", {})],
    data_size=16,
    seed=2,
    budget=Budget(steps=5),
    tuning=[{"learning_rate": 0.1}, {"learning_rate": 0.2}],
    metrics=[("perplexity", {}), ("fidelity", {"space": "x"})],
    evaluation=EvaluationSpec(samples=8),
)


def lora(folder: Path, changes: Changes | None = None, name: str = "lora") -> str:
    """The key of the suite's one cell of that approach."""
    (cell,) = cells(folder, changes, approach=name)
    return cell.key


def test_the_key_is_what_it_has_always_been() -> None:
    """A change of this value makes every finished cell of every user count as missing: mean it, and say so."""
    assert (GENERATION, CELL.key) == (1, "75f787009855ba74")


def test_the_id_is_readable_and_holds_the_key() -> None:
    assert CELL.id == f"python_reference-lora+augmentation-n16-s2-{CELL.key}"


def test_the_id_is_a_file_s_name_however_long_the_composition() -> None:
    long = CELL.model_copy(update={"chain": [(f"approach_{i}/..", {}) for i in range(99)]})
    assert len(long.id) <= 120
    assert "/" not in long.id
    assert ".." not in long.id


@pytest.mark.parametrize(
    "change",
    [
        {"suite": "other"},
        {"model_name": "other"},
        {"approach": "other"},
        {"control": True},
        {"reason": "why not"},
        {"budget": Budget(steps=5, time_limit=1.0)},
        {"evaluation": EvaluationSpec(samples=8, measure="each")},
        {"metrics": CELL.metrics[::-1]},
        {"model": CELL.model.model_copy(update={"source": "known by another name"})},
    ],
    ids=str,
)
def test_names_limits_and_order_do_not_change_it(change: dict[str, Any]) -> None:
    assert CELL.model_copy(update=change).key == CELL.key


@pytest.mark.parametrize(
    "changes",
    [
        {"models": {"renamed": SUITE["models"]["tiny"]}},
        {"models/first": SUITE["models"]["tiny"] | {"options": {"context": 4}}},
        {"approaches": ["lora + augmentation", "lora"]},
        {"approaches/1": {"lora": {"layers": "all", "rank": 8}}},
        {"approaches/1": {"name": "lora", "approach": "lora"}},
        {"metrics": ["cost", "perplexity"]},
        {"datasets": ["python_code", "python_reference"]},
        {"budget": {**SUITE["budget"], "precision": "auto", "time_limit": 60}},
        {"approaches/0": "gradual_unfreezing"},
        {"models/tiny/datasets": ["python_reference"]},
    ],
    ids=str,
)
def test_a_suite_that_says_the_same_in_other_words(changes: Changes, tmp_path: Path) -> None:
    def key(changes: Changes) -> set[str]:
        wanted = cells(tmp_path, changes, approach="lora")
        return {cell.key for cell in wanted if cell.target.name == "python_reference"}

    assert key({}) <= key(changes)


def test_the_name_of_an_approach_does_not_matter(tmp_path: Path) -> None:
    renamed = {"approaches/1": {"name": "mine", "approach": "lora"}}
    assert lora(tmp_path, renamed, name="mine") == lora(tmp_path)


def test_more_seeds_and_sizes_leave_finished_cells_finished(tmp_path: Path) -> None:
    more = cells(tmp_path, {"seeds": [3, 0], "data_sizes": [8, 4]}, approach="lora")
    assert lora(tmp_path) in {cell.key for cell in more}
    assert len({cell.key for cell in more}) == 4


@pytest.mark.parametrize(
    "changes",
    [
        {"models/tiny/recipe/steps": 5},
        {"models/tiny/recipe/seed": 1},
        {"models/tiny/recipe/architecture/n_layer": 1},
        {"models/tiny/recipe/source": "python_code"},
        {"models/tiny/options/context": 16},
        {"datasets": ["python_code"]},
        {"approaches/1": {"lora": {"rank": 4}}},
        {"data_sizes": [5]},
        {"seeds": [1]},
        {"budget/steps": 3},
        {"budget/batch_size": 5},
        {"budget/precision": "bf16"},
        {"budget/threads": 2},
        {"tuning/learning_rate": [0.002]},
        {"tuning/weight_decay": [0.1]},
        {"evaluation/samples": 9},
        {"metrics": ["perplexity"]},
        {"metrics": ["perplexity", "cost", {"inference": {"repetitions": 3}}]},
    ],
    ids=str,
)
def test_what_changes_the_outcome_changes_the_key(changes: Changes, tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, changes, approach="lora")
    assert cell.key != lora(tmp_path)


def test_a_metric_s_option_changes_it(tmp_path: Path) -> None:
    def key(repetitions: int) -> str:
        return lora(tmp_path, {"metrics": [{"inference": {"repetitions": repetitions}}]})

    assert key(3) != key(4)


def test_order_within_a_composition_changes_it(tmp_path: Path) -> None:
    turned: Changes = {"approaches": ["augmentation + lora"]}
    assert lora(tmp_path, turned, "augmentation + lora") != lora(tmp_path, name="lora + augmentation")


def test_all_cells_of_a_suite_differ(tmp_path: Path) -> None:
    found = cells(tmp_path, {"seeds": list(range(9)), "data_sizes": list(range(1, 9))})
    assert len({cell.id for cell in found}) == len(found)


def test_the_key_is_the_same_in_every_process(tmp_path: Path) -> None:
    path = write(tmp_path)
    code = """
import json, sys
from bench.suite import loading
print(json.dumps([cell.id for cell in loading.load(sys.argv[1]).cells]))
"""
    ids = []
    for seed in ("1", "2"):
        variables = {**environment(), "PYTHONHASHSEED": seed}
        done = subprocess.run([sys.executable, "-c", code, str(path)], env=variables, capture_output=True, check=True)
        ids.append(json.loads(done.stdout))
    assert ids == [[cell.id for cell in cells(tmp_path)]] * 2


def test_what_was_asked_is_json_and_holds_the_names(tmp_path: Path) -> None:
    (cell,) = cells(tmp_path, approach="lora + augmentation")
    asked = json.loads(json.dumps(cell.asked("run-1")))
    assert asked["run"] == "run-1"
    assert (asked["model"], asked["approach"], asked["family"]) == ("tiny", "lora + augmentation", "causal_lm")
    assert (asked["source"], asked["target"]) == ("python_reference", "python_reference")
    assert list(asked["options"]) == ["lora", "augmentation"]
    assert asked["key"] == cell.key
    assert Cell.model_validate_json(json.dumps(asked["definition"] | {"suite": "s"})).key == cell.key
