"""The covariance of approaches over test items: closed forms, and what repeated test splits show."""

import numpy as np
import pytest

from bench.statistics.items import covariance


def difference(matrix: np.ndarray, one: int = 0, other: int = 1) -> float:
    return float(matrix[one, one] + matrix[other, other] - 2 * matrix[one, other])


def layout(
    random: np.random.Generator, approaches: int, seeds: int, items: int, *, own: float, noise: float
) -> np.ndarray:
    """Items that all approaches find as hard (variance 1), that each finds so alone (``own``²), and noise of runs."""
    shared = random.normal(size=items)
    alone = own * random.normal(size=(approaches, 1, items))
    return shared + alone + noise * random.normal(size=(approaches, seeds, items))


def test_one_seed_is_the_covariance_of_means() -> None:
    scores = np.random.default_rng(0).normal(size=(3, 1, 40))
    assert covariance(scores) == pytest.approx(np.cov(scores[:, 0]) / 40)


def test_a_difference_is_the_paired_standard_error() -> None:
    """Miller 2024: the variance of the mean of the items' differences."""
    scores = np.random.default_rng(1).normal(size=(2, 1, 50))
    paired = (scores[0, 0] - scores[1, 0]).var(ddof=1) / 50
    assert difference(covariance(scores)) == pytest.approx(paired)


def test_approaches_that_differ_by_a_constant_differ_surely() -> None:
    scores = np.random.default_rng(2).normal(size=(1, 3, 30)) + np.array([0.0, 1.0])[:, None, None]
    assert difference(covariance(scores)) == pytest.approx(0, abs=1e-15)


def test_balanced_scores_have_the_mean_squares_of_the_analysis_of_variance() -> None:
    scores = np.random.default_rng(3).normal(size=(1, 4, 25)) + np.random.default_rng(4).normal(size=25)
    (table,) = scores
    items = 4 * ((table.mean(0) - table.mean()) ** 2).sum() / 24
    rest = table - table.mean(0) - table.mean(1, keepdims=True) + table.mean()
    assert covariance(scores)[0, 0] == pytest.approx((items - (rest**2).sum() / (3 * 24)) / 4 / 25)


@pytest.mark.parametrize("seeds", [1, 3])
def test_it_is_the_spread_over_repeated_test_splits(seeds: int) -> None:
    """Of the mean over infinitely many seeds, where there are several; of one run with its own noise, where not."""
    random, items, own, noise = np.random.default_rng(5), 60, 0.3, 0.8
    found = np.array([covariance(layout(random, 2, seeds, items, own=own, noise=noise)) for _ in range(600)])
    rest = noise**2 if seeds == 1 else 0.0
    assert found[:, 0, 0].mean() == pytest.approx((1 + own**2 + rest) / items, rel=0.05)
    expected = 2 * (own**2 + rest) / items
    assert np.mean([difference(one) for one in found]) == pytest.approx(expected, rel=0.15)


def test_seeds_and_items_together_are_the_variance_of_a_mean() -> None:
    """The variances over seeds and over items add up to what repeated experiments show; nothing is counted twice."""
    random, seeds, items = np.random.default_rng(6), 4, 30
    means, variances = [], []
    for _ in range(1500):
        (scores,) = layout(random, 1, seeds, items, own=0.0, noise=2.0) + 0.5 * random.normal(size=(1, seeds, 1))
        means.append(scores.mean())
        variances.append(covariance(scores[None])[0, 0] + scores.mean(1).var(ddof=1) / seeds)
    assert np.mean(variances) == pytest.approx(np.var(means), rel=0.12)


def test_items_that_an_approach_lacks_pair_nothing() -> None:
    """Over disjoint items two means are independent; over half of them they share half."""
    random = np.random.default_rng(7)
    shared = random.normal(size=4000)
    scores = np.tile(shared, (3, 1, 1))
    scores[0, :, 2000:] = scores[1, :, :2000] = np.nan
    found = covariance(scores)
    assert found[0, 1] == pytest.approx(0, abs=1e-9)
    assert found[0, 2] == pytest.approx(shared[:2000].var() / 4000, rel=0.05)
    assert found[2, 2] == pytest.approx(shared.var() / 4000, rel=0.01)


def test_a_run_that_is_missing_changes_no_items() -> None:
    random = np.random.default_rng(8)
    whole, lacking = [], []
    for _ in range(300):
        scores = layout(random, 2, 4, 40, own=0.3, noise=0.5)
        whole.append(covariance(scores)[0, 1])
        scores[1, 2:] = np.nan
        lacking.append(covariance(scores)[0, 1])
    assert np.mean(lacking) == pytest.approx(np.mean(whole), rel=0.05)
    assert np.mean(lacking) == pytest.approx(1 / 40, rel=0.1)


def test_too_few_items_have_no_covariance() -> None:
    scores = np.random.default_rng(9).normal(size=(3, 2, 20))
    scores[1, :, 1:] = np.nan
    found = covariance(scores)
    assert np.isnan(found[1]).all()
    assert np.isnan(found[:, 1]).all()
    assert np.isfinite(found[np.ix_([0, 2], [0, 2])]).all()
    assert np.isnan(covariance(np.full((2, 2, 5), np.nan))).all()


def test_no_difference_has_a_negative_variance() -> None:
    """Seeds alone: what is taken off may be more than there is."""
    random = np.random.default_rng(10)
    for _ in range(50):
        matrix = covariance(random.normal(size=(4, 3, 8)))
        assert np.linalg.eigvalsh(matrix).min() >= -1e-12
