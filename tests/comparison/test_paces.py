"""Nights that are slower as a whole: the nights before tell how much of that is chance."""

import itertools
import math

import numpy as np
import pytest

from bench.comparison import paces, sides, verdicts
from bench.comparison.verdicts import UNKNOWN, WORSE
from bench.results import runs as results
from tests.comparison.calibration import false_alarms
from tests.comparison.nights import Suite, side, write

LEVEL = 0.0125


@pytest.mark.parametrize("common", [0.05, 0.1, 0.3])
def test_a_machine_whose_nights_lie_apart_is_quiet(common):
    nights = 60
    alarms = false_alarms(nights, 8, 2, {"common": common}, {})
    assert alarms <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / nights)


def test_a_slower_program_is_found_on_a_steady_machine_and_not_told_on_another():
    def verdict(common, factor):
        suite = Suite(np.random.default_rng(1), common=common)
        nights = [side(suite.night()) for _ in range(12)]
        moved = [paces.moves(*pair) for pair in itertools.pairwise(nights)]
        slow = side(suite.night({("", "training_seconds"): factor}), "two")
        found = verdicts.compare(nights[-1], slow, {}, paces.bounds(moved, LEVEL))
        rows = found.rows[found.rows["metric"] == "training_seconds"]
        return found.worse, set(rows["verdict"]), set(rows["reason"]), found.paces

    assert verdict(0.01, 1.4) == (True, {WORSE}, {""}, {})
    worse, verdict_of, reason, known = verdict(0.15, 1.4)
    assert (worse, verdict_of) == (False, {UNKNOWN})
    assert reason == {"nights on this machine differ by more than is tolerated"}
    assert list(known) == ["training_seconds"]
    assert 0.4 < known["training_seconds"] < 2
    assert verdict(0.15, 5.0)[0]


def test_one_change_among_the_nights_before_does_not_hide_the_next():
    steady = [{"training_seconds": move} for move in (0.01, -0.02, 0.01, 0.005, -0.01, 0.02, -0.01)]
    before = paces.bounds(steady, LEVEL)["training_seconds"]
    after = paces.bounds([*steady, {"training_seconds": 3.0}], LEVEL)["training_seconds"]
    assert after < 1.5 * before < 0.15
    assert paces.bounds(steady[:4], LEVEL) == {}
    assert paces.bounds([], LEVEL) == {}


def test_runs_beside_it_are_read_that_began_earlier_on_its_machine(tmp_path):
    suite = Suite(np.random.default_rng(2), approaches=2, common=0.1)
    folder = tmp_path / "nightly"
    runs = [write(folder, suite.night(), place) for place in range(9)]
    slow = suite.night({("", "training_seconds"): 90.0})
    write(folder, slow, 10, machine={"id": "another"})
    write(folder, slow, 30)  # after the one in question
    last = write(folder, suite.night(), 20)
    found = paces.paces(quick(last), LEVEL)
    assert list(found) == ["training_seconds"]
    assert 0.1 < found["training_seconds"] < 2
    (runs[3] / "results.parquet").write_bytes(b"damaged")
    assert 0.1 < paces.paces(quick(last), LEVEL)["training_seconds"] < 2
    assert paces.paces(quick(runs[4]), LEVEL) == {}  # three before it can be read
    assert paces.paces(sides.Side(last, "a table", slow), LEVEL) == {}


def quick(run):
    return sides.quick(run, results.read_info(run)[0])


def test_quality_and_what_no_machine_decides_have_no_pace():
    suite = Suite(np.random.default_rng(3))
    assert set(paces.moves(side(suite.night()), side(suite.night()))) == {"training_seconds"}
