"""Scores over many tasks against scipy's trimmed mean, closed forms, and how often the intervals hold."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics.tasks import interquartile_mean, performance_profile


def generator():
    return np.random.default_rng(0)


@pytest.mark.parametrize(("tasks", "runs"), [(1, 4), (5, 3), (7, 10), (1, 2)])
def test_iqm_is_rliables(tasks, runs):
    """``aggregate_iqm`` of rliable is ``scipy.stats.trim_mean(scores, proportiontocut=0.25, axis=None)``."""
    scores = generator().normal(size=(tasks, runs)) ** 3
    expected = stats.trim_mean(scores, 0.25, axis=None)
    assert interquartile_mean(list(scores), generator(), resamples=10).value == pytest.approx(expected)


def test_iqm_leaves_out_disasters_and_triumphs():
    assert interquartile_mean([[-1e9, 1, 2, 1e9], [0, 3, 4, 5]], generator(), resamples=10).value == 2.5


def test_tasks_weigh_alike_whatever_their_runs():
    """Of two tasks, one with four times as many runs of the same values, half of the weight is 0 and half is 1."""
    assert interquartile_mean([[0.0] * 8, [1.0] * 2], generator(), resamples=10).value == pytest.approx(0.5)
    assert performance_profile([[0.0] * 8, [1.0] * 2], [0.5], generator(), resamples=10).value == pytest.approx([0.5])


def test_the_error_of_a_mean_is_not_too_small():
    """Tasks far apart are trimmed whole, so it is the mean over the middle ones: its variance is the sum of s²/n."""
    scores = generator().normal(size=(40, 2)) + 5 * np.arange(40)[:, None]
    middle = scores[10:30]
    parts = middle.var(axis=1, ddof=1) / 2
    error, freedom = parts.sum() ** 0.5 / 20, parts.sum() ** 2 / (parts**2).sum()
    _, low, high = interquartile_mean(list(scores), generator(), resamples=20_000)
    assert (high - low) / 2 == pytest.approx(stats.t.ppf(0.975, freedom) * error, rel=0.02)


def test_one_run_or_none():
    value, low, high = interquartile_mean([[1.0], [2.0, 3.0]], generator())
    assert np.isfinite(value)
    assert np.isnan([low, high]).all()
    assert np.isnan(performance_profile([[1.0], [2.0]], [0.0], generator()).low).all()
    for empty in ([], [[1.0], []]):
        with pytest.raises(ValueError, match="at least one run"):
            interquartile_mean(empty, generator())


def test_constant_scores_have_an_interval_of_zero():
    assert [float(number) for number in interquartile_mean([[2.0, 2.0]] * 3, generator())] == [2, 2, 2]


def test_profile_by_counting():
    scores = [np.array([0.1, 0.5, 0.5, 0.9]), np.array([0.2, 0.3])]
    found = performance_profile(scores, [-1, 0.1, 0.25, 0.5, 1], generator(), resamples=500)
    assert found.value == pytest.approx([1, (3 / 4 + 1) / 2, (3 / 4 + 1 / 2) / 2, (1 / 4) / 2, 0])
    assert (found.low <= found.value).all()
    assert (found.value <= found.high).all()


def test_bands_of_a_profile_by_enumeration():
    """Three runs give two to a resample: 0, 1 or 2 of them above with probabilities 1/9, 4/9, 4/9."""
    found = performance_profile([[0.0, 1.0, 1.0]], [0.5], generator(), resamples=5000, confidence=0.7)
    assert (found.low.tolist(), found.high.tolist()) == ([0.5], [1.0])
    assert performance_profile([[0.0, 1.0, 1.0]], [0.5], generator(), confidence=0.8).low == [0.0]


def test_equal_generators_give_equal_intervals():
    scores = list(generator().normal(size=(5, 3)))
    assert interquartile_mean(scores, generator()) == interquartile_mean(scores, generator())


@pytest.mark.parametrize(("runs", "spread"), [(3, 0.0), (3, 1.0), (5, 1.0), (3, 5.0)])
def test_intervals_hold_as_often_as_they_say(runs, spread):
    draw, tables = np.random.default_rng(2), 500
    levels = spread * np.linspace(-1, 1, 6)[:, None]
    truth = stats.trim_mean((levels + draw.standard_normal((6, 100_000))).ravel(), 0.25)
    held = 0
    for _ in range(tables):
        _, low, high = interquartile_mean(list(levels + draw.standard_normal((6, runs))), draw, resamples=300)
        held += low <= truth <= high
    assert 0.93 - 0.02 < held / tables < 0.97 + 0.015, "beside 93 to 97 % two standard errors"
