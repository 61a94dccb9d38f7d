"""What trackers are told: names that all of them take, numbers as in the record, and nothing that lets anybody in."""

import json
import re
from pathlib import Path

import pytest

from bench.results import files, runs
from bench.trackers import telling


def told(run: Path) -> dict[str, telling.Told]:
    return {one.name: one for one in telling.group(runs.read(run)).cells}


def test_a_cell(run: Path) -> None:
    one = told(run)["tiny_gpt2-python_reference-lora-0-n50-s0"]
    record = next(record for record in runs.records(run) if record["cell"] == one.cell)
    assert one.parameters | {
        "model": "tiny_gpt2", "target": "python_reference", "source": "python_docstrings", "approach": "lora",
        "data_size": 50, "seed": 0, "options.lora.rank": 8, "budget.steps": 200, "chosen.learning_rate": 0.0003,
        "environment.packages.torch": "2.9.0", "environment.device": "cpu",
    } == one.parameters  # fmt: skip
    assert (one.tags["status"], one.tags["key"], one.well) == ("ok", record["asked"]["key"], True)
    scores = {score["metric"]: score for score in record["happened"]["scores"]}
    assert one.metrics["score/bits_per_byte"] == scores["bits_per_byte"]["value"]
    wanted = {name: score["error"] for name, score in scores.items() if score["error"] is not None}
    assert sorted(wanted.values()) == sorted(one.metrics[name] for name in one.metrics if "standard_error/" in name)
    assert one.metrics["score/checkpoint_bytes"] == scores["checkpoint_bytes"]["value"]
    assert one.metrics["score/latency_p50.batch.1 in ms"] == scores["latency_p50[batch=1]"]["value"]
    assert "| bits_per_byte | " in one.notes


def test_curves_are_those_of_the_trial_that_was_chosen(run: Path) -> None:
    one = told(run)["tiny_gpt2-python_reference-lora-0-n800-s0"]
    record = next(record for record in runs.records(run) if record["cell"] == one.cell)
    trials = [trial["values"] for trial in record["happened"]["trials"]]
    chosen = trials.index(record["happened"]["chosen"])
    lines = runs.Cells(run).content(one.cell, "curve.csv").decode().splitlines()  # type: ignore[union-attr]
    columns = lines[0].split(",")
    rows = [dict(zip(columns, line.split(","), strict=True)) for line in lines[1:]]
    for loss in ("train_loss", "validation_loss"):
        wanted = {int(row["step"]): float(row[loss]) for row in rows if row[loss] and int(row["trial"]) == chosen}
        assert len(wanted) > 2
        assert {point.step: value for point in one.curves if (value := point.values.get(f"curve/{loss}"))} == wanted
    assert [point.step for point in one.curves] == sorted({point.step for point in one.curves})


def test_names_are_what_every_tracker_takes(run: Path) -> None:
    for one in told(run).values():
        names = {*one.parameters, *one.metrics, *one.tags, *(name for point in one.curves for name in point.values)}
        assert all(re.fullmatch(r"[\w./ -]{1,250}", name, re.ASCII) for name in names)
        assert all(len(value) <= 500 for value in one.parameters.values() if isinstance(value, str))


def test_a_cell_that_broke_has_its_reason_and_no_scores(run: Path) -> None:
    one = told(run)["tiny_gpt2-python_reference-distillation-0-n800-s0"]
    assert (one.tags["status"], one.well, one.metrics) == ("out_of_memory", False, {})
    assert one.tags["reason"].startswith("one example at a time does not fit")


def test_the_digest_changes_with_what_is_told_and_with_nothing_else(run: Path) -> None:
    before = {name: one.digest for name, one in told(run).items()}
    assert before == {name: one.digest for name, one in told(run).items()}
    name = "tiny_gpt2-python_reference-lora-0-n50-s0"
    path = runs.record_path(run, told(run)[name].cell)
    record = json.loads(path.read_text())
    record["happened"]["scores"][0]["value"] += 0.5
    files.write_json(path, record)
    assert [other for other, one in told(run).items() if one.digest != before[other]] == [name]


def test_runs_of_one_name_are_told_apart_by_when_they_began(run: Path) -> None:
    group = telling.group(runs.read(run))
    info = json.loads((run / "run.json").read_text())
    files.write_json(run / "run.json", info | {"started": "2031-01-01T00:00:00+00:00"})
    assert telling.group(runs.read(run)).id != group.id


def test_no_secret_is_told(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_API_KEY", "sk-0123456789")
    path = next((run / "cells").glob("*lora-0-n50*.json"))
    record = json.loads(path.read_text())
    record["asked"]["options"]["lora"]["endpoint"] = "https://me:hunter2@models.example/v1?key=sk-0123456789"
    record["happened"]["skipped"] = {"fidelity": "GET http://me:hunter2@host said sk-0123456789"}
    files.write_json(path, record)
    said = repr(told(run))
    assert "models.example" in said
    assert "hunter2" not in said
    assert "sk-0123456789" not in said


def test_damaged_records_are_counted_and_not_told(run: Path) -> None:
    path = next((run / "cells").glob("*lora-0-n50*.json"))
    path.write_text("{")
    group = telling.group(runs.read(run))
    assert group.damaged == 1
    assert path.stem not in {one.cell for one in group.cells}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"trial,step\n0,many\n", b'trial,step\n"', b"a,b\n1,2\n"])
def test_a_damaged_curve_is_no_curve(run: Path, content: bytes) -> None:
    cell = next((run / "cells").glob("*lora-0-n50*.json")).stem
    (run / "cells" / cell / "curve.csv").write_bytes(content)
    assert next(one for one in told(run).values() if one.cell == cell).curves == []
