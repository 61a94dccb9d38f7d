"""The set of those that may be the best, and how far each is behind: closed forms, published values, and verdicts."""

import functools

import numpy as np
import pytest
from scipy import stats

from bench.statistics import best
from bench.statistics.variances import design_of

RANDOM = np.random.default_rng(1)


@functools.cache
def _drawn(held: bytes, shape: tuple[int, int]) -> best.Constants:
    return best.constants(np.frombuffer(held, bool).reshape(shape), np.random.default_rng(0))


def source(held):
    return _drawn(held.tobytes(), held.shape)


def test_constants_of_two_are_students():
    found = best.constants(np.ones((2, 5)), np.random.default_rng(0))
    assert [found.deviation[2], found.difference] == pytest.approx([stats.t.ppf(0.975, 4)] * 2)


def test_constants_of_many_seeds_are_dunnetts():
    """Dunnett 1964, two-sided, 5 %, infinite degrees of freedom: 2.35 for three treatments, 2.57 for six."""
    for treatments, expected in ((3, 2.35), (6, 2.57)):
        found = best.constants(np.ones((treatments + 1, 60)), np.random.default_rng(0), tables=10_000)
        assert found.difference == pytest.approx(expected, abs=0.06)


def test_constants_grow_with_the_set_and_the_same_generator_gives_the_same():
    found = best.constants(np.ones((60, 3)), np.random.default_rng(0), tables=500)
    again = best.constants(np.ones((60, 3)), np.random.default_rng(0), tables=500)
    assert (np.diff(found.deviation[2:]) >= 0).all()
    assert (found.deviation == again.deviation).all()
    assert found.difference == again.difference


def test_of_two_it_is_the_paired_t_test():
    for _ in range(200):
        scores = RANDOM.normal(size=(2, 4)) + RANDOM.normal(size=4) + np.array([[0.0], [1.0]])
        found = best.compare(scores, source)
        assert found.members.all() == (stats.ttest_rel(scores[0], scores[1]).pvalue >= 0.05)
        behind, width = scores.mean(axis=1), stats.t.ppf(0.975, 3) * stats.sem(scores[0] - scores[1])
        assert found.behind == pytest.approx(behind - behind.min())
        assert found.high.max() == pytest.approx(np.ptp(behind) + width)


def test_the_right_verdict_in_each_direction():
    """Seeds differ by 10, runs by 0.1: b may be as good as a, c and d are not, and d is furthest behind."""
    noise = np.array(
        [[0.1, -0.1, 0.0, 0.1, -0.1], [-0.1, 0.1, 0.1, 0.0, 0.0], [0.0, 0.1, -0.1, 0.1, 0.0], [0.1, 0, 0, 0, 0]]
    )
    scores = noise + np.array([[1.0], [1.02], [3.0], [9.0]]) + np.array([0.0, 10.0, -10.0, 20.0, 3.0])
    found = best.compare(scores, source)
    assert found.members.tolist() == [True, True, False, False]
    assert found.behind == pytest.approx((scores - scores[0]).mean(axis=1), abs=1e-9)
    assert (found.low[:2] == 0).all()
    assert (found.low[2:] > [1.5, 7.5]).all()
    assert (found.high[2:] < [2.5, 8.5]).all()
    turned = best.compare(-scores, source)
    assert turned.members.tolist() == [False, False, False, True]
    assert turned.behind == pytest.approx((scores[3] - scores).mean(axis=1))


def test_seeds_and_units_do_not_matter():
    scores = RANDOM.normal(size=(5, 4)) + np.arange(5)[:, None]
    plain = best.compare(scores, source)
    moved = best.compare(1e200 * (scores + 7 * RANDOM.normal(size=4)), source)
    assert (moved.members == plain.members).all()
    assert moved.low / 1e200 == pytest.approx(plain.low, abs=1e-6)
    assert moved.high / 1e200 == pytest.approx(plain.high, rel=1e-6)


def test_only_shared_seeds_are_compared():
    nan = np.nan
    scores = np.array([[1.0, 2.0, 3.0], [nan, 2.5, 3.5]])
    assert best.compare(scores, source).behind == pytest.approx([0.0, 0.5])
    lone = best.compare(np.array([[1.0, 2.0, 3.0], [1.1, 2.2, 3.1], [nan, nan, 3.5]]), source)
    assert lone.compared.tolist() == [True, True, False]
    assert lone.behind[2] == pytest.approx(0.5)
    assert np.isnan([lone.low[2], lone.high[2]]).all()
    assert not lone.members[2]


def test_one_failed_run_does_not_cost_the_others_their_verdict():
    """The critical values are of the very pattern, not of a table with a seed less: 3.7 instead of 4.3."""
    held = np.ones((8, 3), dtype=bool)
    whole = source(held).deviation[8]
    held[0, 0] = False
    assert whole < source(held).deviation[8] * 1.02 < 1.06 * whole
    assert source(np.ones((8, 2), bool)).deviation[8] > 1.1 * whole


@pytest.mark.parametrize(
    ("scores", "members"),
    [
        ([[1.0, 1.0, 1.0]] * 3, [True] * 3),
        ([[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]], [True, False, True]),
        ([[0.1 + 0.2] * 3, [0.3] * 3], [True, True]),  # apart in the last digit only
        ([[5.0], [1.0]], [False, False]),
        ([[1.0, 2.0, 3.0]], [True]),
        ([[1.0]], [False]),
        ([[np.nan, np.nan], [np.nan, np.nan]], [False, False]),
        (np.empty((0, 3)), []),
    ],
)
def test_tables_without_noise_or_comparison(scores, members):
    found = best.compare(np.array(scores), source)
    assert found.members.tolist() == members
    if np.shape(scores)[1] == 1:
        assert np.isnan(found.high).all()


def test_test_items_are_added_as_a_known_variance():
    scores = np.array([[1.0, 1.0, 1.0], [2.0, 2.0, 2.0]])
    items = np.diag([0.1, 0.2])
    found = best.compare(scores, source, items)
    width = stats.norm.ppf(0.975) * np.sqrt(0.3)
    assert found.members.tolist() == [True, True]
    assert found.high[1] == pytest.approx(1 + width)
    shared = best.compare(scores, source, np.full((2, 2), 5.0))  # the same items for both: nothing is added
    assert shared.members.tolist() == [True, False]


@pytest.mark.parametrize(("approaches", "seeds"), [(2, 10), (8, 3), (8, 10), (36, 3)])
@pytest.mark.parametrize(("every_second", "most"), [(1.0, 0.05), (2.0, 0.07)])
def test_of_equal_approaches_one_leaves_the_whole_set_in_one_table_of_twenty(approaches, seeds, every_second, most):
    """Of many tables; the report's own summary is asked in tests/report/test_calibration.py."""
    held, tables = np.ones((approaches, seeds), dtype=bool), 12_000
    design, critical = design_of(held), source(held).deviation[approaches]
    noise = np.random.default_rng(3).standard_normal((tables, approaches, seeds))
    effects, variances = design.fit(noise * np.where(np.arange(approaches) % 2, every_second, 1.0)[:, None])
    away = effects - effects.mean(axis=1, keepdims=True)
    bounds = critical**2 * (variances @ design.from_mean(np.arange(approaches)).T)
    assert (away**2 > bounds).any(axis=1).mean() <= most + 3 * np.sqrt(most * (1 - most) / tables)
