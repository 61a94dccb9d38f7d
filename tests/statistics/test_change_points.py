"""Where series change: the tests by hand, where nothing changes, and where something does."""

import itertools

import numpy as np
import pytest

from bench.statistics.change_points import change_points, pettitt, split


def test_pettitt_by_hand():
    """U_4 = 2 (1 + 2 + 3 + 4) - 4 · 9 = -16, and of all orders of eight values those go as far that are parted so."""
    at, p_value = pettitt([1, 2, 3, 4, 5, 6, 7, 8])
    sums = [max(abs(2 * sum(order[:t]) - t * 9) for t in range(1, 8)) for order in itertools.permutations(range(1, 9))]
    assert at == 4
    assert p_value == pytest.approx(np.mean(np.array(sums) >= 16), rel=0.1)
    assert pettitt(np.arange(100.0))[1] == pytest.approx(2 * np.exp(-6 * 2500**2 / (100**3 + 100**2)))
    assert pettitt(np.ones(9))[1] == 1.0


@pytest.mark.parametrize("law", ["normal", "student", "two values"])
@pytest.mark.parametrize("n", [12, 80])
def test_where_nothing_changes_one_history_in_twenty_says_so(n, law):
    random, histories = np.random.default_rng(n), 100
    draw = {
        "normal": lambda: random.normal(size=n),
        "student": lambda: random.standard_t(3, size=n),
        "two values": lambda: random.integers(0, 2, size=n).astype(float),
    }[law]
    found = sum(any(change_points([draw() for _ in range(15)])) for _ in range(histories))
    assert found / histories <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / histories)


def test_a_clear_change_takes_few_values_and_three_of_the_new_level():
    random = np.random.default_rng(2)
    noise = random.normal(size=14)
    others = [random.normal(size=14) for _ in range(300)]
    assert change_points([noise + np.repeat([0.0, 12.0], 7), *others])[0] == [7]
    assert change_points([noise + np.repeat([0.0, 12.0], [12, 2]), *others])[0] != [12]
    assert split(np.full(9, 0.1) * 3)[1] == 1.0


def test_each_level_is_found():
    random = np.random.default_rng(1)
    levels = np.repeat([0.0, 5.0, 1.0], 30)
    found = change_points([levels + random.normal(size=90), random.normal(size=90), np.repeat([1.0, 2.0], [10, 20])])
    assert found[0] == pytest.approx([30, 60], abs=1)
    assert found[1:] == [[], [10]]
    assert change_points([np.arange(7.0)]) == [[]]
