"""Results that a disk, a hand or another program has damaged: the file is named, its cell says so, the rest goes on."""

import json
import os
import random
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.results import packed, runs, tidy
from tests import mutations
from tests.report.runs import make_run

ROOT = Path(__file__).parents[2]
COMMITTED = sorted((ROOT / "results").glob("*/reference"))


@pytest.fixture(scope="module")
def healthy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("healthy"), sizes=(50,), seeds=(0, 1))


@pytest.fixture
def run(healthy: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(healthy, tmp_path / "results" / "quickstart" / healthy.name))


def by_cell(folder: Path) -> dict[str, dict[str, Any]]:
    return {record["cell"]: record for record in runs.records(folder)}


def reported(run: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, what is said beside the page's path, and the page."""
    code = __main__.main(["report", str(run), "--reports", str(run.parents[2] / "reports")])
    said = capsys.readouterr()
    page = Path(said.out.strip()).read_text(encoding="utf-8") if code < 2 else ""
    return code, said.err, page


def edited(path: Path, place: str, value: Any) -> None:
    """Another value at a dotted place of a JSON file."""
    content = json.loads(path.read_text())
    *parents, last = place.split(".")
    inside = content
    for part in parents:
        inside = inside[int(part) if part.isdecimal() else part]
    inside[last] = value
    path.write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("happened.status", None, "happened.status: null will not do, it should be 'ok', 'failed', "),
        ("happened.status", "fine", 'happened.status: "fine" will not do, it should be '),
        ("happened.scores", "x", 'happened.scores: "x" will not do, it should be a list such as [a, b]'),
        ("happened.scores.0.value", "2.0", 'happened.scores.0.value: "2.0" will not do, it should be a number'),
        ("happened.scores.0.value", 10**400, "happened.scores.0.value: 1000000000000000000000000000"),
        ("asked.data_size", 1e308, "asked.data_size: 1e+308 will not do, it should be a whole number"),
        ("asked.seed", 10**30, f"asked.seed: {10**30} will not do, it should be less than 9223372036854775808"),
        ("asked.model", 3, "asked.model: 3 will not do, it should be text"),
        ("asked.approach", "x" * 10**6, f'asked.approach: "{"x" * 59}… will not do, it should be'),
        ("environment.packages", ["torch"], 'environment.packages: ["torch"] will not do, it should be a mapping'),
        ("asked.seed", 7, "asked.seed: 7 is not what the cell's name says, "),
        ("asked.definition", {"code": "x"}, 'asked.definition.code: "x" will not do, it should be a mapping'),
        ("happened.scores.0.value", 1e308, "happened.scores.0.value: 1e+308 will not do, it should be less than"),
        ("happened.status", "failed", "happened.scores: a cell that is failed has none"),
        ("happened.scores.1.metric", "bits_per_byte", 'happened.scores: "bits_per_byte" is there twice'),
        ("cell", "../../elsewhere", 'cell: "../../elsewhere" is another one\'s name'),
    ],
)
def test_a_damaged_record_is_a_row_that_says_so(place: str, value: Any, said: str, run: Path) -> None:
    before = by_cell(run)
    cell = next(name for name, record in before.items() if record["asked"]["approach"] == "lora")
    edited(runs.record_path(run, cell), place, value)
    after = by_cell(run)
    assert list(after) == list(before)
    assert {name: record for name, record in after.items() if name != cell} == {
        name: record for name, record in before.items() if name != cell
    }
    happened = after[cell]["happened"]
    assert happened["status"] == "failed"
    assert happened["reason"].startswith(f"damaged record: cells/{cell}.json: {said}")
    for name in ("model", "target", "approach", "data_size", "seed"):  # from the file, or from the run's table
        assert after[cell]["asked"][name] == before[cell]["asked"][name]
    tidy.write(run, runs.records(run))
    row = tidy.read(run).query("cell == @cell").iloc[0]
    assert (row["status"], row["metric"], row["approach"]) == ("failed", "", "lora")


