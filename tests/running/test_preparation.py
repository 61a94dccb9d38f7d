"""What cannot be prepared ends the cells that need it, and no others; all of it is told in one run."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pebble import ProcessExpired

from bench import __main__, report
from bench.errors import CheckpointError, DataError, ResultsError
from bench.results import files, packed, runs, tidy
from bench.running import runner
from bench.running.pool import Task
from bench.running.preparation import Preparation
from bench.suite import loading
from bench.suite.cell import Cell, ModelSpec
from tests import plans, tiny
from tests.models import language_model, saved

Outcome = Callable[[Task], Any]


def cells(folder: Path) -> list[Cell]:
    """A language model and one of pictures, each with its data, scored in a feature space or not."""
    images = plans.IMAGES | {"recipe": plans.IMAGES["recipe"] | {"source": "shapes"}}
    known = {"models/pictures": images, "datasets": ["python_reference", "glyphs"], "approaches": ["full_finetuning"]}
    return plans.load(folder, known | {"metrics": ["perplexity", {"fidelity": {"space": "digit_classifier"}}]}).cells


def prepared(found: list[Cell], outcome: Outcome) -> tuple[Preparation, list[tuple[str, str, str]]]:
    """A preparation in which each task comes to the outcome that it is said to, and what is told of it."""
    told: list[tuple[str, str, str]] = []

    def stage(name: str, tasks: list[Task], workers: int) -> None:
        for task in tasks:
            made = {"device": "cpu"} if task.function == "describe_device" else outcome(task)
            told.append((task.name, *task.ended(task, made)[:2]))

    preparation = Preparation(found, stage)
    preparation.read()
    preparation.make()
    return preparation, told


def well(task: Task) -> Any:
    return (900, "content") if task.function == "prepare_dataset" else None


@pytest.mark.parametrize(
    ("what", "error", "said"),
    [
        ("dataset glyphs", DataError("dataset glyphs: a fault; mend it"), "dataset glyphs: a fault; mend it"),
        ("dataset shapes", DataError("dataset shapes: no; mend it"), "dataset shapes: no; mend it"),
        ("model pictures", CheckpointError("architecture: no; mend it"), "architecture: no; mend it"),
        ("feature space digit_classifier", OSError("no net"), "digit_classifier: could not be made (OSError: no net)"),
        (
            "model pictures",
            ProcessExpired("Abnormal termination", -9),
            "model pictures: could not be made (killed (SIGKILL): by hand, or by a system that ran out of memory)",
        ),
    ],
)
def test_what_one_model_lacks_is_its_own_fault(what: str, error: Exception, said: str, tmp_path: Path) -> None:
    found = cells(tmp_path)
    preparation, told = prepared(found, lambda task: error if task.name == what else well(task))
    assert {cell.model_name for cell in found if preparation.fault(cell)} == {"pictures"}
    reasons = {preparation.fault(cell) for cell in found if cell.model_name == "pictures"}
    assert [reason.endswith(f"{said}; then run again with --retry") for reason in reasons] == [True]
    assert [name for name, status, _ in told if status == "failed"] == [what]
    if what == "dataset shapes":
        assert "model pictures" not in [name for name, _, _ in told], "nothing is made of what is not there"


def test_more_examples_than_there_are_end_the_cells_that_ask_for_them(tmp_path: Path) -> None:
    found = cells(tmp_path)
    most = max(cell.data_size for cell in found)
    assert most > 1
    preparation, told = prepared(found, lambda task: (most - 1, "x") if "glyphs" in task.name else well(task))
    faults = {(cell.model_name, cell.data_size): preparation.fault(cell) for cell in found}
    problem = f"data_sizes: {most} examples asked, dataset glyphs has {most - 1} to train on; ask for {most - 1} or"
    assert faults.pop(("pictures", most)) == f"{problem} fewer; then run again with --retry"
    assert set(faults.values()) == {""}
    assert ("dataset glyphs", "failed", f"{problem} fewer") in told
    assert ("model pictures", "ok", "") in told, "others learn from fewer"


def test_a_disk_that_is_full_is_the_run_s_end(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="full"):
        prepared(cells(tmp_path), lambda task: ResultsError("cache: the disk is full; free some space"))


class Told(tiny.Silent):
    """What did not end well, as it is told."""

    def __init__(self) -> None:
        self.faults: list[tuple[str, str]] = []

    def finished(self, name: str, status: str, reason: str, seconds: float) -> None:
        if status not in ("ok", "not_applicable"):
            self.faults.append((name, reason))


def broken(folder: Path) -> dict[str, Any]:
    """A model whose weights are cut off."""
    weights = saved(language_model(), folder) / "model.safetensors"
    os.truncate(weights, weights.stat().st_size - 1000)
    return {"family": "causal_lm", "checkpoint": str(folder), "options": {"context": 32, "max_new_tokens": 4}}


def test_all_faults_of_a_run_are_told_and_every_cell_is_a_row(tmp_path: Path) -> None:
    """A model that cannot be read, an option that does not fit, more data than there is; the rest trains."""
    models = tiny.SUITE["models"] | {"broken": broken(tmp_path / "model")}
    approaches = ["full_finetuning", {"layer_transfer": {"blocks": [99]}}]
    path = tiny.write(tmp_path, models=models, approaches=approaches, data_sizes=[4, 100_000])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.dataset_cache.sizes", lambda *_: None)  # as on a machine that never read it
        loaded = loading.load(path)
        _ = loaded.cells
    folder = runner.start(loaded, tmp_path / "results")
    progress = Told()
    runner.run(loaded, folder, progress)
    assert [name for name, _ in progress.faults] == [
        "dataset python_reference",
        "options of layer_transfer",
        "model broken",
    ]
    table = tidy.read(folder)
    assert set(table["cell"]) == {cell.id for cell in loaded.cells}
    ends = {
        (model, approach, size): (status, reason)
        for model, approach, size, status, reason in table[
            ["model", "approach", "data_size", "status", "reason"]
        ].itertuples(index=False)
    }
    good = {key for key, (status, _) in ends.items() if status == "ok"}
    controls = {
        ("tiny", "zero_shot", 0),
        ("tiny", "real_data", 0),
        ("tiny", "training_data", 0),
        ("tiny", "from_scratch", 4),
    }
    assert good == controls | {("tiny", "full_finetuning", 4)}
    assert {status for status, _ in ends.values()} == {"ok", "failed"}
    assert "100000 examples asked" in ends["tiny", "full_finetuning", 100_000][1]
    assert "approaches.layer_transfer.options: " in ends["tiny", "layer_transfer", 4][1]
    assert str(tmp_path / "model") in ends["broken", "zero_shot", 0][1]
    assert all(reason.endswith("; then run again with --retry") for status, reason in ends.values() if status != "ok")
    assert "broken" in report.build(folder, tmp_path / "reports").page.read_text()


def test_what_is_nowhere_ends_its_own_cells_until_it_is_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder and a file that are not there beside a model and a dataset that are."""
    nowhere = {"family": "causal_lm", "checkpoint": "./model", "options": {"context": 32, "max_new_tokens": 4}}
    own = {"name": "mine", "dataset": "text_files", "options": {"path": str(tmp_path / "mine.txt"), "unit": "line"}}
    path = tiny.write(
        tmp_path,
        models=tiny.SUITE["models"] | {"nowhere": nowhere},
        datasets=["python_reference", own],
        approaches=["zero_shot"],
    )
    arguments = ["run", str(path), "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]

    def reasons() -> dict[Any, set[str]]:
        table = tidy.read(tiny.latest(path))
        return {key: set(rows["reason"]) for key, rows in table.groupby(["model", "target"])}

    assert __main__.main(arguments) == 1
    capsys.readouterr()
    found = reasons()
    assert found.pop(("tiny", "python_reference")) == {""}
    (model,) = found.pop(("nowhere", "python_reference"))
    retry = "then run again with --retry"
    assert model == f"checkpoint: no folder './model'; name a folder or a hub id such as openai-community/gpt2; {retry}"
    (data,) = set().union(*found.values())
    assert data.startswith(f"dataset text_files: option 'path': '{tmp_path / 'mine.txt'}' is not there")
    saved(language_model(), tmp_path / "model")
    (tmp_path / "mine.txt").write_text("\n".join(f"line {n}" for n in range(40)))
    kept = 4  # the good model on the good dataset
    assert __main__.main(arguments) == 0, "what has come is other cells"
    assert f"12 cells trained now, {kept} were there already: 16 ok" in capsys.readouterr().out
    (tmp_path / "mine.txt").rename(tmp_path / "aside")
    assert __main__.main(arguments) == 1
    (tmp_path / "aside").rename(tmp_path / "mine.txt")
    capsys.readouterr()
    assert __main__.main(arguments) == 0
    assert "0 cells trained now, 16 were there already: 16 ok" in capsys.readouterr().out
    assert set(tidy.read(tiny.latest(path))["status"]) == {"ok"}


def test_a_run_of_which_nothing_can_be_prepared_has_its_rows_and_goes_on_with_retry(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = broken(tmp_path / "model")
    path = tiny.write(tmp_path, models={"broken": model})
    arguments = ["run", str(path), "--results", str(tmp_path / "results"), "--reports", str(tmp_path / "reports")]
    assert __main__.main(arguments) == 1
    shown = capsys.readouterr().out
    assert "5 cells trained now: 5 failed" in shown
    assert "broken → python_reference\napproach" in shown, "there are no numbers of which more could be said"
    folder = tiny.latest(path)
    before = tiny.states(folder)
    assert __main__.main(arguments) == 1
    assert tiny.states(folder) == before, "what failed is finished"
    capsys.readouterr()
    assert __main__.main([*arguments, "--retry"]) == 1
    assert "5 cells trained now: 5 failed" in capsys.readouterr().out
    saved(language_model(), tmp_path / "model")
    assert __main__.main(arguments) == 0, "another model is another cell"
    assert set(tidy.read(folder)["status"]) == {"ok"}


def test_what_was_scored_stays_where_a_model_is_gone_before_it_is_measured(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder = tiny.latest(path)
    loaded = loading.load(path)
    gone = ModelSpec(family="causal_lm", checkpoint=str(tmp_path / "none"), fingerprint="gone")
    loaded.__dict__["cells"] = [c.model_copy(update={"model": gone}) for c in loaded.cells if c.approach == "zero_shot"]
    packed.unpack(folder)
    old = [runs.record_path(folder, c.id) for c in loading.load(path).cells if c.approach == "zero_shot"]
    for cell, record in zip(loaded.cells, old, strict=True):
        known = files.read_json(record)
        known["happened"]["measured"] = False
        files.write_json(runs.record_path(folder, cell.id), known | {"cell": cell.id})
    runner.run(loaded, folder, tiny.Silent())
    happened = runs.Cells(folder).record(loaded.cells[0].id)["happened"]  # type: ignore[index]
    assert happened["status"] == "ok"
    assert happened["scores"]
    assert happened["skipped"]["measurement"].startswith("failed: checkpoint ")
