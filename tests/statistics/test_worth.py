"""Effective data, areas and targets: closed forms, what is said at the ends, and how often intervals hold the truth."""

import math

import numpy as np
import pytest

from bench.statistics import worth as w

SIZES = [10, 100, 1000]
CURVE = np.array([[3.0] * 3, [2.0] * 3, [1.0] * 3])


@pytest.mark.parametrize(
    ("losses", "fit"),
    [
        ([3, 2, 1], [3, 2, 1]),
        ([1, 2, 3], [2, 2, 2]),
        ([3, 1, 2, 0], [3, 1.5, 1.5, 0]),
        ([4, 5, 1, 3, 2], [4.5, 4.5, 2, 2, 2]),
        ([], []),
    ],
)
def test_the_monotone_fit_pools_what_is_out_of_order(losses, fit):
    assert w.monotone(losses).tolist() == fit


def test_a_mean_of_many_seeds_weighs_more():
    assert w.monotone([1, 2], [3, 1]).tolist() == [1.25, 1.25]


def test_the_monotone_fit_is_the_nearest_one():
    losses = np.random.default_rng(0).normal(size=6)
    fit = w.monotone(losses)
    others = -np.sort(-np.random.default_rng(1).normal(size=(20_000, 6)))
    assert (np.diff(fit) <= 0).all()
    assert ((others - losses) ** 2).sum(axis=1).min() >= ((fit - losses) ** 2).sum()


@pytest.mark.parametrize(
    ("loss", "effective", "side"),
    [
        (2.5, math.sqrt(1000), w.INSIDE),
        (2.0, 100, w.INSIDE),
        (3.0, 10, w.INSIDE),
        (1.0, 1000, w.INSIDE),
        (3.1, 10, w.AT_MOST),
        (0.9, 1000, w.AT_LEAST),
    ],
)
def test_inversion_is_linear_in_log_size_and_ends_with_what_was_measured(loss, effective, side):
    found, where = w.inverted(SIZES, [3, 2, 1], loss)
    assert found == pytest.approx(effective)
    assert where == side


def test_on_a_plateau_the_fewest_examples_count():
    assert w.inverted(SIZES, [3, 2, 2], 2.0)[0] == pytest.approx(100)
    effective, side = w.inverted(SIZES, [2, 2, 2], 2.0)
    assert math.isnan(effective)
    assert side == w.UNKNOWN
    assert w.inverted(SIZES, [2, 2, 2], 1.9) == (1000.0, w.AT_LEAST)


def test_what_transfer_saves():
    """Hernandez et al.: D_T = D_E - D_F, and the multiplier D_E / D_F."""
    found = w.worth(SIZES, CURVE, [2.5, 2.5, 2.5])
    assert found.transferred(10) == pytest.approx(math.sqrt(1000) - 10)
    assert found.multiplier(10) == pytest.approx((math.sqrt(10),) * 3)  # seeds that agree leave no doubt
    assert math.isnan(found.multiplier(0)[0])


def test_the_interval_is_where_a_paired_t_test_is_not_sure():
    from scipy.stats import ttest_rel

    generator = np.random.default_rng(3)
    curve = np.array([[3.0], [2.0], [1.0]]) + 0.1 * generator.normal(size=(3, 4))
    mine = 1.7 + 0.1 * generator.normal(size=4)
    found = w.worth(SIZES, curve, mine)
    assert 10 < found.low < found.effective < found.high < 1000
    for size in (found.low, found.high):
        share, left = math.modf(math.log10(size) - 1)
        there = (1 - share) * curve[int(left)] + share * curve[int(left) + 1]
        assert ttest_rel(mine, there).pvalue == pytest.approx(0.05)


def test_at_the_ends_it_is_at_least_or_at_most():
    noise = 0.1 * np.random.default_rng(0).normal(size=(3, 3))
    above = w.worth(SIZES, CURVE + noise, [0.0, 0.01, 0.02])
    assert (above.side, above.effective, above.low, above.high) == (w.AT_LEAST, 1000, 1000, math.inf)
    below = w.worth(SIZES, CURVE + noise, [9.0, 9.01, 9.02])
    assert (below.side, below.effective, below.low, below.high) == (w.AT_MOST, 10, 0, 10)
    unsure = w.worth(SIZES, CURVE + noise, [0.0, 1.0, 2.5])
    assert unsure.high == math.inf


def test_a_curve_that_does_not_improve_bounds_from_one_side_only():
    noise = 0.1 * np.random.default_rng(0).normal(size=(3, 3))
    flat = 2 + noise
    assert not w.improves(flat)
    assert w.improves(CURVE + noise)
    assert w.worth(SIZES, flat, [1.0, 1.01, 1.02]).low == 1000
    assert w.worth(SIZES, flat, [3.0, 3.01, 3.02]).high == 10
    lost = w.worth(SIZES, flat, [1.9, 2.0, 2.1])
    assert (lost.low, lost.high) == (0, math.inf)


