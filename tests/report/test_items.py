"""Covariances over test items, read from a run's folder column by column."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from bench.report import aggregate, build
from bench.report.items import of_run, over_items
from bench.results import items, packed, runs, tidy
from tests.report.runs import make_run

ITEMS = 40


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run in which each item is as hard for all approaches, and lora is a tenth harder on every second one."""
    folder = make_run(tmp_path / "results", sizes=(50, 200), beside=False)
    hard = np.random.default_rng(0).normal(2, 1, ITEMS)
    for record in runs.read(folder).records:
        asked = record["asked"]
        if asked["modality"] == "text" and record["happened"]["status"] == "ok" and asked["approach"] != "real_data":
            odd = 0.1 * (np.arange(ITEMS) % 2) * (asked["approach"] == "lora")
            items.write(runs.items_path(folder, record["cell"]), {"bits_per_byte": hard + odd})
    return folder


@pytest.mark.parametrize("form", ["loose", "packed"])
def test_a_column_holds_its_approaches_and_those_without_data(run: Path, form: str) -> None:
    if form == "packed":
        packed.pack(run)
    found = over_items(runs.read(run))
    column = ("tiny_gpt2", "python_reference", "clean", "bits_per_byte", 50)
    assert set(found) == {column, (*column[:-1], 200)}
    one = found[column]
    assert one.approaches[:2] == ["zero_shot", "from_scratch"]
    assert "real_data" not in one.approaches
    assert one.items == ITEMS
    place = {name: index for index, name in enumerate(one.approaches)}
    matrix = one.covariance

    def variance(mine: str, other: str) -> float:
        i, j = place[mine], place[other]
        return float(matrix[i, i] + matrix[j, j] - 2 * matrix[i, j])

    hard = np.random.default_rng(0).normal(2, 1, ITEMS)
    assert matrix[0, 0] == pytest.approx(hard.var(ddof=1) / ITEMS, rel=0.02)
    assert variance("zero_shot", "full_finetuning") == pytest.approx(0, abs=1e-9)
    assert variance("zero_shot", "lora") == pytest.approx(0.1**2 / 4 / (ITEMS - 1), rel=0.1)


def test_comparisons_cover_test_items_and_widen_by_what_these_add(run: Path) -> None:
    found = runs.read(run)
    frame = tidy.table(found.records)
    alone, both = aggregate.summarise(frame), aggregate.summarise(frame, items=of_run(found))
    rows = both.query("metric == 'bits_per_byte' and approach == 'lora'")
    assert set(rows["behind_covers"]) == {"seeds and test items"}
    assert set(alone.loc[rows.index, "behind_covers"]) == {"seeds"}
    assert (rows["behind_high"] > alone.loc[rows.index, "behind_high"]).all()
    others = both["metric"] != "bits_per_byte"
    pd.testing.assert_frame_equal(both[others], alone[others])


def test_all_pairs_cover_test_items_where_these_are_known(run: Path) -> None:
    found = runs.read(run)
    frame = tidy.table(found.records)
    keys = list(frame[aggregate.PAIR].drop_duplicates().itertuples(index=False, name=None))
    for metric, covers in (("bits_per_byte", "seeds and test items"), ("kid[digit_classifier]", "seeds")):
        primary = dict.fromkeys(keys, metric)
        alone, both = aggregate.pairs(frame, primary), aggregate.pairs(frame, primary, of_run(found))
        assert (set(alone["covers"]), set(both["covers"])) == ({"seeds"}, {covers})
        with_lora = both["first"].eq("lora") | both["second"].eq("lora")  # the others do alike on all items
        assert (both["error"] > alone["error"])[with_lora].tolist() == [covers != "seeds"] * with_lora.sum()
        assert both["difference"].tolist() == alone["difference"].tolist()


def test_the_file_of_all_pairs_covers_them(run: Path, tmp_path: Path) -> None:
    into = build(run, tmp_path / "reports").page.parent
    covers = pd.read_csv(into / "pairs.csv").groupby("metric")["covers"].agg(set).to_dict()
    assert covers == {"bits_per_byte": {"seeds and test items"}, "kid[digit_classifier]": {"seeds"}}


def test_a_run_of_an_earlier_version_has_none(tmp_path: Path) -> None:
    assert over_items(runs.read(make_run(tmp_path, sizes=(50,), seeds=(0,), beside=False))) == {}


def test_a_damaged_file_costs_its_cell_alone_and_is_told(run: Path) -> None:
    found = runs.read(run)
    cell = next(one["cell"] for one in found.records if one["asked"]["approach"] == "lora" and found.items(one))
    path = runs.items_path(run, cell)
    path.write_bytes(path.read_bytes()[:-20])
    found = runs.read(run)
    columns = over_items(found)
    assert all("lora" in one.approaches for one in columns.values())  # two of three seeds are left
    assert list(found.damaged) == [f"cells/{cell}/items.parquet"]
    assert found.told()[0].startswith(f"{path}: damaged (")