def test_a_record_of_another_ones_place_counts_for_none(run: Path) -> None:
    before = by_cell(run)
    one, other = (name for name in before if name.startswith("tiny_gpt2") and "-lora-0-n50-" in name)
    path = runs.record_path(run, other)
    path.rename(path.with_name(renamed := f"{one[:-16]}0123456789abcdef.json"))
    edited(path.with_name(renamed), "cell", renamed.removesuffix(".json"))
    edited(path.with_name(renamed), "asked.seed", before[one]["asked"]["seed"])
    edited(run / "run.json", "cells", [one, renamed.removesuffix(".json")])
    kept, refused = runs.records(run)
    assert (kept["cell"], kept["happened"]["status"]) == (one, "ok")
    assert f"asked: what {one} was asked" in refused["happened"]["reason"]


def test_what_is_no_regular_file_is_not_waited_for(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = next(name for name in by_cell(run) if "-lora-0-n50-s0" in name)
    beside = [next(run.glob(f"cells/tiny_{name}")) for name in BESIDE]
    for path in (runs.record_path(run, cell), *beside):
        path.unlink()
        os.mkfifo(path)
    (run / "results.parquet").unlink()
    (run / "results.parquet").symlink_to("/dev/zero")
    code, said, _ = reported(run, capsys)
    assert code == 1
    assert said.count("damaged (no regular file)") == 1 + len(beside)


@pytest.mark.parametrize("losses", ["0,1,1e308", "0,1,-1.7e308\n0,2,1", "0,1,inf"])
def test_a_loss_that_no_axis_holds_is_left_out(losses: str, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = next(run.glob(f"cells/tiny_{BESIDE[0]}"))
    path.write_text(f"trial,step,validation_loss\n{losses}\n")
    code, said, _ = reported(run, capsys)
    assert (code, said) == (0, "")


@pytest.mark.parametrize("name", ["\0y", "a\nb", "../up", "a/b", "."])
def test_a_run_has_the_name_of_its_folder_where_its_own_will_not_do(name: str, run: Path) -> None:
    edited(run / "run.json", "suite", name)
    found = runs.read(run)
    assert found.info["suite"] == "quickstart"
    assert "suite: " in found.damaged["run.json"]


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[" * 100_000, b"null", b"9" * 5000])
def test_a_file_that_is_no_record_is_named(content: bytes, run: Path) -> None:
    before = by_cell(run)
    cell = next(name for name in before if "-lora-0-n50-s0" in name)
    path = runs.record_path(run, cell)
    path.write_bytes(content)
    found = runs.read(run)
    (said,) = found.told()
    assert said.startswith(f"{path}: damaged (")
    assert said.endswith("; run the suite again to make it anew")
    assert (len(said.splitlines()), len(found.records)) == (1, len(before))


def test_the_rest_is_reported(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = next(name for name in by_cell(run) if "-lora-0-n50-s0" in name)
    runs.record_path(run, cell).write_text("{")
    damaged = [next(run.glob(f"cells/tiny_{name}")) for name in BESIDE]
    for path in damaged:
        path.write_bytes(b"\xff\xff\xff")
    code, said, page = reported(run, capsys)
    assert code == 1
    lines = said.splitlines()
    assert lines[0].startswith(f"bench: {run}/cells/{cell}.json: damaged (")
    assert lines[0].endswith("; run the suite again to make it anew")
    assert len(lines) == 1 + len(damaged)
    for path in damaged:  # which a run that goes on does not make again: its record is there
        (line,) = (line for line in lines if str(path) in line)
        assert line.endswith(f"; remove {path.parent}.json and run the suite again to make it anew")
        assert f"{path.relative_to(run)}: " in page
    assert f"damaged record: cells/{cell}.json: " in page
    assert "1 of 2 seeds" in page
    assert page.count("damaged: samples.") == 2
    failed = [name for name, record in by_cell(run).items() if "damaged" in record["happened"]["reason"]]
    assert failed == [cell]  # the scores beside a damaged picture stay


BESIDE = (
    "gpt2*-full_finetuning-0-n50-s0-*/curve.csv",
    "gpt2*-full_finetuning-0-n50-s0-*/samples.json",
    "unet*-full_finetuning-0-n50-s0-*/samples.png",
)


def test_without_its_table_a_record_that_tells_nothing_is_named_by_its_file(run: Path) -> None:
    cell = next(iter(by_cell(run)))
    runs.record_path(run, cell).write_text("{")
    (run / "results.parquet").write_text("PAR1")
    asked = by_cell(run)[cell]["asked"]
    assert (asked["model"], asked["approach"]) == ("unknown", "unknown")
    assert (f"-n{asked['data_size']}-" in cell, f"-s{asked['seed']}-" in cell) == (True, True)


@pytest.mark.parametrize(
    "content", ["", "null", "{", "{}", '{"cells": 3}', '{"cells": [3]}', '{"cells": ["../../../etc/passwd"]}']
)
def test_without_run_json_the_cells_are_those_that_are_there(content: str, run: Path) -> None:
    before = by_cell(run)
    (run / "run.json").write_text(content)
    found = runs.read(run)
    (said,) = found.told()
    assert said.startswith(f"{run}/run.json: damaged (")
    assert {record["cell"]: record for record in found.records} == before
    assert (found.info["suite"], found.info["run"]) == ("quickstart", run.name)


def test_a_part_of_run_json_that_is_damaged_is_left_out(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for key, value in {"seconds": 1e308, "started": 3, "primary": None, "workers": "two"}.items():
        edited(run / "run.json", key, value)
    cells = list(by_cell(run))[:30]
    for cell in cells:
        runs.record_path(run, cell).write_text("")
    code, said, page = reported(run, capsys)
    assert code == 1
    for problem in ("seconds: 1e+308 will not do", "started: 3 will not do", "primary: null will not do", 'workers: "'):
        assert problem in said
    assert "Started" not in page
    assert len(said.splitlines()) == 11  # many damaged files are counted and not all named
    assert said.endswith("bench: and 21 more\n")
    assert "and 11 more" in page


@pytest.mark.parametrize("seed", range(8))
def test_no_damage_ends_in_a_traceback_or_a_long_wait(seed: int, run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Twenty files at a time, each damaged in one place; ``run.json`` and the table in half of the runs."""
    chance, before = random.Random(seed), by_cell(run)
    hit = set(chance.sample(sorted(before), 20))
    for cell in sorted(hit):
        beside = sorted((run / "cells" / cell).glob("*"))
        mutations.damage(chance.choice([runs.record_path(run, cell)] * 3 + beside), chance)
    for name in ("run.json", "results.parquet") if seed % 2 else ():
        mutations.damage(run / name, chance)
    began = time.perf_counter()
    code, said, _ = reported(run, capsys)
    assert time.perf_counter() - began < 60  # of a whole run's figures; the damage adds nothing
    assert code in (0, 1, 2)
    assert "Traceback" not in said
    if code < 2:
        after = by_cell(run)
        kept = [cell for cell in before if cell in after] if seed % 2 else list(before)
        assert all(after[cell] == before[cell] for cell in kept if cell not in hit)
    else:
        assert seed % 2, "only a run's own file can keep all from being reported"


# Read as they are ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folder", COMMITTED, ids=lambda folder: folder.parent.name)
def test_the_runs_we_committed_are_read_whole(folder: Path) -> None:
    found = runs.read(folder)
    assert found.damaged == {}
    assert len(found.records) == len(found.info["cells"]) > 0
    assert all(record["happened"]["status"] in ("ok", "not_applicable") for record in found.records)
    texts = packed.Pack(folder).records
    for record in found.records:  # nothing is changed in reading
        assert record["happened"]["scores"] == json.loads(texts[record["cell"]])["happened"]["scores"]


def test_there_are_runs_that_we_committed() -> None:
    assert {folder.parent.name for folder in COMMITTED} >= {"quickstart"}


def test_ten_thousand_records_are_read_quickly(tmp_path: Path) -> None:
    """Two thousand here, in a fifth of the time that is allowed for ten: less than a millisecond each."""
    source = make_run(tmp_path, sizes=(50,), seeds=(0,), beside=False)
    one = next(record for record in runs.records(source) if record["happened"]["scores"])
    cells = [f"c{number}" for number in range(2000)]
    for cell in cells:
        runs.record_path(source, cell).write_text(json.dumps(one | {"cell": cell}))
    edited(source / "run.json", "cells", cells)
    began = time.perf_counter()
    assert len(runs.records(source)) == 2000
    assert time.perf_counter() - began < 4  # 0.4 s on an idle machine
