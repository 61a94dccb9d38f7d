"""Mean places, and how often their intervals say that equals differ."""

import numpy as np
import pytest
from scipy.special import stdtrit

from bench.statistics import placing

NONE = np.nan


def test_a_mean_over_pairs_with_its_interval() -> None:
    places = [[0.0, 1.0], [0.5, 0.5], [0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]
    mean, half = placing.mean_places(places, range(5), np.array([2.0, 3.0]))
    assert mean.tolist() == pytest.approx([0.4, 0.6])
    error = np.std([0.0, 0.5, 0.5, 1.0, 0.0], ddof=1) / 5**0.5
    assert half.tolist() == pytest.approx([2 * error, 3 * error])


def test_of_several_sections_of_a_pair_the_mean_is_one_observation() -> None:
    once = [[0.0], [0.5], [0.5], [1.0], [0.25]]
    twice = [*once[:4], [0.0], [0.5]]
    critical = np.array([1.0])
    alone = placing.mean_places(once, range(5), critical)
    again = placing.mean_places(twice, [0, 1, 2, 3, 4, 4], critical)
    assert np.array_equal(alone, again)


@pytest.mark.parametrize(
    "column",
    [
        [0.0, 0.5, 1.0, 0.5, NONE],  # four pairs
        [1 / 3] * 5,
        [NONE] * 5,
        [0.0, 1.0, 0.0, 1.0, 0.5],  # at this critical value ± more than 1
    ],
)
def test_where_there_is_no_interval(column: list[float]) -> None:
    _, half = placing.mean_places(np.array([column]).T, range(5), np.array([5.0]))
    assert np.isnan(half).all()


def test_critical_values_are_no_less_than_student_s_and_grow_with_the_family() -> None:
    def value(approaches: int, pairs: int, confidence: float) -> float:
        there = np.ones((pairs, approaches), dtype=bool)
        return float(placing.critical_values(there, range(pairs), np.random.default_rng(0), confidence)[0])

    assert value(2, 5, 0.95) == pytest.approx(stdtrit(4, 0.9875))
    assert value(3, 40, 0.95) == pytest.approx(stdtrit(39, 1 - 0.025 / 3), rel=0.05)
    assert value(8, 5, 0.95) > 1.2 * stdtrit(4, 1 - 0.025 / 8)
    assert value(8, 5, 0.95) < value(8, 5, 1 - 0.05 / 3) < value(36, 5, 1 - 0.05 / 3)


def test_an_approach_on_few_pairs_has_none_and_costs_nobody_anything() -> None:
    there = np.ones((8, 4), dtype=bool)
    there[3:, 3] = False
    found = placing.critical_values(there, range(8), np.random.default_rng(0), 0.95)
    assert np.isnan(found).tolist() == [False, False, False, True]


def test_the_same_sections_twice_are_as_once() -> None:
    once = placing.critical_values(np.ones((6, 4), dtype=bool), range(6), np.random.default_rng(0), 0.95)
    twice = placing.critical_values(np.ones((12, 4), dtype=bool), [*range(6)] * 2, np.random.default_rng(0), 0.95)
    assert once.tolist() == twice.tolist()
