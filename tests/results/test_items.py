"""What test items add to scores: rounded, stored beside a record and packed, and read from both."""

import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from bench.results import files, items, packed, packed_items, runs
from bench.results.packed import BESIDE, ITEMS, RECORDS
from tests import mutations, tiny
from tests.report.runs import make_run

COUNT = 151


def scores_of(number: int) -> items.Scores:
    """Three metrics: one of all items, one that a few have no part in, and shares of 0 and 1."""
    shared, own = np.random.default_rng(0), np.random.default_rng(number)
    nats = 50 + shared.gamma(4, 20, COUNT) + own.normal(0, 5, COUNT)
    lacking = np.where(np.arange(COUNT) % 10 == 3, np.nan, nats**0.5)
    return {"bits": nats, "lacking": lacking, "share": (own.random(COUNT) < 0.7).astype(float)}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = make_run(tmp_path / "results", sizes=(50, 200), beside=False)
    for number, record in enumerate(runs.read(folder).records):
        record["happened"]["scores"] += [
            {"metric": name, "value": 1.0, "unit": "", "better": "lower", "n": COUNT, "error": None}
            for name in scores_of(0)
            if record["happened"]["status"] == "ok"
        ]
        files.write_json(runs.record_path(folder, record["cell"]), record)
        if record["happened"]["status"] == "ok":
            items.write(runs.items_path(folder, record["cell"]), scores_of(number))
    return folder


def stored(folder: Path) -> dict[str, items.Scores]:
    found = runs.read(folder)
    assert found.damaged == {}
    return {record["cell"]: one for record in found.records if (one := found.items(record))}


def same(one: dict[str, items.Scores], other: dict[str, items.Scores]) -> bool:
    assert {cell: set(scores) for cell, scores in one.items()} == {cell: set(held) for cell, held in other.items()}
    return all(
        np.array_equal(values, other[cell][metric], equal_nan=True)
        for cell, scores in one.items()
        for metric, values in scores.items()
    )


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
@pytest.mark.parametrize("offset", [0.0, 1000.0])
def test_rounding_adds_a_ten_thousandth_of_the_variance_at_most(scale: float, offset: float) -> None:
    values = scale * (np.random.default_rng(0).normal(size=1000) + offset)
    error = items.rounded(values) - values
    assert error.var() < 1e-4 * values.var()
    assert abs(error.mean()) < 4 * np.sqrt(error.var() / 1000) + 1e-12 * abs(values).max()
    assert np.array_equal(items.rounded(values), items.rounded(values).astype(np.float32))


def test_a_file_is_a_table_of_items_and_metrics(tmp_path: Path) -> None:
    scores = scores_of(1)
    items.write(path := tmp_path / "items.parquet", scores)
    table = pq.read_table(path)
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("item", "int32"),
        *((name, "float") for name in scores),
    ]
    assert table["item"].to_pylist() == list(range(COUNT))
    assert np.nanmean(table["bits"].to_numpy()) == pytest.approx(scores["bits"].mean(), rel=1e-3)
    found = items.decoded(path.read_bytes())
    for name, values in scores.items():
        assert np.array_equal(found[name], items.rounded(values), equal_nan=True)


def test_numbers_are_kept_where_metrics_end_at_different_items() -> None:
    scores = {"early": np.array([1.0, np.nan, 3.0, np.nan]), "late": np.array([np.nan, 2.0, np.nan, np.nan, 5.0])}
    found = items.decoded(items.encoded(scores))
    assert found["early"].tolist() == pytest.approx([1.0, np.nan, 3.0], nan_ok=True)
    assert found["late"].tolist() == pytest.approx([np.nan, 2.0, np.nan, np.nan, 5.0], nan_ok=True)


@pytest.mark.parametrize("values", [[], [[1.0]], [np.inf, 1.0], [np.nan, np.nan], [1e40], ["a"], [1.0, 2.0, 3.0]])
def test_what_are_no_scores_of_two_items(values: list[Any]) -> None:
    with pytest.raises(files.Damaged, match="items of mine"):
        items.checked(values, "mine", 2)


