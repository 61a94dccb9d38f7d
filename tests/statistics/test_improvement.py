"""Probability of improvement against rliable's numbers, by counting, and by how often its intervals hold."""

import numpy as np
import pytest
from scipy.special import ndtr

from bench.statistics.improvement import average_improvement, critical_value, probability_of_improvement


def test_probability_of_improvement_of_rliables_example():
    ours = np.array([[1, 2], [2, 2], [1, 1], [2, 1]]).T
    theirs = np.array([[1, 1], [2, 2], [3, 3]]).T
    assert probability_of_improvement(list(ours), list(theirs)).mean() == pytest.approx(1 / 3)


def test_probability_of_improvement_against_counting():
    random = np.random.default_rng(0)
    ours, theirs = random.integers(0, 4, 7), random.integers(0, 4, 5)
    wins = sum(1.0 if x > y else 0.5 if x == y else 0.0 for x in ours for y in theirs)
    assert probability_of_improvement([ours], [theirs]) == pytest.approx(wins / 35)
    assert np.isnan(probability_of_improvement([[]], [[1.0]])).all()


def test_its_average_is_over_the_tasks_that_both_have():
    found = average_improvement([[1.0, 2.0], [], [3.0, 4.0]], [[0.0, 3.0], [1.0, 2.0], [2.0, 2.5]], 2.0)
    assert found.value == pytest.approx((0.5 + 1) / 2)
    assert np.isnan(average_improvement([[]], [[1.0]], 2.0)).all()


def test_variance_of_equal_runs_is_that_of_mann_and_whitney():
    """Half of the wins each, all ties: DeLong's part is 0, and Hanley & McNeil's is (n + m + 1) / (12 n m)."""
    n, m, prior = 3, 5, 4
    value, low, high = average_improvement([np.ones(n)], [np.ones(m)], 1.0)
    variance = prior / (prior + n + m - 2) * (n + m + 1) / (12 * n * m)
    assert (value - low, high - value) == pytest.approx([variance**0.5] * 2)


def test_winning_always_is_not_certainty():
    value, low, high = average_improvement([[3, 4, 5]] * 5, [[0, 1, 2]] * 5, 1.96)
    assert value == high == 1
    assert 0.75 < low < 0.95


def test_one_run_has_no_interval():
    value, low, high = average_improvement([[1.0], [2.0]], [[0.0, 1.0], [0.0, 1.0]], 2.0)
    assert value == pytest.approx((0.75 + 1) / 2)
    assert np.isnan([low, high]).all()
    assert np.isnan(critical_value([[1, 1]], [2, 2], np.random.default_rng(0)))


def test_the_critical_value_tends_to_the_normal_one_and_grows_with_comparisons():
    generator = np.random.default_rng(0)
    one, eight = (critical_value([[8] * 10] * k, [8] * 10, generator) for k in (1, 8))
    assert one == pytest.approx(1.96, abs=0.1)
    assert 2.5 < eight < 2.9, "of normal deviations Dunnett's is 2.6, Bonferroni's 2.73"


@pytest.mark.parametrize("runs", [3, 5])
@pytest.mark.parametrize("shift", [0.0, 1.0, 2.5])
def test_intervals_hold_as_often_as_they_say(runs, shift):
    generator, tasks, tables = np.random.default_rng(1), 6, 600
    critical = critical_value([[runs] * tasks], [runs] * tasks, generator)
    shifts = shift + np.linspace(-0.5, 0.5, tasks)
    truth = ndtr(shifts / 2**0.5).mean()
    held = 0
    for _ in range(tables):
        ours, theirs = generator.standard_normal((2, tasks, runs))
        _, low, high = average_improvement(list(ours + shifts[:, None]), list(theirs), critical)
        held += low <= truth <= high
    assert held / tables > 0.92 - 0.02, "0.02 is two standard errors"
    assert held / tables < (1.01 if truth > 0.9 else 0.98 + 0.01), "near 1 there is little room for an error"
