"""What a comparison of two nights says where the truth is known: quiet if nothing changed, and heard if it did."""

import itertools
import math

import numpy as np
import pytest

from bench.comparison import verdicts
from bench.comparison.verdicts import BETTER, SAME, UNKNOWN, WORSE
from bench.errors import ResultsError
from tests.comparison.nights import HERE, Suite, row, side, table

NIGHTS = 365


def compared(base, new, **tolerances):
    return verdicts.compare(side(base), side(new, "two"), tolerances)


def verdict_of(found, approach, metric):
    rows = found.rows
    return rows.loc[(rows["approach"] == approach) & (rows["metric"] == metric), "verdict"].item()


@pytest.mark.parametrize(
    ("approaches", "seeds", "spread"), [(8, 3, 0.0), (8, 3, 0.7), (24, 2, 0.7), (24, 1, 0.0), (24, 1, 0.7)]
)
def test_a_year_without_changes_is_quiet(approaches, seeds, spread):
    """At the tolerances of a suite that says nothing, and at none at all for cells that vary alike."""
    tolerances = {} if spread else {"quality": 0.0, "drift": 0.0, "speed": 0.0}
    suite = Suite(np.random.default_rng(approaches + seeds), approaches, seeds, spread)
    nights = [suite.night() for _ in range(NIGHTS // 3)]
    alarms = sum(compared(*pair, **tolerances).worse for pair in itertools.pairwise(nights))
    count = len(nights) - 1
    assert alarms / count <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / count)


def test_a_degraded_approach_is_found_and_no_other():
    suite = Suite(np.random.default_rng(1))
    found = compared(suite.night(), suite.night({("approach_3", "perplexity"): 1.12}))
    assert found.worse
    assert verdict_of(found, "approach_3", "perplexity") == WORSE
    assert found.counts()[WORSE] == 1
    back = compared(suite.night({("approach_3", "perplexity"): 1.12}), suite.night())
    assert not back.worse
    assert verdict_of(back, "approach_3", "perplexity") == BETTER


def test_where_higher_is_better_less_is_worse():
    suite = Suite(np.random.default_rng(2))
    assert (
        verdict_of(compared(suite.night(), suite.night({("approach_0", "accuracy"): 0.88})), "approach_0", "accuracy")
        == WORSE
    )
    assert not compared(suite.night(), suite.night({("approach_0", "accuracy"): 1.12})).worse


def test_what_is_said_to_have_been_seen_is_seen():
    random, heard = np.random.default_rng(3), 0
    suite = Suite(random)
    seen = compared(suite.night(), suite.night()).rows
    least = float(seen.loc[seen["metric"] == "perplexity", "seen"].mean())
    for _ in range(60):
        found = compared(suite.night(), suite.night({("approach_0", "perplexity"): 1 + least}))
        heard += verdict_of(found, "approach_0", "perplexity") == WORSE
    assert 0.6 <= heard / 60 <= 0.97


def test_thin_drift_shows_in_no_cell_and_is_found_in_all_of_them():
    suite = Suite(np.random.default_rng(4), approaches=12)
    found = compared(suite.night(), suite.night({("", "perplexity"): 1.008}))
    assert found.counts()[WORSE] == 0
    assert [(one.metric, one.verdict) for one in found.drifts if one.verdict != SAME] == [("perplexity", WORSE)]
    assert found.worse


def test_35_of_36_in_one_direction_with_one_seed():
    """As PEFT's rows moved from one release to the next."""
    random = np.random.default_rng(5)
    suite = Suite(random, approaches=36, seeds=1, noise=0.002)
    found = compared(suite.night(), suite.night({("", "accuracy"): 0.996}))
    (drift,) = [one for one in found.drifts if one.metric == "accuracy"]
    assert (drift.verdict, drift.cells) == (WORSE, 36)
    assert drift.worse > 28


@pytest.mark.parametrize("factor", [1.0, 3.0])
def test_another_machine_is_no_regression_of_speed(factor):
    suite = Suite(np.random.default_rng(6))
    slow = suite.night({("", "training_seconds"): factor})
    there = HERE | {"machine": {"id": "ba9876543210"}}
    found = verdicts.compare(side(suite.night()), side(slow, "two", there))
    assert not found.worse
    times = found.rows[found.rows["metric"] == "training_seconds"]
    assert set(times["verdict"]) == {UNKNOWN}
    assert set(times["reason"]) == {"measured on another machine"}
    assert compared(suite.night(), suite.night({("", "training_seconds"): 3.0})).worse


def test_equal_numbers_are_no_change_whatever_others_do():
    suite = Suite(np.random.default_rng(7), noise=0.0)
    found = compared(suite.night(), suite.night({("approach_1", "perplexity"): 1.5}))
    assert found.counts() == {WORSE: 1, BETTER: 0, SAME: 23, UNKNOWN: 0}


def test_few_rows_of_one_seed_tell_nothing():
    suite = Suite(np.random.default_rng(8), approaches=3, seeds=1)
    found = compared(suite.night(), suite.night({("approach_0", "perplexity"): 2.0}))
    assert not found.worse
    assert verdict_of(found, "approach_0", "perplexity") == UNKNOWN
    assert set(found.rows["reason"]) == {"one pair, and too few others to know its noise"}
    assert found.rows["seen"].isna().all()


def test_tolerances_by_kind_and_by_metric():
    suite = Suite(np.random.default_rng(9))
    nights = suite.night(), suite.night({("approach_3", "perplexity"): 1.12})
    assert not compared(*nights, quality=0.2).worse
    assert not compared(*nights, perplexity=0.2).worse
    assert compared(*nights, accuracy=0.2).worse
    with pytest.raises(ResultsError, match=r"tolerances: perplexty: .* has no such metric; did you mean 'perplexity'"):
        compared(*nights, perplexty=0.2)
    stated = side(nights[1], "two", definition={"tolerances": {"quality": 0.2}})
    assert not verdicts.compare(side(nights[0]), stated).worse


def test_cells_that_broke_and_scores_that_were_lost_are_regressions():
    both = [row(name, seed, metric, 2.0) for name in "ab" for seed in (0, 1) for metric in ("perplexity", "loss")]
    broke = [*both[2:], row("a", 0, "", math.nan, status="diverged", reason="loss is NaN")]
    found = compared(table(both), table(broke))
    assert [(one.cell, one.better, one.reason) for one in found.ended] == [
        ("a-0", False, "diverged, and had ended well: loss is NaN")
    ]
    assert found.worse
    every = [row(name, seed, "", math.nan, status="failed", reason="no disk") for name in "ab" for seed in (0, 1)]
    assert len(compared(table(both), table(every)).ended) == 4  # no score is left, and that is what is said
    back = compared(table(broke), table(both))
    assert ([one.better for one in back.ended], back.worse) == ([True], False)
    lost = compared(table(both), table(both[1:]))
    assert [one.reason for one in lost.ended] == ["no value any more of perplexity"]
    assert lost.worse
    dropped = compared(table(both), table([one for one in both if one["metric"] != "loss"]))
    assert not dropped.worse  # the suite no longer asks for it


def test_what_only_one_side_has_is_counted():
    both = [row(name, seed, "perplexity", 2.0) for name in "abc" for seed in (0, 1)]
    found = compared(table(both[:4]), table(both[2:]))
    assert (found.gone, found.added) == (2, 2)
    with pytest.raises(ResultsError, match="no cell has a score of one metric on both sides"):
        compared(table(both[:2]), table(both[2:]))


def test_metrics_without_a_direction_are_named_and_not_judged():
    rows = [
        row("a", seed, name, 2.0, better=better) for seed in (0, 1) for name, better in (("x", "none"), ("y", "lower"))
    ]
    found = compared(table(rows), table(rows))
    assert (found.unjudged, list(found.rows["metric"])) == (["x"], ["y"])