def test_both_forms_are_read_alike_and_nothing_is_lost(run: Path) -> None:
    before = stored(run)
    assert len(before) > 80
    packed.pack(run)
    assert {path.name for path in run.iterdir()} == {"run.json", "results.parquet", RECORDS, BESIDE, ITEMS}
    assert same(stored(run), before)
    packed.unpack(run)
    assert not (run / ITEMS).exists()
    assert same(stored(run), before)
    files_before = {name: content for name, content in tiny.cells(run).items() if name.endswith("items.parquet")}
    packed.pack(run)
    packed.unpack(run)
    assert {name: tiny.cells(run)[name] for name in files_before} == files_before


def test_packed_again_with_a_newer_cell_the_others_stay(run: Path) -> None:
    before = stored(run)
    packed.pack(run)
    cell = sorted(before)[5]
    items.write(runs.items_path(run, cell), scores_of(1000))
    before[cell] = {name: items.rounded(values) for name, values in scores_of(1000).items()}
    assert same(stored(run), before)
    packed.pack(run)
    assert same(stored(run), before)


def test_a_cell_that_did_not_end_well_or_lost_a_metric_has_no_items_of_it(run: Path) -> None:
    found = runs.read(run)
    record = next(one for one in found.records if one["happened"]["scores"])
    kept = [score for score in record["happened"]["scores"] if score["metric"] != "share"]
    record["happened"]["scores"] = kept
    assert set(found.items(record)) == {"bits", "lacking"}
    record["happened"]["scores"] = []
    assert found.items(record) == {}


def test_a_damaged_file_is_packed_as_it_is_and_costs_its_cell_alone(run: Path) -> None:
    before = stored(run)
    cell = sorted(before)[7]
    runs.items_path(run, cell).write_bytes(b"PAR1 and nothing else")
    packed.pack(run)
    found = runs.read(run)
    assert found.damaged == {}
    assert {one["cell"] for one in found.records if found.items(one)} == before.keys() - {cell}
    assert set(found.damaged) == {f"cells/{cell}/items.parquet"}
    packed.unpack(run)
    assert runs.items_path(run, cell).read_bytes() == b"PAR1 and nothing else"


def test_a_flipped_bit_costs_the_items_of_a_few_dozen_cells(run: Path) -> None:
    before = stored(run)
    packed.pack(run)
    content = bytearray((run / ITEMS).read_bytes())
    content[len(content) // 3] ^= 4
    (run / ITEMS).write_bytes(bytes(content))
    found = runs.read(run)
    left = {record["cell"]: one for record in found.records if (one := found.items(record))}
    assert len(before) / 4 < len(left) < len(before)
    assert same(left, {cell: before[cell] for cell in left})
    assert set(found.damaged) == {ITEMS}
    assert "parts can be read" in found.told()[0]
    assert found.told()[0].endswith("no score is in it; for intervals over test items start another run with --new")
    assert all(record["happened"]["status"] != "failed" or "damaged" not in str(record) for record in found.records)
    assert list(packed.unpack(run)) == [f"damaged-{ITEMS}"]
    assert same(stored(run), left)


def test_mutations_end_in_no_traceback(run: Path, tmp_path: Path) -> None:
    packed.pack(run)
    chance = random.Random(0)
    for number in range(40):
        other = tmp_path / str(number)
        other.mkdir()
        shutil.copy(run / ITEMS, other)
        mutations.damage(other / ITEMS, chance)
        found = packed_items.PackedItems(other)
        for cell in found.cells:
            try:
                found.scores(cell)
            except files.Damaged:
                continue


def test_a_run_without_items_has_no_file_of_them(tmp_path: Path) -> None:
    folder = make_run(tmp_path, sizes=(50,), seeds=(0,), beside=False)
    packed.pack(folder)
    assert not (folder / ITEMS).exists()
    assert packed.checksums(folder).keys() == {RECORDS, BESIDE, "results.parquet"}


def test_the_checksum_of_the_items_is_one_of_the_runs(run: Path) -> None:
    packed.pack(run)
    before = packed.checksums(run)
    assert ITEMS in before
    (run / ITEMS).write_bytes(b"x" + (run / ITEMS).read_bytes()[1:])
    assert packed.checksums(run) != before
