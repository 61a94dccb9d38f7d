"""Datasets of the hub, from its cache: texts, pairs and pictures, and what will not do. No network."""

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from bench import plugins
from bench.dataset import SPLITS, Columns, Dataset
from bench.errors import DataError, PluginError
from tests import fake_hub

pytest.importorskip("datasets")
from huggingface_hub import constants

from bench.datasets.hub_dataset import fetch, hub_dataset

CONFIGS = b"""---
configs:
- config_name: one
  data_files:
  - {split: train, path: one/train.jsonl}
- config_name: two
  data_files:
  - {split: train, path: two/train.jsonl}
---
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


def table(count: int, start: int = 0, **more: Any) -> bytes:
    numbers = range(start, start + count)
    columns: dict[str, list[Any]] = {"text": [f"text {number}" for number in numbers], "label": list(numbers)}
    columns["pair"] = [{"en": f"word {number}", "de": f"Wort {number}"} for number in numbers]
    return fake_hub.parquet(columns | more)


def png(seed: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def lay(home: Path, **files: bytes) -> None:
    fake_hub.cached(
        home, "datasets", "org/mine", {f"data/{name}-00000-of-00001.parquet": made for name, made in files.items()}
    )


def load(*columns: str, **options: Any) -> Dataset:
    return hub_dataset(id="org/mine", columns=list(columns), **options)


def every(data: Dataset) -> list[Any]:
    return [item for split in SPLITS for item in getattr(data, split)]


def test_its_splits_are_kept(home: Path) -> None:
    lay(home, train=table(20), validation=table(3, 100), test=table(4, 200), unlabelled=table(5, 300))
    data = load("text")
    assert (data.name, data.modality, data.groups) == ("hub_dataset", "text", None)
    assert [len(getattr(data, split)) for split in SPLITS] == [20, 3, 4]
    assert sorted(data.test) == [f"text {number}" for number in range(200, 204)]
    assert data.left_out("mine") == ["mine: 1 other split left out: unlabelled"]


def test_missing_splits_are_taken_of_the_training_split(home: Path) -> None:
    lay(home, train=table(40), test=table(4, 100))
    data = load("text")
    assert [len(getattr(data, split)) for split in SPLITS] == [36, 4, 4]
    assert load("text").fingerprint == data.fingerprint


def test_one_split_is_divided_where_it_is_named(home: Path) -> None:
    lay(home, train=table(20), extra=table(30, 100), test=table(4, 200))
    data = load("text", split="extra", rows=20, held_out=1)
    assert [len(getattr(data, split)) for split in SPLITS] == [18, 1, 1]
    assert set(every(data)) == {f"text {number}" for number in range(100, 120)}
    assert data.left_out("mine") == []


def test_pairs_from_entries_of_a_column(home: Path) -> None:
    lay(home, train=table(20))
    data = load("pair.en", "pair.de", modality="text_pair")
    assert isinstance(data.train, Columns)
    assert all(item["target"] == item["source"].replace("word", "Wort") for item in every(data))


def test_rows_that_hold_no_text_are_skipped_and_counted(home: Path) -> None:
    lay(home, train=table(20, spoilt=[None, " ", *(f"x {n}" for n in range(18))]))
    first = "train row 1: column 'spoilt' holds nothing, not text"
    assert load("spoilt").left_out("mine") == [f"2 of 20 rows of mine, the first: {first}"]


def test_pictures_with_and_without_captions(home: Path) -> None:
    pictures = [{"bytes": png(number // 2), "path": None} for number in range(60)]
    pictures[7] = {"bytes": b"damaged", "path": None}
    lay(home, train=table(60, image=pictures))
    alone = load("image", modality="image", size=16)
    assert (alone.modality, alone.skipped) == ("image", 1)
    assert alone.train.shape == (24, 16, 16, 3)  # type: ignore[union-attr]
    whole = {np.asarray(Image.open(io.BytesIO(png(number)))).tobytes() for number in range(30)}
    assert {image.tobytes() for image in every(alone)} == whole
    captioned = load("text", "image", modality="captioned_image", size=8, mode="grey")
    assert isinstance(captioned.train, Columns)
    assert captioned.train["images"].shape[1:] == (8, 8, 1)
    shown = [{image.tobytes() for image in getattr(captioned, split)["images"]} for split in SPLITS]
    assert sum(map(len, shown)) == len(set.union(*shown)) == 30  # a picture with two captions is in one split
    assert sum(len(getattr(captioned, split)) for split in SPLITS) == 59


def test_of_its_configurations_only_the_one_that_is_asked_need_be_there(home: Path) -> None:
    lines = b"\n".join(b'{"text": "line %d"}' % number for number in range(20))
    fake_hub.cached(home, "datasets", "org/mine", {"README.md": CONFIGS, "one/train.jsonl": lines})
    assert len(load("text", config="one").train) == 16
    with pytest.raises(DataError, match=r"org/mine: Unable to find .*two/train.jsonl.*run `bench fetch SUITE`"):
        load("text", config="two")
    with pytest.raises(DataError, match=r"org/mine: Config name is missing.*\['one', 'two'\]"):
        load("text")


def test_a_commit_is_found_without_a_branch(home: Path) -> None:
    lay(home, train=table(20))
    assert len(load("text", revision=fake_hub.COMMIT).train) == 16
    with pytest.raises(DataError, match="not in the hub's cache"):
        load("text", revision="v2")


@pytest.mark.parametrize(
    ("options", "wanted"),
    [
        ({"columns": ["txt"]}, "'columns': org/mine, split train, has no column 'txt'; name one of: label, pair, text"),
        ({"columns": ["label"]}, "all 20 items of org/mine are damaged .*column 'label' holds int, not text"),
        ({"columns": ["text"], "modality": "image"}, "column 'text' holds no picture"),
        ({"columns": ["text"], "split": "dev"}, "org/mine: has no split 'dev'; name one in the option split: train"),
        ({"columns": ["text"], "id": "org/none"}, "org/none: not in the hub's cache .*; run `bench fetch SUITE` where"),
        ({"columns": ["text"], "id": "no id"}, "no id: is no hub id; write it as the hub does"),
    ],
    ids=str,
)
def test_what_will_not_do_is_one_line(options: dict[str, Any], wanted: str, home: Path) -> None:
    lay(home, train=table(20))
    with pytest.raises(DataError, match=f"^dataset hub_dataset: .*{wanted}") as raised:
        hub_dataset(**{"id": "org/mine"} | options)
    assert "\n" not in str(raised.value)


def test_as_many_columns_as_an_item_has_parts() -> None:
    with pytest.raises(PluginError, match=r"captioned_image takes 2: \[caption, images\]"):
        load("image", modality="captioned_image")


def test_what_is_there_need_not_be_fetched(home: Path) -> None:
    lay(home, train=table(20))
    assert not fetch(id="org/mine", config="", revision="")
    plugin = plugins.find("datasets", "hub_dataset")
    assert plugin.modality(plugin.check({"id": "org/mine", "columns": ["a"], "modality": "image"})) == "image"
