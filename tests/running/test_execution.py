"""What a worker does with a cell: tunes, keeps the best, and has it again from what was stored."""

import io
import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from bench import dataset
from bench.budget import Budget
from bench.dataset import Dataset
from bench.results import runs, tidy
from bench.suite.cell import Cell
from bench.training import course, tuning
from tests import tiny
from tests.models import texts
from tests.plans import cells

RATES = [1e-3, 1e-2, 1e36]


@pytest.fixture(scope="module")
def tuned(awkward: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of every kind of transfer, each with a trial that diverges, measured each."""
    suite = tiny.write(
        tmp_path_factory.mktemp("tuned"),
        approaches=[
            "full_finetuning",
            "feature_extraction",
            "gradual_unfreezing",
            "lora",
            "distillation",
            "lora + augmentation",
        ],
        tuning={"learning_rate": RATES},
        evaluation={"samples": 8, "batch_size": 64, "measure": "each"},
        metrics=["loss", "cost", "reread"],
    )
    return tiny.run(suite)


def test_the_rate_that_is_best_on_validation_is_chosen(tuned: Path) -> None:
    trained = [record for record in runs.records(tuned) if record["asked"]["data_size"]]
    assert len(trained) == 7
    for record in trained:
        trials = record["happened"]["trials"]
        assert [trial["values"] for trial in trials] == [{"learning_rate": rate} for rate in RATES]
        assert [trial["status"] for trial in trials] == ["ok", "ok", "diverged"]
        assert trials[2]["validation_loss"] is None
        best = min(trials[:2], key=lambda trial: trial["validation_loss"])
        assert record["happened"]["chosen"] == best["values"]
        assert {trial["steps"] for trial in trials[:2]} == {2}


def test_every_trial_leaves_its_curve(tuned: Path) -> None:
    curves = {name: content for name, content in tiny.cells(tuned).items() if re.search(r"-n4-.*/curve.csv$", name)}
    assert len(curves) == 7
    for content in curves.values():
        curve = pd.read_csv(io.BytesIO(content))
        assert (
            curve[curve["validation_loss"].notna()].groupby("trial")["step"].agg(list)[[0, 1]].tolist() == [[0, 2]] * 2
        )
        assert (curve["learning_rate"] > 0).any()


def test_what_is_measured_later_is_the_model_that_was_scored(tuned: Path) -> None:
    scores = tidy.read(tuned).pivot(index="cell", columns="metric", values="value")
    scores = scores[scores["test_loss"].notna()]
    assert len(scores) == 8
    assert (scores["test_loss"] == scores["reread_loss"]).all()
    assert scores["test_loss"].nunique() == 8, "each approach has its own"


def test_costs_are_those_of_the_chosen_trial_and_of_all(tuned: Path) -> None:
    table = tidy.read(tuned)
    scores = table.pivot(index="approach", columns="metric", values="value")
    full, lora, control = scores.loc["full_finetuning"], scores.loc["lora"], scores.loc["zero_shot"]
    assert full["trials"] == lora["trials"] == 3
    assert full["training_steps"] == 2
    assert full["training_seconds"] < full["tuning_seconds"]
    assert lora["stored_parameters"] == lora["trainable_parameters"] < full["trainable_parameters"]
    assert full["checkpoint_bytes"] >= 4 * full["stored_parameters"]
    for name in ("trials", "training_steps", "training_seconds", "stored_parameters", "checkpoint_bytes"):
        assert control[name] == 0


@pytest.mark.parametrize("sizes", [[1, 400], [400, 1]], ids=["growing", "shrinking"])
def test_peak_memory_is_told_of_each_trial_and_of_the_largest(awkward: Path, tmp_path: Path, sizes: list[int]) -> None:
    """Trials share a process: none has the peak of the one before. All are equally good, so the first is chosen."""
    hungry = {"name": "hungry", "approach": "hungry", "tuning": {"learning_rate": [0.01], "hungry.megabytes": sizes}}
    path = tiny.write(tmp_path, approaches=[hungry], tuning={"learning_rate": [0.01, 0.02]})
    folder = tiny.run(path)
    happened = tiny.records(folder)["python_reference-hungry-n4-s0"]["happened"]
    table = tidy.read(folder).query("approach == 'hungry'").set_index("metric")["value"]
    peaks = [trial["peak_memory"] for trial in happened["trials"]]
    assert happened["chosen"]["hungry.megabytes"] == sizes[0]
    for name in peaks[0]:
        assert table[f"training_{name}"] == peaks[0][name]
        assert table[f"tuning_{name}"] == max(peak[name] for peak in peaks)
    if "peak_rss" in peaks[0]:
        by_size = dict(zip(sizes, (peak["peak_rss"] for peak in peaks), strict=True))
        assert by_size[400] - by_size[1] == pytest.approx(399 << 20, rel=0.1)


@pytest.mark.parametrize("best", [0, 1, 2])
def test_weights_changed_after_training_are_chosen_by_what_they_are(awkward: Path, tmp_path: Path, best: int) -> None:
    """Wherever in the grid the best of them stands: only the last trial's are still in memory."""
    alphas = [0.0, 0.5, 1.0]
    alphas.insert(best, alphas.pop())
    way_back = {"name": "back", "approach": "way_back", "tuning": {"learning_rate": [0.01], "way_back.alpha": alphas}}
    suite = tiny.write(
        tmp_path,
        approaches=["zero_shot", way_back],
        tuning={"learning_rate": [0.001, 0.002, 0.003]},
        evaluation={"samples": 8, "batch_size": 64, "measure": "each"},
        metrics=["loss", "reread"],
    )
    found = tiny.records(tiny.run(suite))["python_reference-way_back-n4-s0"]["happened"]
    assert found["status"] == "ok", found["reason"]
    losses = {trial["values"]["way_back.alpha"]: trial["validation_loss"] for trial in found["trials"]}
    assert losses[1.0] < losses[0.5] < losses[0.0], "one each, not one for all"
    assert found["chosen"]["way_back.alpha"] == 1.0
    scores = {score["metric"]: score["value"] for score in found["scores"]}
    assert scores["test_loss"] == scores["reread_loss"]


def test_a_change_that_no_checkpoint_keeps_is_refused(awkward: Path, tmp_path: Path) -> None:
    found = tiny.records(tiny.run(tiny.write(tmp_path, approaches=["forgetful"])))
    record = found["python_reference-forgetful-n4-s0"]["happened"]
    assert record["status"] == "failed"
    assert record["scores"] == []
    assert "approach forgetful: what it changed after training is not kept (the validation loss was" in record["reason"]


def test_what_test_items_add_to_scores_is_kept_beside_the_record(finished: Path) -> None:
    found = runs.read(finished)
    for record in found.records:
        scores = {score["metric"]: score for score in record["happened"]["scores"]}
        kept = found.items(record)
        assert set(kept) == {"perplexity", "bits_per_byte"} & scores.keys(), "measured afterwards or not"
        for metric, values in kept.items():
            assert len(values) == scores[metric]["n"]
            assert values.mean() == pytest.approx(scores[metric]["value"], rel=1e-3)
            error = values.std(ddof=1) / len(values) ** 0.5
            assert error == pytest.approx(scores[metric]["error"], rel=1e-3)
        assert not any("items" in score for score in scores.values())


def test_samples_of_texts_are_kept_as_they_are(finished: Path) -> None:
    samples = [content for name, content in tiny.cells(finished).items() if name.endswith("/samples.json")]
    assert samples
    for drawn in map(json.loads, samples):
        assert len(drawn) == 8
        assert all(isinstance(text, str) for text in drawn)


def test_steps_that_fit_into_the_seconds_are_found_by_a_small_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial that takes half a second and a tenth for each step: what its stages and validations take is in it."""
    (cell,) = cells(tmp_path, {"budget": {"seconds": 3.0}}, approach="lora")
    transfer = SimpleNamespace(steps=0)

    def set_up(cell: Cell, values: dict[str, Any], data: Dataset, steps: int) -> Any:
        transfer.steps = steps
        return transfer

    monkeypatch.setattr(tuning, "set_up", set_up)
    monkeypatch.setattr(tuning, "_fit", lambda transfer, values: course.Trial({}, seconds=0.5 + 0.1 * transfer.steps))
    assert tuning.affordable(cell, {}, texts()) == 25
    assert tuning.affordable(cell.model_copy(update={"budget": Budget(steps=7)}), {}, texts()) is None


def test_steps_that_fit_into_the_examples_count_every_row(tmp_path: Path) -> None:
    """Rows of the source are rows too: aligning it with the target takes half as many steps."""
    content: dict[str, Any] = {"budget": {"examples": 40, "batch_size": 4, "validations": 1, "validation_rows": 4}}
    content["approaches"] = ["full_finetuning", "domain_adaptation"]
    data = dataset.load("python_reference")
    steps = {
        cell.approach: tuning.affordable(cell, {}, data)
        for cell in cells(tmp_path, content)
        if cell.approach in content["approaches"]
    }
    assert steps == {"full_finetuning": 10, "domain_adaptation": 5}


def test_a_run_whose_budget_is_in_seconds(tmp_path: Path) -> None:
    folder = tiny.run(
        tiny.write(tmp_path, budget={"seconds": 0.5, "batch_size": 4, "validations": 1, "validation_rows": 8})
    )
    trained = {name: r["happened"] for name, r in tiny.records(folder).items() if r["happened"]["trials"]}
    assert len(trained) == 2
    for happened in trained.values():
        (trial,) = happened["trials"]
        assert happened["status"] == "ok"
        assert trial["steps"] == happened["training"]["steps"] >= 1
