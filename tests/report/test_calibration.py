"""A small version of ``docs/calibration.md``: how often the summary errs where the truth is known."""

import math

import numpy as np
import pytest

from tests import calibration

TABLES = 300


def error(share: float, tables: int = TABLES) -> float:
    """Three Monte Carlo standard errors."""
    return 3 * math.sqrt(share * (1 - share) / tables)


@pytest.mark.parametrize(
    ("law", "approaches", "seeds"),
    [*((law, 8, 3) for law in calibration.LAWS), ("normal", 2, 3), ("normal", 8, 10), ("variances log-normal", 36, 3)],
)
def test_equal_approaches_are_called_worse_in_one_column_of_twenty(law, approaches, seeds):
    tables = TABLES if approaches < 36 else TABLES // 3
    found = calibration.false_alarms(np.random.default_rng(0), calibration.LAWS[law], tables, approaches, seeds)
    most = 0.07 if law.startswith("variances") else 0.05
    assert found <= most + error(most, tables)


def test_failed_runs_make_no_alarms():
    found = calibration.false_alarms(np.random.default_rng(1), calibration.LAWS["normal"], TABLES, 8, 3, failed=2)
    assert found <= 0.05 + error(0.05)


def test_what_is_clearly_better_is_found():
    worse, missed = calibration.power(np.random.default_rng(2), TABLES, 8, 5)
    assert worse >= 0.60
    assert missed <= 0.01


@pytest.mark.parametrize(("top", "gap"), [(1, 0.3), (2, 0.6), (4, 2.0)])
def test_the_equally_best_stay_in_the_set(top, gap):
    assert calibration.cluster(np.random.default_rng(3), TABLES, top, gap) <= 0.05 + error(0.05)


@pytest.mark.parametrize("items", [0.0, 0.5, 3.0])
@pytest.mark.parametrize("seeds", [3, 5])
def test_the_mean_is_within_its_interval(seeds, items):
    found = calibration.coverage_of_means(np.random.default_rng(4), 2 * TABLES, seeds, items)
    assert 0.93 - error(0.05, 2 * TABLES) <= found <= 0.97 + error(0.05, 2 * TABLES)


@pytest.mark.parametrize("seeds", [3, 5])
def test_how_far_behind_the_best(seeds):
    true = np.array([0.0, *[6.0] * 7])
    found = calibration.coverage_behind(np.random.default_rng(5), calibration.LAWS["normal"], TABLES, true, seeds)
    assert 0.93 - error(0.05) <= found <= 0.97 + error(0.05)


@pytest.mark.parametrize("control", ["constant", "like an approach", "far from them"])
def test_against_a_control(control):
    covered, harm = calibration.coverage_against(
        np.random.default_rng(6), calibration.LAWS["normal"], TABLES, 8, 3, control
    )
    assert covered >= 0.95 - error(0.05)
    assert harm <= 0.05 + error(0.05)


def test_against_a_baseline():
    found = calibration.coverage_of_baseline(np.random.default_rng(7), calibration.LAWS["normal"], TABLES, 8, 5)
    assert 0.93 - error(0.05) <= found <= 0.97 + error(0.05)
