"""Intervals and fronts against published numbers and by brute force."""

import math

import numpy as np
import pytest

from bench.statistics.fronts import pareto_front
from bench.statistics.intervals import half_width, interval


def test_students_own_sleep_data():
    """Ten patients, two drugs (Student, 1908); 95 % interval of the paired difference is (0.7001142, 2.4598858)."""
    first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    mean, half = interval(second - first)
    assert mean == pytest.approx(1.58)
    assert mean - half == pytest.approx(0.7001142, abs=1e-7)
    assert mean + half == pytest.approx(2.4598858, abs=1e-7)


@pytest.mark.parametrize(("n", "critical"), [(2, 12.7062), (3, 4.30265), (5, 2.77645), (11, 2.22814)])
def test_critical_values_of_the_t_table(n, critical):
    assert half_width(math.sqrt(n), n) == pytest.approx(critical, rel=1e-5)


def test_other_confidence():
    assert half_width(math.sqrt(6), 6, confidence=0.99) == pytest.approx(4.03214, rel=1e-5)


def test_one_value_has_no_interval_and_none_has_no_mean():
    mean, half = interval([3.0])
    assert mean == 3.0
    assert math.isnan(half)
    assert all(math.isnan(value) for value in interval([]))


def test_equal_values_have_an_interval_of_zero():
    assert interval([2.0, 2.0, 2.0]) == (2.0, 0.0)


def test_arrays_are_taken_at_once():
    found = half_width(np.array([[1.0, np.nan], [2.0, 0.0]]), np.array([3, 1]))
    assert found.shape == (2, 2)
    assert found[1, 0] == pytest.approx(2 * found[0, 0])
    assert np.isnan(found[:, 1]).all()


def test_intervals_cover_as_often_as_they_say():
    draws = np.random.default_rng(0).normal(size=(20_000, 3))
    covers = np.abs(draws.mean(axis=1)) <= half_width(draws.std(axis=1, ddof=1), 3)
    assert covers.mean() == pytest.approx(0.95, abs=0.005)


def test_front_against_brute_force():
    costs, losses = np.random.default_rng(1).integers(0, 12, size=(2, 80)).astype(float)
    beaten = [
        any((c <= cost and ls <= loss) and (c < cost or ls < loss) for c, ls in zip(costs, losses, strict=True))
        for cost, loss in zip(costs, losses, strict=True)
    ]
    assert (pareto_front(costs, losses) == ~np.array(beaten)).all()


def test_front_of_few():
    assert pareto_front([], []).tolist() == []
    assert pareto_front([1, 1, 2], [3, 3, 3]).tolist() == [True, True, False]
    assert pareto_front([0, 1, math.nan], [2, math.nan, 0]).tolist() == [True, False, False]
