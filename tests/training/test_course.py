"""Trials of a tuning grid that are over are not trained again when the cell is, wherever it was cut off."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import dataset
from bench.suite.cell import Cell
from bench.training import intervals, tuning
from bench.training.tuning import Search
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer
from tests.models import same, weights
from tests.plans import cells
from tests.resuming import Cut

RATES = [3e-2, 1e36, 1e-3]
"""The first is the best, and the second diverges."""


def asked(folder: Path, approach: str) -> Cell:
    changes: dict[str, Any] = {"approaches": [approach], "tuning": {"learning_rate": RATES}, "data_sizes": [8]}
    changes["budget"] = {"steps": 4, "batch_size": 4, "validations": 2, "validation_rows": 8}
    (cell,) = cells(folder, changes, approach=approach)
    return cell


def search(cell: Cell, folder: Path) -> tuple[Search, Unfinished]:
    data, unfinished = dataset.load(cell.target.plugin), Unfinished(folder / "unfinished", cell)
    return tuning.search(cell, data, folder / "checkpoint.safetensors", lambda done: None, 0, unfinished), unfinished


def comparable(found: Search) -> dict[str, Any]:
    """What must not depend on whether the cell was cut off."""
    told = {"chosen": found.chosen, "steps": found.training.steps, "stages": found.training.stages}
    told |= {"trials": [(trial.status, trial.validation_loss, trial.steps) for trial in found.trials]}
    told |= {"curve": [repr({k: v for k, v in row.items() if k != "seconds"}) for row in found.curve]}  # one has NaN
    names = ("trainable", "stored", "total", "checkpoint_bytes", "step_flops", "looked", "examples")
    told |= {name: getattr(found.training, name) for name in names}
    return told | {"learned": list(map(str, found.transfer.data.train))}


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The rates of trials that were trained, each kept as soon as it is over; without checkpoints inside."""
    rates, fit = list[float](), tuning._fit

    def noted(transfer: Transfer, values: dict[str, Any], before: float = 0.0) -> Any:
        rates.append(values["learning_rate"])
        return fit(transfer, values, before)

    monkeypatch.setattr(tuning, "_fit", noted)
    monkeypatch.setenv(intervals.NAME, "0.0001")
    return rates


def stopping(at: int, then: Callable[..., Any]) -> Callable[..., Any]:
    """A function that is cut off when it is called for the ``at``-th time."""
    calls = 0

    def stopped(*args: Any, **options: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == at:
            raise Cut
        return then(*args, **options)

    return stopped


@pytest.mark.parametrize(("approach", "at"), [("full_finetuning", 2), ("active_learning", 3), ("full_finetuning", 4)])
def test_trials_that_are_over_are_not_trained_again(
    approach: str, at: int, trained: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = asked(tmp_path, approach)
    whole, _ = search(cell, tmp_path / "whole")
    with monkeypatch.context() as patch:
        patch.setattr(tuning, "_begun", stopping(at, tuning._begun))
        patch.setattr(tuning, "_complete", stopping(1, tuning._complete))
        with pytest.raises(Cut):
            search(cell, tmp_path / "cut")
    trained.clear()
    found, unfinished = search(cell, tmp_path / "cut")
    assert trained == RATES[at - 1 :]
    assert comparable(found) == comparable(whole)
    assert same(weights(found.transfer.model), weights(whole.transfer.model))
    assert unfinished.notes == [f"{at - 1} of 3 trials were over before, and are not trained again"]


@pytest.mark.parametrize("file", ["unfinished/trials.json", "checkpoint.safetensors"])
def test_what_is_damaged_is_trained_again_and_said(
    file: str, trained: list[float], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = asked(tmp_path, "full_finetuning")
    whole, _ = search(cell, tmp_path)
    content = bytearray((tmp_path / file).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / file).write_bytes(content)
    trained.clear()
    found, unfinished = search(cell, tmp_path)
    assert trained == RATES
    assert unfinished.notes[0].startswith("trials.json inside the cell cannot be used (")
    assert unfinished.notes[0].endswith("); the cell starts anew")
    assert comparable(found) == comparable(whole)
