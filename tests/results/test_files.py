"""Records and tables: complete, written whole or not at all, and with an error that says what to mend."""

import errno
import io
import json
import math
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import save_file

from bench import __main__
from bench.errors import ResultsError
from bench.results import files, runs, tidy
from bench.results.checks import check_scores
from bench.results.files import Damaged
from tests import tiny

CELL = {
    "suite": "s",
    "run": "r",
    "model": "m",
    "family": "causal_lm",
    "modality": "text",
    "source": "",
    "target": "t",
    "approach": "lora",
    "options": {"lora": {"rank": 8}},
    "data_size": 16,
    "seed": 0,
}


def record(cell: str, status: str = "ok", reason: str = "", *values: float) -> dict[str, object]:
    scores = [
        {"metric": f"m{i}", "value": value, "unit": "bits", "better": "lower", "n": 7, "error": None}
        for i, value in enumerate(values)
    ]
    return {"cell": cell, "asked": CELL, "happened": {"status": status, "reason": reason, "scores": scores}}


def test_a_table_has_one_row_for_each_score_and_one_for_a_cell_without() -> None:
    table = tidy.table([record("a", "ok", "", 1.0, 2.0), record("b", "failed", "a fault")])
    assert list(table.columns) == list(tidy.COLUMNS)
    assert {name: str(kind) for name, kind in table.dtypes.items()} == tidy.COLUMNS
    assert table[["cell", "metric", "status", "reason"]].to_numpy().tolist() == [
        ["a", "m0", "ok", ""],
        ["a", "m1", "ok", ""],
        ["b", "", "failed", "a fault"],
    ]
    assert table["value"].tolist()[:2] == [1.0, 2.0]
    assert math.isnan(table["value"][2])
    assert json.loads(table["options"][0]) == {"lora": {"rank": 8}}


def test_a_table_of_nothing_still_has_its_columns_and_types() -> None:
    table = tidy.table([])
    assert {name: str(kind) for name, kind in table.dtypes.items()} == tidy.COLUMNS


def test_the_exported_table_holds_the_same(finished: Path, capsys: pytest.CaptureFixture[str]) -> None:
    parquet = tidy.read(finished)
    assert __main__.main(["export", str(finished)]) == 0
    exported = io.StringIO(capsys.readouterr().out)
    csv = pd.read_csv(exported, keep_default_na=False, na_values={"value": [""], "error": [""]})
    pd.testing.assert_frame_equal(parquet, csv.astype(tidy.COLUMNS))
    assert list(parquet.columns) == list(tidy.COLUMNS)
    assert not parquet.duplicated(["cell", "metric"]).any()
    assert parquet["cell"].nunique() == len(files.read_json(finished / "run.json")["cells"])


def test_a_score_that_is_not_finite_becomes_null_and_comes_back_as_nan(tmp_path: Path) -> None:
    files.write_json(tmp_path / "r.json", record("a", "ok", "", math.inf, math.nan))
    read = files.read_json(tmp_path / "r.json")
    assert [score["value"] for score in read["happened"]["scores"]] == [None, None]
    assert tidy.table([read])["value"].isna().all()


def test_a_metric_that_scores_twice_is_refused_before_it_is_written() -> None:
    """Its record would count as damaged."""
    score: dict[str, object] = {"metric": "kid", "value": 1.0, "unit": "", "better": "lower", "n": 3, "error": None}
    check_scores([score, score | {"metric": "fid"}])
    with pytest.raises(Damaged, match='"kid" is there twice'):
        check_scores([score, score])


def test_a_reader_sees_the_old_file_until_the_new_one_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "file.txt"
    path.write_text("old")

    def write(partial: Path) -> None:
        partial.write_text("ne")
        assert path.read_text() == "old"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.write_atomically(path, write)
    assert [file.name for file in tmp_path.iterdir()] == ["file.txt"]
    assert path.read_text() == "old"


def test_what_a_killed_writer_left_is_removed(tmp_path: Path) -> None:
    (tmp_path / "cells" / "a").mkdir(parents=True)
    if not (child := os.fork()):
        files.write_atomically(tmp_path / "cells" / "a" / "curve.csv", lambda partial: os._exit(0))
    os.waitpid(child, 0)
    assert len(list(tmp_path.rglob(".*.csv"))) == 1
    files.remove_partial(tmp_path)
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


@pytest.mark.parametrize("broken", ["", "{", "[1"])
def test_a_broken_record_is_named_with_a_remedy(tmp_path: Path, broken: str) -> None:
    path = tmp_path / "cell.json"
    path.write_text(broken)
    with pytest.raises(ResultsError, match=r"cell\.json: not a readable result .*; run the suite again"):
        files.read_json(path)


def test_a_folder_that_is_no_run_is_named_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match=r"holds no run\.json; name a folder"):
        runs.records(tmp_path)
    with pytest.raises(ResultsError, match=r"results\.parquet: not a readable table"):
        tidy.read(tmp_path)


