"""Standard errors of scores that are no means, against the spread over repeated draws, and against longer ways."""

import math
from collections import Counter

import numpy as np
import pytest

from bench.metrics import chemistry
from bench.metrics._distributions import (
    frechet_distance,
    frechet_error,
    kernel_distance,
    neighbourhood_errors,
    neighbourhoods,
)
from bench.metrics._items import jackknife
from bench.metrics._ngrams import Counts, distinct, distinct_without, ngrams
from bench.metrics.diversity import vendi, vendi_error
from bench.metrics.spectral_distance import _error, log_spectral_distance


def sets(seed: int, n: int, m: int, d: int, scale: float = 1.3, shift: float = 0.3) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    return random.normal(shift, scale, (n, d)), random.normal(size=(m, d))


@pytest.mark.parametrize(("n", "m", "d", "most"), [(300, 500, 8, 1.15), (128, 449, 64, 1.4), (50, 50, 64, 1.45)])
def test_frechet_error_is_the_spread_or_a_little_more(n: int, m: int, d: int, most: float) -> None:
    drawn = [sets(seed, n, m, d) for seed in range(100)]
    spread = np.std([frechet_distance(*both) for both in drawn], ddof=1)
    assert 0.85 < np.mean([frechet_error(*both) for both in drawn]) / spread < most


def test_frechet_error_is_nearly_the_delete_one_jackknife() -> None:
    samples, references = sets(0, 200, 150, 4)
    variance = 0.0
    for rows, value in (
        (samples, lambda x: frechet_distance(x, references)),
        (references, lambda y: frechet_distance(samples, y)),
    ):
        variance += jackknife(np.array([value(np.delete(rows, i, axis=0)) for i in range(len(rows))])) ** 2
    assert frechet_error(samples, references) == pytest.approx(math.sqrt(variance), rel=0.05)


@pytest.mark.parametrize(("n", "m", "scale", "shift"), [(128, 300, 1.3, 0.3), (200, 200, 0.8, 0.5)])
def test_errors_of_neighbourhoods_are_the_spread_or_a_little_more(n: int, m: int, scale: float, shift: float) -> None:
    values, errors = [], []
    for seed in range(60):
        samples, references = sets(seed, n, m, 8, scale, shift)
        near = neighbourhoods(samples, references, 3, 5)
        values.append([part.mean() for part in (near.inside, near.reached, near.crowd, near.covered)])
        found = neighbourhood_errors(samples, references, 3, 5)
        assert found is not None
        errors.append(found)
    ratios = np.mean(errors, 0) / np.std(values, axis=0, ddof=1)
    assert ratios.min() > 0.8
    assert ratios.max() < 1.5


def test_halves_without_enough_neighbours_have_no_errors() -> None:
    assert neighbourhood_errors(*sets(0, 11, 40, 3), 3, 5) is None
    assert neighbourhood_errors(*sets(0, 12, 40, 3), 3, 5) is not None


def test_what_test_items_add_to_a_kernel_distance_is_its_spread_over_test_splits() -> None:
    """Of two models with one test split: what they share cancels in the difference."""
    random = np.random.default_rng(0)
    ours, theirs = random.normal(0.4, 1, (100, 4)), random.normal(0.5, 1.2, (100, 4))
    differences, errors = [], []
    for _ in range(150):
        references = random.normal(size=(200, 4))
        one, other = kernel_distance(ours, references), kernel_distance(theirs, references)
        assert one.items.mean() == pytest.approx(one.value)
        differences.append(one.value - other.value)
        errors.append((one.items - other.items).std(ddof=1) / math.sqrt(200))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.15)


def unit(seed: int, n: int, d: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n, d)) * np.exp(-np.arange(d) / 10) + (random.random(n) < 0.5)[:, None]
    found: np.ndarray = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    return found


@pytest.mark.parametrize("d", [8, 200])
def test_vendi_error_is_the_spread_and_the_same_from_either_product(d: int) -> None:
    drawn = [unit(seed, 100, d) for seed in range(120)]
    values, errors = zip(*((vendi(x @ x.T / 100), vendi_error(x @ x.T / 100)) for x in drawn), strict=True)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.25)
    assert vendi_error(drawn[0].T @ drawn[0] / 100, drawn[0]) == pytest.approx(errors[0], rel=1e-6)


def test_samples_that_are_all_alike_or_all_different_have_no_vendi_error() -> None:
    assert vendi_error(np.ones((9, 9)) / 9) == pytest.approx(0, abs=1e-9)
    assert vendi_error(np.eye(9) / 9) == pytest.approx(0, abs=1e-9)


def test_distinct_without_a_text_is_that_of_the_others() -> None:
    texts: list[Counts] = [ngrams(text) for text in ("a b c", "a b d d", "c a b", "e", "a b c")]
    for order in (1, 2, 3):
        others = [distinct(texts[:i] + texts[i + 1 :], order) for i in range(len(texts))]
        assert distinct_without(texts, order) == pytest.approx(others)


def test_the_error_of_distinct_is_the_spread_over_texts_of_a_language() -> None:
    words = [f"w{number}" for number in range(400)]
    weights = 1 / np.arange(1, 401)
    found = []
    for seed in range(60):
        random = np.random.default_rng(seed)
        drawn = [random.choice(words, random.integers(5, 20), p=weights / weights.sum()) for _ in range(40)]
        counted = [ngrams(" ".join(text)) for text in drawn]
        found.append([(distinct(counted, n), jackknife(distinct_without(counted, n))) for n in (1, 2)])
    values, errors = np.array(found).transpose(2, 0, 1)
    assert errors.mean(0) == pytest.approx(values.std(0, ddof=1), rel=0.3)


def test_molecules_that_are_there_once_are_what_uniqueness_loses() -> None:
    smiles = ["C", "CC", "C", "CCC", "CC", "CCCC"]
    others = [len({*smiles[:i], *smiles[i + 1 :]}) / 5 for i in range(6)]
    assert chemistry._different_without(smiles) == pytest.approx(others)
    assert Counter(smiles)["C"] == 2


def test_the_error_of_a_spectral_distance_is_its_spread() -> None:
    values, errors = [], []
    for seed in range(150):
        random = np.random.default_rng(seed)
        powers, references = random.gamma(2, 1.2, (40, 30)), random.gamma(2, np.linspace(0.6, 1.4, 30), (60, 30))
        values.append(log_spectral_distance(powers.mean(0), references.mean(0)))
        errors.append(_error(powers, references) or math.nan)
    assert np.mean(errors) == pytest.approx(np.std(values, ddof=1), rel=0.2)
    assert _error(powers[:1], references) is None
