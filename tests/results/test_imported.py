"""What a source gives becomes a run like ours: read back, replaced by its own kind alone, and never mixed."""

import json
from pathlib import Path
from typing import Any

import pytest

from bench.errors import ResultsError
from bench.results import files, imported, packed, runs, tidy
from bench.results.imported import Cell, Imported


def cell(approach: str = "lora", seed: int = 0, value: float | None = 0.5, **asked: Any) -> Cell:
    scores = [{"metric": "accuracy", "value": value, "unit": "", "better": "higher", "n": 9, "error": None}]
    place = {"model": "m", "target": "t", "approach": approach, "options": {approach: {}}, "data_size": 8, "seed": seed}
    happened = {"status": "ok", "reason": "", "scores": scores if value is not None else []}
    return Cell(place | asked, happened | ({} if value is not None else {"skipped": {"accuracy": "gone"}}))


def made(folder: Path, *cells: Cell, run: str | None = "one", **about: Any) -> Path:
    into = imported.folder(folder, "others", run)
    found = Imported(list(cells) or [cell()], {"": "accuracy"}, "Of others.", **about)
    imported.write(found, into, "csv", "bench import csv it.csv")
    return into


def test_a_run_that_is_read_like_any_other(tmp_path: Path) -> None:
    cells = [cell("lora", 0), cell("lora", 1, 0.75), cell("../../up", 0, None), cell("a/b " + "x" * 150, data_size=0)]
    cells[0].beside["curve.csv"] = b"step\n1\n"
    run = made(tmp_path, *cells, left_out=["a column"], unreadable=["a file"])
    found = runs.read(run)
    assert (found.damaged, found.info["packed"]) == ({}, packed.checksums(run))
    assert [one["asked"]["approach"] for one in found.records] == [one.asked["approach"] for one in cells]
    assert found.content(found.records[0]["cell"], "curve.csv") == b"step\n1\n"
    assert tidy.read(run)["value"].tolist()[:2] == [0.5, 0.75]
    assert found.info["environment"]["left_out"] == ["a file", "a column"]
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()) == [
        f"others/one/{name}" for name in ("beside.zip", "records.jsonl.gz", "results.parquet", "run.json")
    ]
    packed.unpack(run)  # whatever approaches are called, nothing lands elsewhere
    assert {path.parent for path in tmp_path.rglob("*.json")} == {run, run / "cells"}
    assert runs.read(run).records == found.records


def test_what_is_missing_is_counted() -> None:
    found = Imported([cell(), cell(seed=1, value=None), cell(seed=2, value=None)], {}, "")
    assert found.missing() == {"accuracy": 2}
    assert found.ends() == {"ok": 3}


def test_a_second_import_replaces_the_first_by_name_alone(tmp_path: Path) -> None:
    run = made(tmp_path, cell("lora"), cell("ia3"))
    packed.unpack(run)
    assert made(tmp_path, cell("dora")) == run
    assert [one["asked"]["approach"] for one in runs.read(run).records] == ["dora"]
    assert not (run / "cells").exists()
    unnamed = [made(tmp_path, run=None) for _ in range(2)]
    assert len({*unnamed, run}) == 3
    assert runs.latest(tmp_path / "others") == sorted(unnamed)[-1]


def test_what_was_trained_is_never_replaced(tmp_path: Path) -> None:
    trained = tmp_path / "others" / "one"
    files.write_json(trained / "run.json", {"suite": "others", "run": "one", "cells": ["c"]})
    with pytest.raises(ResultsError, match="holds a run that was trained here, which no import replaces; take another"):
        made(tmp_path)
    (trained / "run.json").rename(trained / "notes.txt")
    with pytest.raises(ResultsError, match="something else than a run"):
        made(tmp_path)
    (trained / "notes.txt").rename(trained / "run.json")
    (trained / "run.json").write_text("{")
    with pytest.raises(ResultsError, match="no import replaces"):
        made(tmp_path)


@pytest.mark.parametrize("name", ["", "..", "../up", "a/b", "/tmp", ".hidden", "x" * 81, "a\nb", "a\x00"])
def test_names_are_folders_inside(name: str, tmp_path: Path) -> None:
    for suite, run in ((name, "one"), ("others", name)):
        with pytest.raises(ResultsError, match="no name for a folder"):
            imported.folder(tmp_path, suite, run)
    assert list(tmp_path.iterdir()) == []


def test_a_record_that_could_not_be_read_again_is_refused() -> None:
    for wrong in ({"seed": -1}, {"model": "x" * 201}, {"data_size": "many"}):
        with pytest.raises(files.Damaged):
            cell(**wrong).record("s", "r")


def test_an_import_that_was_killed_can_be_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made(tmp_path)

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(packed, "write_archive", killed)
        with pytest.raises(KeyboardInterrupt):
            made(tmp_path, cell("ia3"))
    run = made(tmp_path, cell("dora"))
    assert [one["asked"]["approach"] for one in runs.read(run).records] == ["dora"]


def test_places_make_names_and_names_are_stable() -> None:
    names = [cell(**place).record("s", "r")["cell"] for place in ({}, {"seed": 1}, {"model": "n"}, {"data_size": 9})]
    assert len(set(names)) == 4
    assert names[0] == cell(value=0.9).record("another", "run")["cell"]
    assert json.dumps(names[0]).isascii()
