"""``bench rerun``: cells of an earlier run once more, equal or not, and what cannot be trained any more."""

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.commands import rerun as command
from bench.comparison import history
from bench.comparison.baselines import last_ok
from bench.errors import ResultsError
from bench.results import files, packed, runs, verification
from tests import tiny

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    """A finished run that may be changed."""
    return tiny.latest(tiny.copied(finished, tmp_path))


def rerun(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = __main__.main(["rerun", *map(str, arguments)])
    said = capsys.readouterr()
    return code, said.out, said.err


def cell_of(run: Path, approach: str, seed: int = 0) -> str:
    return next(
        str(record["cell"])
        for record in runs.records(run)
        if (record["asked"]["approach"], record["asked"]["seed"]) == (approach, seed)
    )


def edit(run: Path, approach: str, change: Edit) -> str:
    """Change the record of the first seed's cell; the cell."""
    packed.unpack(run)
    cell = cell_of(run, approach)
    record = files.read_json(runs.record_path(run, cell))
    change(record)
    files.write_json(runs.record_path(run, cell), record)
    return cell


def test_the_same_again_is_the_same_to_the_last_digit_and_no_run_of_the_suite(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = tiny.states(run)
    code, out, err = rerun(capsys, run, "python_reference-full_finetuning-*")
    assert code == 0, err
    assert "2 cells: the same to the last digit" in out
    assert tiny.states(run) == before
    assert not verification.verify(run).faults
    (again,) = run.with_name(f"{run.name}.reruns").iterdir()
    assert not verification.verify(again).faults
    assert runs.read_info(again)[0]["rerun"]["of"] == run.name
    assert tiny.quality(again).items() <= tiny.quality(run).items()
    assert runs.latest(run.parent) == run
    assert len(history.read(run.parent).nights) == 1
    with pytest.raises(ResultsError, match="no earlier run"):
        last_ok(run)
    assert __main__.main(["compare", str(run), str(again)]) == 0
    assert __main__.main(["report", str(again), "--reports", str(run.parent / "reports")]) == 0
    assert (run.parent / "reports" / "tiny" / again.name / "index.html").exists()


def test_what_is_other_is_named_and_from_where_on(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def plant(record: dict[str, Any]) -> None:
        record["environment"]["packages"]["torch"] = "1.0.0"
        record["asked"]["definition"]["code"] = {"full_finetuning": "0"}  # as if its GENERATION had been raised
        record["asked"]["key"] = "0" * 16

    cell = edit(run, "full_finetuning", plant)
    curve = run / "cells" / cell / "curve.csv"
    lines = curve.read_text().splitlines()
    place = max(place for place, line in enumerate(lines) if line.split(",")[4])  # the last validation
    trial, step, stage, trained, _, *rest = lines[place].split(",")
    lines[place] = ",".join([trial, step, stage, trained, "1.5", *rest])
    curve.write_text("\n".join(lines) + "\n")
    code, out, _ = rerun(capsys, run / "cells" / f"{cell}.json", "--json")
    found = json.loads(out)
    assert (code, found["equal"]) == (0, 0)
    assert found["conclusion"].startswith("1 of 1 cell is not the same; the reason is among what changed")
    where = f"from step {step} of trial 1 on: validation loss 1.5 then, "
    assert found["cells"][0]["apart"].startswith(where)
    changed = {one["what"]: one["base"] for one in found["changed"]}
    assert changed == {"packages.torch": "1.0.0", "code.full_finetuning": "0"} | changed
    assert set(changed) <= {"packages.torch", "code.full_finetuning", "workers"}


def unknown_option(record: dict[str, Any]) -> None:
    record["asked"]["definition"]["chain"][0][1] = {"no_such": 1}


def unknown_approach(record: dict[str, Any]) -> None:
    record["asked"]["definition"]["chain"][0][0] = "no_such"


def unknown_budget(record: dict[str, Any]) -> None:
    record["asked"]["definition"]["budget"]["no_such"] = 1


def no_definition(record: dict[str, Any]) -> None:
    del record["asked"]["definition"]


def other_data(record: dict[str, Any]) -> None:
    record["asked"]["definition"]["target"]["content"] = "0123"


def no_checkpoint(record: dict[str, Any]) -> None:
    record["asked"]["definition"]["model"] |= {"checkpoint": "/no/such", "recipe": None, "fingerprint": "0123"}


def not_applicable(record: dict[str, Any]) -> None:
    record["happened"] |= {"status": "not_applicable", "reason": "no meaning here", "scores": []}


def other_device(record: dict[str, Any]) -> None:
    record["environment"]["device"] = "tpu"


def other_items(record: dict[str, Any]) -> None:
    record["environment"]["datasets"]["python_reference"] = "0123"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (unknown_option, "no option 'no_such'; it has: none; or rerun it with the version that made it, transferbench"),
        (unknown_approach, "unknown approach 'no_such'"),
        (unknown_budget, "asked.definition.budget.no_such: unknown key; rerun it with the version that made it"),
        (no_definition, "an early version wrote it, which did not say all that was asked; run its suite anew"),
        (other_data, "changed since: the files of python_reference (hash 0123 then"),
        (no_checkpoint, "checkpoint: no folder '/no/such'; put it back"),
        (not_applicable, "it was not trained (no meaning here); name others"),
        (other_device, "it was trained on tpu, and here is cpu"),
        (other_items, "changed since: python_reference holds other items (fingerprint 0123 then"),
    ],
)
def test_what_cannot_be_trained_as_it_was_is_one_line(
    change: Edit, said: str, run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cell = edit(run, "full_finetuning", change)
    code, _, err = rerun(capsys, run, cell)
    (line,) = [line for line in err.splitlines() if line.startswith("bench: ")]
    assert code == 2
    assert said in line
    assert not run.with_name(f"{run.name}.reruns").exists()


def test_other_data_are_trained_where_that_is_asked_for(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = edit(run, "full_finetuning", other_items)
    code, out, _ = rerun(capsys, run, cell, "--changed")
    assert code == 0
    assert "changed datasets.python_reference: 0123 → " in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "which of its 10 cells?"),
        (["python_reference-full_finetunin-n4-s0"], "no cell 'python_reference-full_finetunin-n4-s0'; did you mean"),
        (["lora-*"], "no cell 'lora-*'; `bench export` lists them"),
        (["--model", "tiniy"], "--model 'tiniy': no model of this run; did you mean 'tiny'"),
        (["elsewhere/cells/x.json"], "a cell of another run than"),
    ],
)
def test_cells_that_are_not_there_are_one_line(
    arguments: list[str], said: str, finished: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, _, err = rerun(capsys, finished, *arguments)
    assert (code, len(err.splitlines())) == (2, 1)
    assert said in err


def test_an_imported_run_was_never_trained_here(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    info, _ = runs.read_info(run)
    files.write_json(run / "run.json", {**info, "imported": {"source": "csv"}})
    code, _, err = rerun(capsys, run, "--approach", "full_finetuning")
    assert (code, "holds imported results" in err) == (2, True)


def test_cells_are_completed(finished: Path) -> None:
    assert command._completed(argparse.Namespace(results=finished)) == runs.read_info(finished)[0]["cells"]
