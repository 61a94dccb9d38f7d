"""Pairs of pictures of one character in two styles: unpaired to learn from, true pairs to score with."""

import itertools
import json
import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Columns
from bench.datasets._fonts import CHARACTERS
from bench.datasets.glyph_styles import HELD_OUT, TYPEFACES, glyph_styles
from bench.errors import PluginError

Domains = dict[str, Any]

STYLES = ("serif", "italic", "bold", "mono")


@pytest.fixture(scope="module")
def domains() -> Domains:
    return {style: glyph_styles(target=style) for style in STYLES}  # type: ignore[arg-type]


def apart(ones: np.ndarray, others: np.ndarray) -> Any:
    """Root mean square difference of each of the ones to each of the others."""
    one, other = (images.reshape(len(images), -1).astype(float) for images in (ones, others))
    squares = (one**2).sum(1)[:, None] + (other**2).sum(1) - 2 * one @ other.T
    return np.sqrt(squares.clip(0) / one.shape[1])


@pytest.mark.parametrize("style", STYLES)
def test_there_is_enough_to_learn_from_and_to_score(style: str, domains: Domains) -> None:
    data = domains[style]
    assert (data.name, data.modality) == ("glyph_styles", "image_pair")
    assert isinstance(data.train, Columns)
    assert data.train.names == ["source", "target"]
    assert len(data.train) >= 400
    assert all(90 <= len(getattr(data, split)) <= 500 for split in ("validation", "test"))
    for split, column in itertools.product(SPLITS, data.train.names):
        images = getattr(data, split)[column]
        assert (images.dtype, images.shape[1:]) == (np.uint8, (16, 16, 1))
        assert 10 < images.mean() < 100
        assert len({image.tobytes() for image in images}) == len(images)


@pytest.mark.parametrize("style", STYLES)
def test_no_training_picture_is_near_one_that_is_held_out(style: str, domains: Domains) -> None:
    data = domains[style]
    for column in ("source", "target"):
        held_out = np.concatenate([data.validation[column], data.test[column]])
        assert apart(held_out, data.train[column]).min() > 8
        assert apart(data.validation[column], data.test[column]).min() > 8


@pytest.mark.parametrize("style", STYLES)
def test_held_out_items_are_true_pairs_and_training_items_are_not(style: str, domains: Domains) -> None:
    """A target is the nearest of all to its source, or nearly so, where the two show one thing."""
    data = domains[style]

    def rank(items: Any) -> float:
        distances = apart(items["source"], items["target"])
        return float(np.median((distances < distances.diagonal()[:, None]).mean(1)))

    assert rank(data.test) < 0.1
    assert rank(data.validation) < 0.1
    assert 0.2 < rank(data.train) < 0.8


def test_the_pictures_of_a_pair_lie_in_one_place(domains: Domains) -> None:
    test = domains["bold"].test
    middles = []
    for column in ("source", "target"):
        ink: Any = test[column][..., 0] > 60
        sides = [ink.any(axis) for axis in (1, 2)]
        middles.append([side.argmax(1) + 15 - side[:, ::-1].argmax(1) for side in sides])
    difference = np.abs(np.array(middles[0]) - np.array(middles[1]))
    assert difference.mean() < 1
    assert difference.max() <= 2


def test_sub_domains_are_typefaces(domains: Domains) -> None:
    for style, data in domains.items():
        assert data.groups is not None
        typefaces = [fonts for fonts in TYPEFACES.values() if {"upright", style} <= fonts.keys()]
        assert len(np.unique(data.groups)) == len(typefaces) >= 3
        assert np.bincount(data.groups).min() >= 32


def test_characters_are_in_one_split_and_both_cases_in_the_same() -> None:
    held_out = "".join(HELD_OUT.values())
    assert len(set(held_out)) == len(held_out)
    assert set(held_out) < set(CHARACTERS)
    for split in HELD_OUT.values():
        assert {character.swapcase() for character in split} == set(split)


def test_it_is_the_same_in_another_process(domains: Domains) -> None:
    code = "from bench.datasets.glyph_styles import glyph_styles as g; import json; print(json.dumps(g().fingerprint))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == domains["italic"].fingerprint
    assert len({data.fingerprint for data in domains.values()}) == len(STYLES)


def test_its_size_is_an_option() -> None:
    larger: Any = glyph_styles(target="serif", size=24)
    assert larger.test["target"].shape[1:] == (24, 24, 1)
    with pytest.raises(PluginError, match="option 'size': 7"):
        glyph_styles(size=7)


@pytest.mark.parametrize(("source", "target"), [("upright", "upright"), ("bold", "mono"), ("mono", "mono")])
def test_styles_that_make_no_pair_are_named(source: str, target: str) -> None:
    if source != target and any({source, target} <= fonts.keys() for fonts in TYPEFACES.values()):
        assert len(glyph_styles(source=source, target=target).train)  # type: ignore[arg-type]
        return
    with pytest.raises(PluginError, match=f"'{target}' will not do for source '{source}'"):
        glyph_styles(source=source, target=target)  # type: ignore[arg-type]


def test_the_plugin_says_that_it_has_pairs() -> None:
    plugin = plugins.find("datasets", "glyph_styles")
    assert plugin.constants["PAIRED"] is True
    with pytest.raises(PluginError, match="option 'target'"):
        plugin.check({"target": "gothic"})
