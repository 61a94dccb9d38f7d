"""What changed between two measurements: closed forms, and how often nothing is called something."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics import changes


def test_one_group_is_student_with_freedom_borrowed():
    """Alone, the typical variance is its own: t with the prior's degrees of freedom added to its own."""
    pairs = np.array([[0.1, 0.2, 0.3]])
    found = changes.compare(pairs, [0.0])
    error = 0.1 / np.sqrt(3)
    assert found.difference == pytest.approx([0.2])
    assert found.worse == pytest.approx(stats.t.sf(0.2 / error, 4 * 1 + 2))
    assert found.half_width == pytest.approx(error * stats.t.isf(0.025, 6))
    assert changes.compare(pairs, [0.2]).worse == pytest.approx([0.5])


def test_variances_are_drawn_to_the_typical_one():
    pairs = np.array([[0.0, 0.2], [0.0, 0.0], [-0.1, 0.1], [0.3, np.nan]])
    found = changes.compare(pairs, np.zeros(4))
    typical = (0.02 + 0.0 + 0.02) / 3
    own = np.array([0.02, 0.0, 0.02, 0.0])
    freedom = np.array([5.0, 5.0, 5.0, 4.0])
    error = np.sqrt((4 * typical + own) / freedom / np.array([2, 2, 2, 1]))
    assert found.half_width == pytest.approx(error * stats.t.isf(0.025, freedom))


def test_one_pair_each_varies_as_far_as_most_lie_from_their_median():
    pairs = np.array([[-0.02], [-0.01], [0.0], [0.01], [0.02], [0.9]])
    found = changes.compare(pairs, np.zeros(6))
    middle = 0.005
    error = 1.4826 * np.median(np.abs(pairs[:, 0] - middle))
    assert found.worse[-1] == pytest.approx(stats.t.sf(0.9 / error, 3))
    assert np.isnan(changes.compare(pairs[:5], np.zeros(5)).worse).all()


def test_an_error_of_its_own_counts_where_it_is_larger():
    pairs = np.array([[0.1, 0.1], [0.1, 0.1]])
    found = changes.compare(pairs, np.zeros(2), [0.05, np.nan])
    assert found.half_width == pytest.approx([0.05 * stats.t.isf(0.025, 5), 0.0])
    assert found.worse[1] == 0
    assert changes.compare(pairs, np.full(2, 0.2), [0.0, 0.0]).worse.tolist() == [1.0, 1.0]


def test_false_discoveries_are_those_of_benjamini_and_hochberg():
    """The example of their paper, at 0.05: the four smallest of fifteen."""
    values = [0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528]
    found = changes.discoveries([*values, 0.7590, 1.0, np.nan])
    assert found.tolist() == [True] * 4 + [False] * 12


def test_drift_is_the_signed_rank_test():
    values = np.array([1.0, 2.0, 3.0, 4.0, 5.0, -6.0])
    found = changes.drift(values, 0.0)
    assert found is not None
    assert (found.worse, found.better) == (5, 1)
    assert found.p_worse == pytest.approx(14 / 64)  # of the 64 sets of ranks 14 sum to 15 or more
    assert found.median == pytest.approx(np.median([(a + b) / 2 for i, a in enumerate(values) for b in values[i:]]))
    every = changes.drift(np.arange(1.0, 7.0), 0.0)
    assert every is not None
    assert every.p_worse == pytest.approx(1 / 64)
    assert changes.drift(np.arange(5.0), 0.0) is None
    none = changes.drift(np.zeros(9), 0.0)
    assert none is not None
    assert (none.p_worse, none.p_better) == (1.0, 1.0)


@pytest.mark.parametrize(("groups", "seeds"), [(6, 3), (40, 2), (40, 1)])
@pytest.mark.parametrize("law", ["normal", "student"])
def test_where_nothing_changed_one_table_in_twenty_says_so(groups, seeds, law):
    random, tables = np.random.default_rng(groups + seeds), 400
    draw = random.normal if law == "normal" else lambda size: random.standard_t(5, size=size)
    alarms = 0
    for _ in range(tables):
        found = changes.compare(draw(size=(groups, seeds)), np.zeros(groups))
        alarms += int(changes.discoveries(np.minimum(1, 2 * np.minimum(found.worse, found.better))).any())
    assert alarms / tables <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / tables)