def test_where_a_curve_gets_worse_is_named():
    noise = 0.01 * np.random.default_rng(0).normal(size=(3, 5))
    assert w.rises(CURVE[[0, 2, 1], :1] + noise) == [2]
    assert w.rises(CURVE[:, :1] + noise) == []


def test_without_two_seeds_there_is_no_interval():
    found = w.worth(SIZES, CURVE, [2.5, math.nan, math.nan])
    assert found.effective == pytest.approx(math.sqrt(1000))
    assert found.pairs == 1
    assert math.isnan(found.low)
    assert math.isnan(found.high)


@pytest.mark.parametrize(
    ("scratch", "losses"),
    [
        (CURVE, [math.nan] * 3),
        (CURVE * math.nan, [1.0, 2.0, 3.0]),
        (np.where([[1], [0], [0]], CURVE, math.nan), [1.0] * 3),
    ],
)
def test_what_is_missing_leaves_nothing_to_say(scratch, losses):
    found = w.worth(SIZES, scratch, losses)
    assert (found.side, found.pairs) == (w.UNKNOWN, 0)
    assert math.isnan(found.effective)


def test_a_size_that_nothing_was_measured_at_is_left_out():
    holey = np.where([[1], [0], [1]], CURVE, math.nan)
    assert w.worth(SIZES, holey, [2.0] * 3).effective == pytest.approx(100)


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("shared", [0.0, 0.2])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, shared):
    """A curve whose seeds vary as much as its steps are high, with noise that grows towards small sizes."""
    generator, sizes = np.random.default_rng(seeds), np.array([16, 64, 256, 1024])
    curve = np.array([2.0, 1.5, 1.2, 1.0])
    truth = 128.0  # half-way between two sizes, in logarithms: 1.35
    held = 0
    for _ in range(1000):
        common = shared * generator.normal(size=seeds)
        scratch = curve[:, None] + np.array([0.2, 0.12, 0.08, 0.05])[:, None] * generator.normal(size=(4, seeds))
        found = w.worth(sizes, scratch + common, 1.35 + common + 0.1 * generator.normal(size=seeds))
        held += found.low <= truth <= found.high
    assert 0.93 <= held / 1000 <= 0.97


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("slope", [0.5, 2.0])
def test_a_table_of_equals_seldom_has_a_mark(seeds, slope):
    """All are from_scratch in law; by intervals each of 95 % well over a tenth of such tables have one."""
    generator, sizes, tables = np.random.default_rng(seeds), np.array([16, 64, 256]), 200
    curve = -slope * np.log(sizes)[:, None]
    marked = bare = 0
    for _ in range(tables):
        scratch, *others = curve + generator.normal(size=(5, 3, seeds))
        losses = {(str(k), int(n)): mine[i] for k, mine in enumerate(others) for i, n in enumerate(sizes)}
        marked += bool(w.marks(sizes, scratch, losses))
        bare += bool(w.marks(sizes, scratch, losses, 0.05 * len(losses)))
    assert marked / tables <= 0.08  # 0.05, and two standard errors
    assert bare / tables > 0.1


def test_what_is_plain_is_marked():
    noise = 0.01 * np.random.default_rng(0).normal(size=(5, 3))
    losses = {("better", 100): 1.5 + noise[3], ("worse", 100): 2.5 + noise[4], ("none", 0): 1.5 + noise[3]}
    assert w.marks(SIZES, CURVE + noise[:3], losses) == {("better", 100): 1, ("worse", 100): -1}


def test_the_area_is_a_mean_over_log_size():
    assert w.area(SIZES, CURVE).tolist() == pytest.approx([2.0] * 3)
    assert w.area([10, 100, 10_000], [[3.0], [2.0], [1.0]]) == pytest.approx([(2.5 + 2 * 1.5) / 3])
    assert np.isnan(w.area(SIZES, np.where([[1], [0], [1]], CURVE, math.nan))).all()


def test_what_a_target_typically_takes():
    assert w.typical([30, 10, 20]) == (20, 10, 30)
    assert w.typical([10, 20]) == (15, 10, 20)
    assert w.typical([10, math.inf, math.inf]) == (math.inf, 10, math.inf)
    assert all(map(math.isnan, w.typical([])))


def test_least_and_most_hold_the_median_as_often_as_they_say():
    drawn = np.random.default_rng(0).exponential(size=(4000, 5))
    held = [low <= math.log(2) <= high for _, low, high in map(w.typical, drawn)]
    assert np.mean(held) == pytest.approx(1 - 2**-4, abs=0.015)
