"""Ranks against Demšar's (2006) example and tables, scipy, and closed forms."""

import numpy as np
import pytest
from scipy import stats

from bench.statistics import ranks

C45 = np.array([
    [4, 3, 2, 1], [1, 2, 3, 4], [4, 1, 2, 3], [4, 1, 3, 2], [4, 2, 3, 1], [1, 2.5, 4, 2.5], [3, 2, 4, 1],
    [2.5, 2.5, 4, 1], [4, 3, 2, 1], [2.5, 2.5, 2.5, 2.5], [4, 2.5, 1, 2.5], [3, 2, 4, 1], [4, 1, 2, 3], [3, 1, 4, 2],
])  # fmt: skip
"""Demšar's table 6: ranks of C4.5, C4.5+m, C4.5+cf and C4.5+m+cf on fourteen data sets."""


def test_ties_share_their_places():
    assert ranks.ranks([[0.3, 0.1, 0.3, 0.2], [1.0] * 4]).tolist() == [[3.5, 1, 3.5, 2], [2.5] * 4]
    assert ranks.ranks(C45).tolist() == C45.tolist(), "ranks of ranks are themselves"


def test_friedman_of_demsars_example():
    """He finds 9.28 and 3.69 without a correction for ties; these take 78 of 14 (4³ - 4) away."""
    assert C45.mean(axis=0) == pytest.approx([3.143, 2.000, 2.893, 1.964], abs=5e-4)
    found = ranks.friedman(C45)
    ties = 1 - 78 / (14 * (4**3 - 4))
    assert found.chi_squared * ties == pytest.approx(9.28, abs=0.01)
    uncorrected = found.chi_squared * ties
    assert 13 * uncorrected / (14 * 3 - uncorrected) == pytest.approx(3.69, abs=0.01)
    assert found.f == pytest.approx(13 * found.chi_squared / (14 * 3 - found.chi_squared))
    assert found.f_p == pytest.approx(stats.f.sf(found.f, 3, 39))


def test_friedman_against_scipy():
    values = np.random.default_rng(0).integers(0, 5, size=(9, 6)).astype(float)
    expected = stats.friedmanchisquare(*values.T)
    assert ranks.friedman(ranks.ranks(values))[:2] == pytest.approx((expected.statistic, expected.pvalue))


def test_friedman_at_its_ends():
    agreed = ranks.friedman([[1, 2, 3]] * 4)
    assert agreed.chi_squared == pytest.approx(4 * 2)
    assert agreed.f == np.inf
    assert agreed.f_p == 0
    assert ranks.friedman([[2, 2, 2]] * 4) == (0, 1, 0, 1)
    assert np.isnan(ranks.friedman([[1, 2, 3]])).all()


@pytest.mark.parametrize(
    ("approaches", "q"),
    list(enumerate([1.960, 2.343, 2.569, 2.728, 2.850, 2.949, 3.031, 3.102, 3.164], start=2)),
)
def test_critical_values_of_demsars_table(approaches, q):
    unit = (approaches * (approaches + 1) / 6) ** 0.5
    assert ranks.critical_difference(approaches, 1) / unit == pytest.approx(q, abs=1.1e-3)


@pytest.mark.parametrize(("approaches", "confidence"), [(2, 0.975), (8, 0.9958), (36, 0.95)])
def test_critical_values_against_scipy(approaches, confidence):
    expected = stats.studentized_range.ppf(confidence, approaches, np.inf)
    unit = (approaches * (approaches + 1) / 12) ** 0.5
    assert ranks.critical_difference(approaches, 1, confidence) / unit == pytest.approx(expected, rel=1e-6)


def test_nemenyi_of_demsars_example():
    """At 5 % (1.25) nothing differs; at 10 % (1.12) C4.5 is worse than C4.5+m and C4.5+m+cf."""
    strict, loose = (ranks.critical_difference(4, 14, confidence) for confidence in (0.95, 0.9))
    assert (strict, loose) == pytest.approx((1.25, 1.12), abs=5e-3)
    average = C45.mean(axis=0)
    assert ranks.groups(average, strict) == [[3, 1, 2, 0]]
    assert ranks.groups(average, loose) == [[3, 1, 2], [2, 0]]


def test_groups_are_the_largest_ones():
    assert ranks.groups([3.0, 1.0, 2.0, 4.0], 1.5) == [[1, 2], [2, 0], [0, 3]]
    assert ranks.groups([1.0, 1.0, 5.0], 1.0) == [[0, 1], [2]]
    assert ranks.groups([], 1.0) == []


def test_the_largest_complete_table():
    everywhere, rare = np.ones((6, 3), dtype=bool), np.zeros((6, 1), dtype=bool)
    rare[:2] = True
    tasks, approaches = ranks.largest_complete(np.hstack([rare, everywhere]))
    assert tasks.all()
    assert approaches.tolist() == [False, True, True, True], "two tasks of six are not worth it"
    rare[:5] = True
    tasks, approaches = ranks.largest_complete(np.hstack([rare, everywhere]))
    assert tasks.tolist() == [True] * 5 + [False]
    assert approaches.all()
    assert not ranks.largest_complete(np.zeros((2, 2)))[1].any()


@pytest.mark.parametrize("tasks", [5, 12])
def test_no_more_differ_by_chance_than_is_said(tasks):
    tables = np.argsort(np.random.default_rng(0).random((2000, tasks, 8)), axis=2) + 1
    apart = np.ptp(tables.mean(axis=1), axis=1) >= ranks.critical_difference(8, tasks)
    assert 0.01 < apart.mean() < 0.05
    found = [ranks.friedman(table).f_p < 0.05 for table in tables[:1000]]
    assert 0.03 < np.mean(found) < 0.07 + 0.014, "at five tasks 6 % do"
