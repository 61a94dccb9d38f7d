"""The dataset contract: nested seeded subsets, fingerprints, the cache, clear errors."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import dataset, dataset_cache, plugins
from bench.dataset import Dataset
from bench.errors import DataError, PluginError


@pytest.fixture(autouse=True)
def cache_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def texts() -> Dataset:
    return Dataset("numbers", "text", [f"text {i}" for i in range(50)], ["a", "b"], ["c", "ü"])


@pytest.fixture
def images() -> Dataset:
    random = np.random.default_rng(0)
    train, validation, test = (random.integers(0, 256, (size, 4, 4, 1), dtype=np.uint8) for size in (30, 3, 5))
    return Dataset("noise", "image", train, validation, test)


def test_smaller_subsets_are_part_of_larger_ones(texts: Dataset) -> None:
    small, large = texts.subset(10, seed=3), texts.subset(40, seed=3)
    assert list(large.train[:10]) == list(small.train)
    assert len(set(large.train)) == 40
    assert (small.validation, small.test) == (texts.validation, texts.test)


def test_a_subset_depends_on_the_seed_alone(texts: Dataset) -> None:
    assert texts.subset(10, seed=3).fingerprint == texts.subset(10, seed=3).fingerprint
    assert texts.subset(10, seed=3).fingerprint != texts.subset(10, seed=4).fingerprint


def test_a_subset_of_images_is_an_array_of_some_of_them(images: Dataset) -> None:
    train = images.subset(7, seed=0).train
    assert isinstance(train, np.ndarray)
    assert train.shape == (7, 4, 4, 1)
    assert {image.tobytes() for image in train} <= {image.tobytes() for image in images.train}


def test_the_whole_split_is_a_subset_too(texts: Dataset) -> None:
    assert sorted(texts.subset(50, seed=0).train) == sorted(texts.train)


def test_more_than_there_is_names_both_numbers_and_the_remedy(texts: Dataset) -> None:
    with pytest.raises(DataError, match=r"dataset numbers: 51 training examples asked, 50 there; ask for 50 or fewer"):
        texts.subset(51, seed=0)


@pytest.mark.parametrize("split", dataset.SPLITS)
def test_an_empty_split_is_named(texts: Dataset, split: str) -> None:
    empty: dict[str, Any] = {split: []}
    with pytest.raises(DataError, match=f"dataset numbers: its {split} split is empty"):
        replace(texts, **empty)


def test_the_fingerprint_tells_order_splits_and_boundaries_apart(texts: Dataset, images: Dataset) -> None:
    def changed(data: Dataset, **parts: Any) -> str:
        return replace(data, fingerprint="", **parts).fingerprint

    seen = [
        texts.fingerprint,
        changed(texts, test=["ü", "c"]),
        changed(texts, test=["cü"]),
        changed(texts, validation=["c", "ü"], test=["a", "b"]),
        changed(texts, validation=["a"], test=["b", "c", "ü"]),
        images.fingerprint,
        changed(images, test=images.test[::-1]),
        changed(images, test=np.reshape(images.test, (5, 2, 8, 1))),
    ]
    assert len(set(seen)) == len(seen)
    assert changed(texts) == texts.fingerprint


@pytest.mark.parametrize("name", ["python_reference", "handwritten_digits"])
def test_loading_twice_builds_once_and_reads_the_same(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    built = dataset.load(name)
    monkeypatch.setattr(plugins.Plugin, "load", lambda self: pytest.fail("built a second time"))
    read = dataset.load(name)
    assert dataset.fingerprint(read) == read.fingerprint == built.fingerprint
    assert type(read.train) is type(built.train)
    assert dataset_cache.sizes(name) == {split: len(getattr(read, split)) for split in dataset.SPLITS}


def test_a_subset_keeps_each_item_in_its_sub_domain(texts: Dataset, images: Dataset) -> None:
    for data in (texts, images):
        known = np.arange(len(data.train)) % 3
        grouped = replace(data, groups=known)
        small = grouped.subset(20, seed=1)
        assert small.groups is not None
        places = [next(i for i, other in enumerate(data.train) if np.array_equal(item, other)) for item in small.train]
        assert small.groups.tolist() == known[places].tolist()
        assert small.fingerprint == data.subset(20, seed=1).fingerprint, "sub-domains are no part of it"
    assert texts.subset(20, seed=1).groups is None


def test_another_training_split_has_its_own_sub_domains(texts: Dataset) -> None:
    grouped = replace(texts, groups=np.zeros(50, np.int64))
    other = grouped.learning_from(["x", "y"])
    assert (other.train, other.groups, other.test) == (["x", "y"], None, texts.test)
    assert other.fingerprint not in (texts.fingerprint, "")


def test_sub_domains_of_other_items_are_refused(texts: Dataset) -> None:
    problem = r"dataset numbers: groups of shape \(49,\) for 50 training items; name one for each item"
    with pytest.raises(DataError, match=problem):
        replace(texts, groups=np.zeros(49, np.int64))


def test_sub_domains_survive_the_cache(texts: Dataset, cache_folder: Path) -> None:
    cache_folder.mkdir()
    dataset._write(replace(texts, groups=np.arange(50) - 1), cache_folder)
    read = dataset._read(cache_folder)
    assert read.groups is not None
    assert read.groups.dtype == np.int64
    assert read.groups.tolist() == list(range(-1, 49))
    assert read.fingerprint == texts.fingerprint


def test_sizes_are_unknown_before_the_first_load() -> None:
    assert dataset_cache.sizes("glyphs") is None


def test_options_make_another_entry_in_the_cache(cache_folder: Path) -> None:
    default, asked, small = (
        dataset.load("handwritten_digits", options) for options in (None, {"size": 16}, {"size": 8})
    )
    assert default.fingerprint == asked.fingerprint
    assert np.shape(small.train) == (len(small.train), 8, 8, 1)
    keys = [json.loads(path.read_text()) for path in cache_folder.glob("datasets/*/key.json")]
    assert sorted(key["options"]["size"] for key in keys) == [8, 16]


def test_surrogates_survive_the_cache(cache_folder: Path) -> None:
    data = Dataset("odd", "text", ["\ud800 \x00"], ["é"], ["\u2028"])
    cache_folder.mkdir()
    dataset._write(data, cache_folder)
    assert dataset._read(cache_folder) == data


def test_an_unknown_name_or_option_suggests_the_known_one() -> None:
    with pytest.raises(PluginError, match="unknown dataset 'glyph'; did you mean 'glyphs'"):
        dataset.load("glyph")
    with pytest.raises(PluginError, match="no option 'sise'; did you mean 'size'"):
        dataset.load("glyphs", {"sise": 16})
    with pytest.raises(PluginError, match="python_code: no option 'size'; it has: none"):
        dataset.load("python_code", {"size": 16})
