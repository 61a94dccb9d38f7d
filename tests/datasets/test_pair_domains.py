"""Domains of pairs of texts: each pair belongs together, and no split knows of another."""

import ast
import calendar
import json
import os
import subprocess
import sys
from itertools import combinations
from typing import Any

import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Columns, Dataset
from bench.datasets.number_words import WRITTEN, english, french, german
from bench.errors import PluginError
from tests.datasets.conftest import BUILD

NAMES = ("code_to_docstring", "docstring_to_code", "number_words")


def of(name: str, **options: Any) -> Dataset:
    data: Dataset = plugins.find("datasets", name).load()(**options)
    return data


@pytest.fixture(scope="module")
def pairs() -> dict[str, Dataset]:
    return {name: of(name) for name in NAMES}


def columns(data: Dataset, split: str) -> tuple[list[str], list[str]]:
    items = getattr(data, split)
    return items["source"], items["target"]


@pytest.mark.parametrize("name", NAMES)
def test_pairs_are_columns_of_texts(name: str, pairs: dict[str, Dataset]) -> None:
    data, plugin = pairs[name], plugins.find("datasets", name)
    assert (data.name, data.modality, plugin.constants["MODALITY"]) == (name, "text_pair", "text_pair")
    assert plugin.summary.endswith(".")
    assert isinstance(data.train, Columns)
    assert data.train.names == ["source", "target"]
    assert len(data.train) >= 2000
    assert all(200 <= len(getattr(data, split)) <= 400 for split in ("validation", "test"))
    for split in SPLITS:
        for column in columns(data, split):
            assert all(text and text == text.strip() for text in column)
            "".join(column).encode("utf-8")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("side", [0, 1])
def test_no_text_is_in_two_splits_on_either_side(name: str, side: int, pairs: dict[str, Dataset]) -> None:
    sets = [set(columns(pairs[name], split)[side]) for split in SPLITS]
    assert not any(one & other for one, other in combinations(sets, 2))


def test_another_process_makes_the_same_items_without_torch(pairs: dict[str, Dataset]) -> None:
    environment, names = {**os.environ, "PYTHONHASHSEED": "4321"}, ("code_to_docstring", "number_words")
    said = subprocess.run([sys.executable, "-c", BUILD, *names], env=environment, capture_output=True, check=True)
    made = json.loads(said.stdout)
    assert made["fingerprints"] == {name: pairs[name].fingerprint for name in names}
    assert not made["torch"]


# Functions and docstrings ---------------------------------------------------------------------------------------------


def test_the_two_ways_are_of_the_same_pairs(pairs: dict[str, Dataset]) -> None:
    for split in SPLITS:
        code, said = columns(pairs["code_to_docstring"], split)
        assert columns(pairs["docstring_to_code"], split) == (said, code)


def test_every_function_is_whole_and_without_its_docstring(pairs: dict[str, Dataset]) -> None:
    for code, said in zip(*columns(pairs["code_to_docstring"], "test"), strict=True):
        (function,) = ast.parse(code).body
        assert isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        assert ast.get_docstring(function) is None
        assert "\n" not in said
        assert 40 <= len(code) <= 600
        assert 15 <= len(said) <= 200


def test_a_function_has_its_own_docstring(pairs: dict[str, Dataset]) -> None:
    """Of one that this process can look up."""
    found = [
        said
        for split in SPLITS
        for code, said in zip(*columns(pairs["code_to_docstring"], split), strict=True)
        if code.startswith("def weekday(year, month, day):")
    ]
    assert found == [" ".join((calendar.weekday.__doc__ or "").split())]


def test_sub_domains_have_enough_to_learn_from(pairs: dict[str, Dataset]) -> None:
    groups = pairs["code_to_docstring"].groups
    assert groups is not None
    sizes = np.bincount(groups[groups >= 0])
    assert len(sizes) >= 5
    assert sizes.min() >= 32


# Numbers --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("number", "in_english", "in_german", "in_french"),
    [
        (1, "one", "eins", "un"),
        (16, "sixteen", "sechzehn", "seize"),
        (21, "twenty-one", "einundzwanzig", "vingt-et-un"),
        (30, "thirty", "dreißig", "trente"),
        (71, "seventy-one", "einundsiebzig", "soixante-et-onze"),
        (80, "eighty", "achtzig", "quatre-vingts"),
        (81, "eighty-one", "einundachtzig", "quatre-vingt-un"),
        (91, "ninety-one", "einundneunzig", "quatre-vingt-onze"),
        (101, "one hundred and one", "einhunderteins", "cent-un"),
        (200, "two hundred", "zweihundert", "deux-cents"),
        (307, "three hundred and seven", "dreihundertsieben", "trois-cent-sept"),
        (1000, "one thousand", "eintausend", "mille"),
        (1100, "one thousand one hundred", "eintausendeinhundert", "mille-cent"),
        (21_000, "twenty-one thousand", "einundzwanzigtausend", "vingt-et-un-mille"),
        (80_000, "eighty thousand", "achtzigtausend", "quatre-vingt-mille"),
        (101_001, "one hundred and one thousand and one", "einhunderteintausendeins", "cent-un-mille-un"),
        (200_200, "two hundred thousand two hundred", "zweihunderttausendzweihundert", "deux-cent-mille-deux-cents"),
    ],
)
def test_numbers_are_written_as_the_languages_have_it(
    number: int, in_english: str, in_german: str, in_french: str
) -> None:
    assert (english(number), german(number), french(number)) == (in_english, in_german, in_french)


@pytest.mark.parametrize("language", WRITTEN)
def test_no_two_numbers_are_written_alike(language: str) -> None:
    numbers = [*range(1, 2200), *range(2200, 1_000_000, 3_331)]
    assert len({WRITTEN[language](number) for number in numbers}) == len(numbers)


def test_the_same_numbers_are_held_out_in_every_language() -> None:
    """So that a model that knows one translation has not seen the sources of another's test."""
    one, other = of("number_words"), of("number_words", target="french")
    for split in SPLITS:
        assert columns(one, split)[0] == columns(other, split)[0]
    assert columns(one, "test")[1] == [
        german(int(text)) for text in columns(of("number_words", target="digits"), "test")[1]
    ]


def test_a_language_is_not_translated_into_itself() -> None:
    with pytest.raises(PluginError, match="option 'target': 'english' will not do"):
        of("number_words", target="english")
