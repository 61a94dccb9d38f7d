"""The domains made by formula: each follows its formula, for every item."""

from collections import Counter
from itertools import pairwise
from typing import Any

import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Dataset
from bench.datasets import _generated, fractals
from bench.datasets._images import distinct
from bench.errors import PluginError

PAIRS = {"(": ")", "[": "]", "{": "}", "<": ">"}


def of(name: str, **options: Any) -> Dataset:
    data: Dataset = plugins.find("datasets", name).load()(**options)
    return data


def every(data: Dataset) -> list[Any]:
    return [item for split in SPLITS for item in getattr(data, split)]


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fewer items, where it takes long to make them all."""
    monkeypatch.setattr(_generated, "SIZES", {"train": 60, "validation": 10, "test": 10})


# Texts ----------------------------------------------------------------------------------------------------------------


def test_what_closes_was_opened_last(domains: dict[str, Dataset]) -> None:
    kinds = Counter[str]()
    for text in every(domains["nested_brackets"]):
        stack: list[str] = []
        for bracket in text.split(" "):
            if bracket in PAIRS:
                stack.append(PAIRS[bracket])
                kinds[bracket] += 1
            else:
                assert bracket == stack.pop()
        assert not stack
        assert 16 <= len(text.split(" ")) <= 32
    assert np.allclose([kinds[bracket] / kinds.total() for bracket in PAIRS], 0.25, atol=0.01)


@pytest.mark.usefixtures("few")
def test_brackets_are_as_many_and_of_as_many_kinds_as_asked() -> None:
    for text in every(of("nested_brackets", pairs=40, kinds=1)):
        assert set(text) == {"(", ")", " "}
        assert 20 <= text.count("(") <= 40


def test_forms_are_drawn_evenly_from_all_that_nest(domains: dict[str, Dataset]) -> None:
    """Over all forms of n pairs, (n + 1) / 2 pairs hold nothing on average: the mean of the Narayana numbers."""
    found = expected = 0.0
    for text in every(domains["nested_brackets"]):
        brackets = text.split(" ")
        found += sum(after == PAIRS.get(before) for before, after in pairwise(brackets))
        expected += (len(brackets) / 2 + 1) / 2
    assert found == pytest.approx(expected, rel=0.01)


def test_the_second_line_is_the_first(domains: dict[str, Dataset]) -> None:
    lines, letters = Counter[int](), Counter[str]()
    for text in every(domains["copying"]):
        line, copy = text.split("\n")
        assert line == copy
        lines[len(line.split(" "))] += 1
        letters.update(line)
        for word in line.split(" "):
            assert len(word) in (2, 4, 6)
            assert set(word[1::2]) <= set("aeiou")
            assert not set(word[::2]) & set("aeiou")
    assert set(lines) == {4, 5, 6, 7, 8}
    vowels = np.array([letters[vowel] for vowel in "aeiou"])
    assert np.allclose(vowels / vowels.sum(), 0.2, atol=0.01)


# Images ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["fractals", "shapes"])
def test_pictures_are_grey_and_differ(name: str, domains: dict[str, Dataset]) -> None:
    images = np.concatenate([getattr(domains[name], split) for split in SPLITS])
    assert images.dtype == np.uint8
    assert images.shape[1:] == (16, 16, 1)
    assert distinct(images).all()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("name", ["fractals", "shapes"])
def test_pictures_have_the_size_that_is_asked(name: str) -> None:
    assert of(name, size=40).train.shape == (60, 40, 40, 1)  # type: ignore[union-attr]


def test_fractals_are_inked_as_announced_and_fill_their_picture(domains: dict[str, Dataset]) -> None:
    for image in every(domains["fractals"]):
        ink = image[..., 0] > 0
        assert ink.mean() >= 0.2
        reach = [np.flatnonzero(ink.any(axis)) for axis in (0, 1)]
        assert max(np.ptp(places) for places in reach) == 15
        assert all(abs(places[0] + places[-1] - 15) <= 1 for places in reach), "in the middle"


def test_every_map_brings_points_closer() -> None:
    random = np.random.default_rng(0)
    for _ in range(100):
        maps = fractals._system(random)
        norms = np.linalg.norm(maps[:, :4].reshape(-1, 2, 2), ord=2, axis=(1, 2))
        assert np.allclose(fractals._norms(maps), norms)
        assert norms.max() < 1
        assert 2 <= len(maps) <= 8


def test_a_known_system_has_its_known_attractor() -> None:
    """Three maps that halve towards the corners of a triangle: Sierpinski's, with ink where no binary digit of row and
    column is one in both."""
    half = [0.5, 0, 0, 0.5]
    maps = np.array([[*half, 0, 0], [*half, 0.5, 0], [*half, 0, 0.5]])
    picture = fractals._picture(32, maps, np.random.default_rng(0))
    row, column = np.mgrid[:8, :8]
    coarse = picture.reshape(8, 4, 8, 4).mean((1, 3))
    assert coarse[row & column == 0].min() > 4 * coarse[row & column != 0].max()


@pytest.mark.usefixtures("few")
def test_shapes_are_even_areas_of_all_greys() -> None:
    images = np.stack(every(of("shapes", size=64)))[..., 0].astype(int)
    even = np.diff(images, axis=2) == 0
    assert even.mean() > 0.7
    assert images.mean() == pytest.approx(127.5, abs=8)
    assert images.std() == pytest.approx(256 / 12**0.5, rel=0.1), "as the uniform distribution's"


# Options --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "option", "value", "range_"),
    [
        ("nested_brackets", "pairs", 15, "16 to 200"),
        ("nested_brackets", "kinds", 5, "1 to 4"),
        ("copying", "words", 3, "4 to 50"),
        ("fractals", "size", 7, "8 to 128"),
        ("shapes", "size", 129, "8 to 128"),
    ],
)
def test_an_option_out_of_range_is_named(name: str, option: str, value: int, range_: str) -> None:
    with pytest.raises(PluginError, match=f"dataset {name}: option '{option}': {value} will not do; .* {range_}"):
        of(name, **{option: value})
