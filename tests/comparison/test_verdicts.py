"""What a comparison of two nights says where the truth is known: quiet if nothing changed, and heard if it did."""

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench.comparison import environments, junit, markdown, told, verdicts
from bench.comparison.sides import Side
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


def test_what_only_one_side_has_is_named():
    both = [row(name, seed, "perplexity", 2.0) for name in "abc" for seed in (0, 1)]
    found = compared(table(both[:4]), table(both[2:]))
    assert (found.gone, found.added) == (["a-0", "a-1"], ["c-0", "c-1"])
    with pytest.raises(ResultsError, match="no cell has a score of one metric on both sides"):
        compared(table(both[:2]), table(both[2:]))


def test_metrics_without_a_direction_are_named_and_not_judged():
    rows = [
        row("a", seed, name, 2.0, better=better) for seed in (0, 1) for name, better in (("x", "none"), ("y", "lower"))
    ]
    found = compared(table(rows), table(rows))
    assert (found.unjudged, list(found.rows["metric"])) == (["x"], ["y"])


def test_what_no_row_has_a_value_of_any_more_is_told_and_of_one_suite_a_regression():
    both = [row(name, seed, metric, 2.0) for name in "ab" for seed in (0, 1) for metric in ("perplexity", "loss")]
    without = [one for one in both if one["metric"] != "loss"]
    found = compared(table(both), table(without))
    assert (found.worse, found.dropped) == (False, ["loss"])
    assert "only the earlier one has loss" in told.verdict(found)
    infinite = [one | {"value": math.inf} if one["metric"] == "loss" else one for one in both]
    assert compared(table(both), table(infinite)).worse
    asked: dict[str, Any] = {"definition": {"metrics": [{"name": "loss"}], "models": {"gpt2": {}}}}
    found = verdicts.compare(side(table(both), **asked), side(table(without), "two", **asked))
    assert found.worse
    assert {one.reason for one in found.ended} == {"no value any more of loss"}


@pytest.mark.parametrize("law", ["eight of 36 differ", "in steps"])
def test_one_seed_and_many_equal_values_are_quiet(law):
    random, alarms, nights = np.random.default_rng(6), 0, 120
    for _ in range(nights):
        if law == "in steps":
            truth = random.uniform(0.3, 0.9, 36)
            values = [np.round(truth + 0.004 * random.normal(size=36), 2) for _ in range(2)]
        else:
            first = random.uniform(0.3, 0.9, 36)
            values = [first, first * (1 + 0.01 * random.normal(size=36) * (np.arange(36) < 8))]
        frames = [
            table([row(f"a{place}", 0, "accuracy", value, better="higher") for place, value in enumerate(each)])
            for each in values
        ]
        alarms += compared(*frames).worse
    assert alarms / nights <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / nights)


def test_one_that_is_near_zero_does_not_hide_the_others():
    random = np.random.default_rng(1)

    def night(worse):
        rows = [row("real_data", seed, "kid", 1e-5 * random.normal()) for seed in range(3)]
        for place in range(8):
            level = 0.2 * (worse if place == 0 else 1.0)
            rows += [row(f"a{place}", seed, "kid", level + 0.001 * random.normal()) for seed in range(3)]
        return table(rows)

    found = compared(night(1.0), night(1.3))
    assert verdict_of(found, "a0", "kid") == WORSE
    assert not compared(night(1.0), night(1.0)).worse


def test_rounding_of_zero_is_no_change_and_more_is():
    def scores(value):
        rows = [row("a", seed, "error", value) for seed in range(3)] + [row("b", 0, "error", 0.5)]
        return table(rows)

    assert verdict_of(compared(scores(0.0), scores(1e-14)), "a", "error") == SAME
    assert verdict_of(compared(scores(0.0), scores(0.1)), "a", "error") == WORSE


