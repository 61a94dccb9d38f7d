"""Intervals against one approach and p-values of all pairs."""

import functools

import numpy as np
import pytest
from scipy import stats

from bench.statistics import against, best
from bench.statistics.intervals import interval

RANDOM = np.random.default_rng(2)


@functools.cache
def critical(approaches: int, seeds: int) -> float:
    return against.critical(approaches, seeds, np.random.default_rng(0))


def constants(held):
    return best.constants(held, np.random.default_rng(0), tables=4_000)


def test_one_approach_has_students_paired_interval():
    scores, control = RANDOM.normal(size=(1, 5)), RANDOM.normal(size=5)
    found = against.control(scores, control, lambda *_: stats.t.ppf(0.975, 4))
    mean, half = interval(scores[0] - control)
    assert [found.low[0], found.high[0]] == pytest.approx([mean - half, mean + half])
    assert critical(1, 5) == pytest.approx(stats.t.ppf(0.975, 4), rel=0.03)


def test_critical_values_hold_whatever_the_control_shares():
    """Where all that varies is the control's, there is but one difference, and Student's value must do."""
    assert critical(8, 3) >= stats.t.ppf(0.975, 2) * 0.97
    assert critical(8, 10) == pytest.approx(3.06, abs=0.1)


def test_a_control_without_variance_over_seeds_is_a_number():
    scores = RANDOM.normal(size=(4, 5))
    found = against.control(scores, np.full(5, 3.0), critical)
    assert found.difference == pytest.approx(scores.mean(axis=1) - 3)
    assert (found.low < found.difference).all()
    moved = against.control(scores + 3, np.full(5, 6.0), critical)
    assert moved.low == pytest.approx(found.low)


@pytest.mark.parametrize("common", [0.0, 1.0, 4.0])
def test_simultaneous_coverage(common):
    covered = []
    for _ in range(600):
        scores = RANDOM.normal(size=(6, 3)) + common * RANDOM.normal(size=3)
        found = against.control(scores, np.zeros(3), critical)
        covered.append(((found.low <= 0) & (found.high >= 0)).all())
    assert np.mean(covered) >= 0.95 - 3 * 0.009


def test_missing_seeds_leave_gaps():
    nan = np.nan
    scores = np.array([[1.0, 2.0, 3.0], [1.5, nan, 3.0], [nan, nan, 3.0], [nan, nan, nan]])
    found = against.control(scores, np.array([1.0, 1.5, 2.0]), critical)
    assert found.pairs.tolist() == [3, 2, 1, 0]
    assert found.difference == pytest.approx([0.5, 0.75, 1.0, nan], nan_ok=True)
    assert np.isfinite(found.low).tolist() == [True, True, False, False]
    alone = against.control(scores, np.full(3, nan), critical)
    assert np.isnan(alone.difference).all()


def test_items_add_a_known_variance():
    scores, control = np.full((2, 3), 1.0), np.zeros(3)
    found = against.control(scores, control, critical, items=np.array([0.25, 0.0]))
    z = stats.norm.ppf((1 + 0.95**0.5) / 2)
    assert found.low == pytest.approx([1 - z / 2, 1.0])


def test_a_baseline_is_held_against_itself_at_nought():
    scores = RANDOM.normal(size=(4, 5)) + 3 * RANDOM.normal(size=5) + np.array([[0.0], [9.0], [0.0], [0.0]])
    found = against.baseline(scores, 2, constants)
    assert [found.difference[2], found.low[2], found.high[2]] == [0.0, 0.0, 0.0]
    assert found.low[1] > 0
    lone = against.baseline(np.array([[1.0, 2.0], [3.0, np.nan]]), 1, constants)
    assert lone.difference == pytest.approx([-2.0, 0.0])
    assert np.isnan(lone.low).all()


def test_holm_as_in_r():
    """p.adjust(c(0.01, 0.02, 0.03, 0.04, 0.05), "holm")."""
    assert against.holm([0.04, 0.01, 0.03, 0.02, 0.05]) == pytest.approx([0.09, 0.05, 0.09, 0.08, 0.09])
    assert against.holm([0.6, 0.9]).tolist() == [1.0, 1.0]


def test_one_pair_is_a_paired_t_test():
    scores = RANDOM.normal(size=(2, 6)) + RANDOM.normal(size=6)
    found = against.pairs(scores)
    expected = stats.ttest_rel(scores[0], scores[1])
    assert found.p == pytest.approx([expected.pvalue])
    assert found.difference / found.error == pytest.approx([expected.statistic])


def test_all_pairs_err_no_more_than_one_should():
    wrong = [(against.pairs(RANDOM.normal(size=(6, 4))).adjusted <= 0.05).any() for _ in range(600)]
    assert np.mean(wrong) <= 0.05 + 3 * 0.009
    apart = against.pairs(RANDOM.normal(size=(3, 5)) + np.array([[0.0], [0.0], [20.0]]))
    assert [(int(a), int(b)) for a, b in zip(apart.first, apart.second, strict=True)] == [(0, 1), (0, 2), (1, 2)]
    assert (apart.adjusted <= 0.05).tolist() == [False, True, True]


def test_all_pairs_err_no_more_where_all_seeds_are_scored_on_the_same_items():
    def errs(covers_items: bool) -> bool:
        scores = RANDOM.normal(size=(6, 4)) + RANDOM.normal(size=(6, 1))
        found = against.pairs(scores, np.eye(6) if covers_items else None)
        return bool((found.adjusted <= 0.05).any())

    alone, both = (np.mean([errs(covers) for _ in range(600)]) for covers in (False, True))
    assert both <= 0.05 + 3 * 0.009
    assert alone > 0.2


def test_pairs_without_noise():
    found = against.pairs(np.array([[1.0, 1.0], [1.0, 1.0], [2.0, 2.0]]))
    assert found.p.tolist() == [1.0, 0.0, 0.0]
    assert len(against.pairs(np.array([[1.0], [2.0]])).p) == 0