def test_the_latest_run_is_the_newest_that_has_begun(tmp_path: Path) -> None:
    assert runs.latest(tmp_path / "none") is None
    for name in ("2026-01-02_000000", "2026-01-10_000000", "2026-01-01_000000"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "run.json").write_text("{}")
    (tmp_path / "2026-02-01_000000").mkdir()
    assert runs.latest(tmp_path) == tmp_path / "2026-01-10_000000"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", folder], capture_output=True)
    if mounted.returncode:
        pytest.skip("may not mount a file system here")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_one_clear_line_whoever_notices_it(small_disk: Path) -> None:
    large = torch.zeros(1 << 16)
    frame = pd.DataFrame({"value": range(1 << 16)})
    for write in (
        lambda partial: partial.write_text("x" * (1 << 18)),
        lambda partial: save_file({"weights": large}, partial),
        lambda partial: frame.sample(frac=1, random_state=0).to_parquet(partial),
        lambda partial: frame.to_csv(partial),
    ):
        with pytest.raises(ResultsError, match=r"^\S*file: the disk is full; free some space and run the same") as said:
            files.write_atomically(small_disk / "file", write)
        assert "\n" not in str(said.value)
        assert not list(small_disk.iterdir())


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_device_is_told_from_other_faults(tmp_path: Path) -> None:
    with pytest.raises(ResultsError, match="the disk is full"):
        files.write_atomically(tmp_path / "a", lambda partial: Path("/dev/full").write_text("x" * 100_000))
    with pytest.raises(ZeroDivisionError):
        files.write_atomically(tmp_path / "a", lambda partial: 1 / 0)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_a_forbidden_folder_is_named_with_a_remedy(tmp_path: Path, number: int) -> None:
    def forbidden(partial: Path) -> None:
        raise OSError(number, os.strerror(number))

    with pytest.raises(ResultsError, match="a: not writable; name another folder with --results"):
        files.write_atomically(tmp_path / "a", forbidden)


def test_a_file_where_a_folder_is_needed_is_named_with_a_remedy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ResultsError, match="a file stands where a folder is needed; name another"):
        files.write_json(tmp_path / "file" / "record.json", {})


def test_records_say_what_was_asked_what_happened_and_where(finished: Path) -> None:
    for found in tiny.records(finished).values():
        asked, happened, where = found["asked"], found["happened"], found["environment"]
        assert found["cell"].endswith(asked["key"])
        assert asked["definition"]["budget"]["steps"] == 2
        assert happened["status"] == "ok"
        assert happened["seconds"] > 0
        assert happened["scores"]
        assert where["packages"]["torch"] == torch.__version__.partition("+")[0]
        assert where["device"] == ("cuda" if torch.cuda.is_available() else "cpu")
        assert where["threads"] == 1
    run = files.read_json(finished / "run.json")
    assert set(run["environment"]["datasets"]) == {"python_reference"}
    assert run["started"] < run["finished"]
    assert run["workers"] == 2
    assert set(run["cell_seconds"]) == set(run["cells"])


def test_samples_and_curves_lie_beside_the_records(finished: Path) -> None:
    cells = runs.Cells(finished)
    cell = next(name for name in cells.names() if "full_finetuning-n4-s0-" in name)
    assert cells.beside(cell) == ["curve.csv", "samples.json"]
    curve = pd.read_csv(io.BytesIO(cells.content(cell, "curve.csv") or b""))
    assert curve["step"].tolist() == [0, 1, 2, 2]
    assert curve["train_loss"].notna().sum() == 2
    assert len(json.loads(cells.content(cell, "samples.json") or b"")) == 8
    assert cells.content(cell, "samples.png") is None


def test_training_items_that_an_earlier_version_called_real_data_have_their_own_name(tmp_path: Path) -> None:
    """They stood for the floor then; whoever reads such a run is told what they are."""
    control = CELL | {"approach": "real_data", "options": {"real_data": {}}, "data_size": 0}
    asked = {
        "old": control | {"definition": {"budget": {}}},
        "named": control | {"definition": {}, "approach": "real pictures"},
        "new": control | {"definition": {"code": {"real_data": "1"}}},
        "other": CELL | {"definition": {}},
    }
    files.write_json(tmp_path / "run.json", {"cells": list(asked)})
    for cell, one in asked.items():
        files.write_json(runs.record_path(tmp_path, cell), record(cell, "ok", "", 1.0) | {"asked": one})
    table = tidy.table(runs.records(tmp_path)).set_index("cell")
    assert dict(table["approach"]) == {
        "old": "training_data",
        "named": "real pictures",
        "new": "real_data",
        "other": "lora",
    }
    assert [list(json.loads(options)) for options in table["options"]] == [
        ["training_data"],
        ["training_data"],
        ["real_data"],
        ["lora"],
    ]