def test_what_cannot_be_held_against_each_other_says_why():
    base = [row(name, seed, "joules", 2.0 + seed, "J") for name in "ab" for seed in range(3)]

    def reasons(**other):
        found = compared(table(base), table([one | other for one in base]))
        assert not found.worse
        assert set(found.rows["verdict"]) == {UNKNOWN}
        return set(found.rows["reason"])

    assert reasons(unit="mJ") == {"its unit was J, and is mJ"}
    assert reasons(better="higher") == {"lower was better, and now higher is"}
    quality = [row(name, seed, "loss", 1e-300) for name in "ab" for seed in range(3)]
    found = compared(table(quality), table([one | {"value": 1e300} for one in quality]))
    assert set(found.rows["reason"]) == {"its values are too far apart for a number"}


def test_a_night_in_which_all_cells_broke_is_a_regression():
    both = [row(name, seed, "loss", 2.0) for name in "ab" for seed in range(2)]
    broke = [row(name, seed, "", math.nan, status="failed", reason="no") for name in "ab" for seed in range(2)]
    found = compared(table(both), table(broke))
    assert (found.worse, len(found.ended), len(found.rows)) == (True, 4, 0)
    assert told.verdict(found) == "regression: 4 cells lost"


def test_a_score_that_stands_there_twice_is_refused():
    both = [row("a", seed, "loss", 2.0) for seed in range(2)]
    with pytest.raises(
        ResultsError, match=r"two: loss stands there twice for .*approach a, .*seed 1; leave one of them"
    ):
        compared(table(both), table([*both, both[1] | {"value": 3.0}]))


def test_runs_of_two_suites_are_refused_and_tables_of_two_told():
    rows = table([row("a", seed, "loss", 2.0) for seed in range(2)])
    with pytest.raises(ResultsError, match=r"one is a run of mine, two of yours; name two runs of one suite"):
        verdicts.compare(side(rows, suite="mine"), side(rows, "two", suite="yours"))
    other = side(rows.assign(suite="other"), "two")
    assert not verdicts.compare(side(rows), other).worse
    assert environments.changes(side(rows), other)[0] == ("suite", "nightly", "other")


@pytest.mark.parametrize("stated", [[], "a", {"quality": None}, {"quality": "x"}, {"quality": -1}, {"quality": True}])
def test_tolerances_that_are_none_are_named(stated):
    rows = table([row("a", seed, "loss", 2.0) for seed in range(2)])
    new = side(rows, "two", definition={"tolerances": stated})
    if stated == []:
        assert not verdicts.compare(side(rows), new).worse
    else:
        with pytest.raises(ResultsError, match="tolerances: "):
            verdicts.compare(side(rows), new)


def test_a_tolerance_for_a_metric_that_was_lost_is_one():
    both = [row(name, 0, metric, 2.0) for name in "ab" for metric in ("perplexity", "loss")]
    without = [one for one in both if one["metric"] != "loss"]
    assert compared(table(both), table(without), loss=0.5).dropped == ["loss"]


def test_a_run_that_is_not_complete_says_so_in_every_form():
    rows = table([row("a", seed, "loss", 2.0) for seed in range(2)])
    new = Side(Path("two"), "two", rows, {"environment": HERE}, unfinished=["b-0"])
    found = verdicts.compare(side(rows), new)
    assert told.verdict(found) == "not complete: 1 no change; 1 cell not finished"
    assert markdown.markdown(found, [], side(rows), new).startswith("## ⏳ not complete")
    assert 'errors="1"' in junit.junit(found, side(rows), new)


def test_cells_of_one_side_alone_are_told_in_every_form():
    both = [row(name, seed, "perplexity", 2.0) for name in "abc" for seed in (0, 1)]
    first, second = side(table(both[:4])), side(table(both[2:]), "two")
    found = verdicts.compare(first, second)
    assert told.verdict(found).endswith("; 2 cells only in the earlier one; 2 cells only in the later one")
    said = markdown.markdown(found, [], first, second)
    assert "### Cells only in the earlier one\n\n- a-0\n- a-1\n" in said
    assert 'skipped="4"' in junit.junit(found, first, second)


@pytest.mark.parametrize(("share", "said"), [(0.996, "100 %"), (0.12345, "12 %"), (0.0123, "1.2 %"), (3.0, "300 %")])
def test_shares(share, said):
    assert told.percent(share) == said
