"""Worse training data: how much of it, which, and that the rest stays as it is."""

from typing import Any

import numpy as np
import pytest

from bench.dataset import Columns, Dataset
from bench.suite.cell import Quality
from bench.training.quality import degraded

SIZES = (5, 10, 20, 40)


def split(modality: str, start: int, stop: int) -> Any:
    random = np.random.default_rng(start)
    texts = [f"the sentence with number {i}" for i in range(start, stop)]
    pictures = random.integers(0, 256, (stop - start, 4, 4, 1)).astype(np.uint8)
    return {
        "text": texts,
        "molecule": ["CC(=O)Nc1ccc(O)cc1" + "S(=O)N" * (i + 1) for i in range(start, stop)],
        "image": pictures,
        "audio": random.integers(-9000, 9000, (stop - start, 50)).astype(np.int16),
        "text_pair": Columns({"source": texts, "target": [text.upper() for text in texts]}),
        "captioned_image": Columns({"caption": texts, "images": pictures}),
        "image_pair": Columns({"source": pictures, "target": 255 - pictures}),
    }[modality]


def data(modality: str) -> Dataset:
    train, validation, test = (split(modality, *ends) for ends in ((0, 40), (40, 50), (50, 60)))
    return Dataset("some", modality, train, validation, test, groups=np.arange(40) % 4)


MODALITIES = ["text", "molecule", "image", "audio", "text_pair", "captioned_image", "image_pair"]


def item(items: Any, index: int) -> bytes:
    found = items[index]
    return repr({k: np.asarray(v).tolist() for k, v in found.items()} if isinstance(found, dict) else [found]).encode()


def changed(before: Dataset, after: Dataset) -> np.ndarray:
    assert len(before.train) == len(after.train)
    return np.array([item(before.train, i) != item(after.train, i) for i in range(len(before.train))])


@pytest.mark.parametrize("modality", MODALITIES)
@pytest.mark.parametrize("share", [0.2, 0.5])
def test_every_subset_has_the_share_that_is_asked_for(modality: str, share: float) -> None:
    clean = data(modality)
    worse = degraded(clean, Quality(kind="corrupted", share=share), seed=3)
    for size in SIZES:
        spoilt = changed(clean.subset(size, 3), worse.subset(size, 3)).sum()
        assert abs(spoilt - share * size) < 1


@pytest.mark.parametrize("modality", MODALITIES)
def test_what_is_held_out_stays_and_so_do_groups(modality: str) -> None:
    clean = data(modality)
    worse = degraded(clean, Quality(kind="corrupted", share=1.0), seed=0)
    assert changed(clean, worse).all()
    assert worse.validation is clean.validation
    assert worse.test is clean.test
    assert worse.groups is not None
    assert (worse.groups == clean.groups).all()
    assert worse.fingerprint != clean.fingerprint


@pytest.mark.parametrize("modality", MODALITIES)
def test_duplicates_are_copies_of_others_in_the_same_subset(modality: str) -> None:
    worse = degraded(data(modality), Quality(kind="duplicated", share=0.5), seed=1)
    for size in SIZES:
        subset = worse.subset(size, 1)
        distinct = len({item(subset.train, i) for i in range(size)})
        assert abs(distinct - size / 2) < 1


@pytest.mark.parametrize("modality", ["text_pair", "captioned_image"])
def test_spoilt_pairs_answer_what_was_asked_of_another(modality: str) -> None:
    clean = data(modality)
    worse = degraded(clean, Quality(kind="corrupted", share=0.5), seed=0)
    before, after = clean.train, worse.train
    assert isinstance(before, Columns)
    assert isinstance(after, Columns)
    asked, answer = before.names
    assert (np.asarray(after[answer]) == np.asarray(before[answer])).all()
    assert sorted(after[asked]) == sorted(before[asked])


def test_spoilt_sounds_are_as_loud_as_before() -> None:
    clean = data("audio")
    worse = degraded(clean, Quality(kind="corrupted", share=1.0), seed=0)
    loudness = [np.square(np.asarray(d.train, dtype=float)).mean() ** 0.5 for d in (clean, worse)]
    assert loudness[1] == pytest.approx(loudness[0], rel=0.1)


def test_clean_is_the_same_object() -> None:
    clean = data("text")
    assert degraded(clean, Quality(), seed=0) is clean


def test_another_seed_spoils_others() -> None:
    clean, half = data("text"), Quality(kind="corrupted", share=0.5)
    one, other = (changed(clean, degraded(clean, half, seed)) for seed in (0, 1))
    assert (one != other).any()
