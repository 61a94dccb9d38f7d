"""What the page claims, and what it does not."""

import numpy as np
import pandas as pd

from bench.report import headlines, sections, tables
from bench.report.aggregate import summarise
from tests.report.frames import frame_of, seeds

PRIMARY = {"text": "bits_per_byte"}


def section_of(*frames):
    frame = pd.concat(frames, ignore_index=True)
    (section,) = sections.split(frame, summarise(frame), PRIMARY)
    return section


def answer_of(values, *frames):
    (answer,) = headlines.answers(section_of(frame_of(values), *frames))
    return answer


def test_a_clear_winner_is_ahead_of_the_next_best():
    answer = answer_of({("a", 50): seeds(1.0, 1.1), ("b", 50): seeds(2.0, 2.1), ("c", 50): seeds(3.0, 3.1)})
    assert (answer.best, answer.tied) == ("a", ())
    assert (answer.ahead_of.other, answer.ahead_of.verdict) == ("b", "better")


def test_a_small_difference_is_not_nothing():
    """Seeds move both alike, and much more than what is between them: the means have one decimal, the gap five."""
    values = {("a", 50): seeds(1.0, 2.0, 3.0), ("b", 50): seeds(1.0021, 2.0019, 3.002)}
    section = section_of(frame_of(values))
    (answer,) = headlines.answers(section)
    assert answer.score == "2.0\xa0±\xa02.5"
    ahead = answer.ahead_of
    assert ahead is not None
    assert (ahead.amount, ahead.interval) == ("0.00200", "0.00175\xa0to\xa00.00225")
    frame = frame_of(values)
    (section,) = sections.split(frame, summarise(frame, baseline="a"), PRIMARY)
    rows = {name: gaps for name, _, gaps in tables.against_baseline(section)}
    assert rows["b"][0].difference == "0.00200\xa0worse"


def test_what_cannot_be_compared_is_named_and_nobody_wins_over_it():
    """One seed, or seeds that no other has: its mean is better, and nothing more is known."""
    for other in ({0: 0.5}, {5: 0.5, 6: 0.6, 7: 0.4}):
        answer = answer_of({("a", 50): seeds(1.0, 1.01, 1.02), ("b", 50): seeds(2.0, 2.01, 1.99), ("c", 50): other})
        assert (answer.best, answer.uncompared) == ("a", ("c",))
    worse = answer_of({("a", 50): seeds(1.0, 1.01, 1.02), ("b", 50): seeds(2.0, 2.01, 1.99), ("c", 50): {0: 5.0}})
    assert worse.uncompared == ()


def test_seeds_that_ended_badly_stand_beside_those_that_did_not():
    diverged = ("diverged", "loss is nan")
    answer = answer_of(
        {("a", 50): seeds(0.8, 0.81, diverged, diverged, diverged), ("b", 50): seeds(1.0, 1.01, 1.0, 0.99, 1.0)}
    )
    assert (answer.best, answer.seeds, answer.rests_on) == ("a", 2, "2 of 5 seeds; 3 diverged")
    alone = answer_of({("a", 50): seeds(0.8, 0.81, diverged, ("out_of_memory", "x"), ("not_applicable", "y"))})
    assert alone.rests_on == "2 of 4 seeds; 1 diverged, 1 out of memory"
    assert answer_of({("a", 50): seeds(0.8, 0.81)}).rests_on == "2 seeds"


def test_a_seed_that_ended_well_may_lack_one_score():
    other = frame_of({("a", 50): seeds(1.0, 1.0, 1.0)}, metric="other")
    assert answer_of({("a", 50): seeds(0.8, 0.81)}, other).rests_on == "2 of 3 seeds; 1 without a score"


def test_ties_are_named_and_nobody_wins():
    answer = answer_of({("a", 50): seeds(1.0, 1.2), ("b", 50): seeds(1.3, 1.1), ("c", 50): seeds(3.0, 3.2)})
    assert [difference.other for difference in answer.tied] == ["b"]
    assert answer.tied[0].verdict == "unclear"
    assert answer.tied[0].interval.startswith("at\N{NO-BREAK SPACE}most")
    assert answer.ahead_of is None
    assert not answer.nothing_apart, "c is worse than both"


def test_more_seeds_where_nothing_can_be_told_apart():
    answer = answer_of({("a", 50): seeds(1.0, 1.2), ("b", 50): seeds(1.3, 1.1)})
    assert answer.compared
    assert answer.nothing_apart


def test_a_single_seed_leads_without_a_verdict():
    answer = answer_of({("a", 50): seeds(1.0), ("b", 50): seeds(1.3)})
    assert (answer.best, answer.compared, answer.tied, answer.nothing_apart) == ("a", False, (), False)


def test_the_best_approach_may_be_worse_than_none():
    values = {("a", 50): seeds(1.0, 1.1, 1.0), ("b", 50): seeds(9.0, 9.1, 9.0)}
    answer = answer_of({("zero_shot", 0): seeds(0.5, 0.5, 0.5)} | values)
    assert (answer.best, answer.outdone) == ("a", True)
    assert answer.controls[0].verdict == "worse"
    assert answer.ahead_of.other == "b"


def test_against_controls():
    better = answer_of({("zero_shot", 0): seeds(2.0, 2.1), ("a", 50): seeds(1.0, 1.1)})
    worse = answer_of({("zero_shot", 0): seeds(1.0, 1.1), ("a", 50): seeds(2.0, 2.1)})
    unclear = answer_of({("zero_shot", 0): seeds(1.0, 1.2), ("a", 50): seeds(1.1, 1.1)})
    lone = answer_of({("zero_shot", 0): seeds(2.0), ("a", 50): seeds(1.0)})
    assert [answer.controls[0].verdict for answer in (better, worse, unclear, lone)] == [
        "better",
        "worse",
        "unclear",
        "unknown",
    ]


def test_real_items_are_no_competitors():
    real = {("real_data", 0): seeds(0.0, 0.0), ("training_data", 0): seeds(0.1, 0.1)}
    answer = answer_of({**real, ("a", 50): seeds(1.0, 1.1)})
    assert answer.controls == ()
    assert answer.best == "a"


def test_costs_and_the_cheapest_of_the_tied():
    costs = {("a", 50): seeds(60.0, 60.0), ("b", 50): seeds(20.0, 20.0), ("c", 50): seeds(1.0, 1.0)}
    answer = answer_of(
        {("a", 50): seeds(1.0, 1.2), ("b", 50): seeds(1.3, 1.1), ("c", 50): seeds(3.0, 3.2)},
        frame_of(costs, metric="tuning_seconds", unit="s"),
    )
    assert answer.costs == "60\u00a0s of training (all trials)"
    assert answer.cheapest == ("b", "20\u00a0s of training (all trials)")


def test_what_is_worse_than_a_control_is_no_bargain():
    """An interval so wide that it holds zero does not make an approach worth its price."""
    answer = answer_of(
        {("zero_shot", 0): seeds(2.0, 2.1), ("a", 50): seeds(1.0, 1.1), ("b", 50): seeds(1.0, 9.0)},
        frame_of({("a", 50): seeds(60.0, 60.0), ("b", 50): seeds(20.0, 20.0)}, metric="tuning_seconds", unit="s"),
    )
    assert [difference.other for difference in answer.tied] == ["b"]
    assert answer.cheapest is None


def test_nothing_measured():
    answer = answer_of({("a", 50): seeds(("failed", "x"))})
    assert answer.best is None


def test_the_first_quality_metric_stands_in_for_a_primary_that_was_not_measured():
    frame = frame_of({("a", 50): seeds(1.0)}, metric="test_loss")
    costs = frame_of({("a", 50): seeds(1.0)}, metric="training_seconds", unit="s")
    section = section_of(costs, frame)
    assert section.primary == "test_loss"
    assert (section.qualities(), section.costs()) == (["test_loss"], ["training_seconds"])


def test_table_says_why_there_is_no_value():
    section = section_of(
        frame_of(
            {
                ("zero_shot", 0): seeds(2.0, 2.1),
                ("a", 50): {0: 1.0, 1: ("diverged", "NaN")},
                ("a", 400): seeds(("out_of_memory", "x"), ("out_of_memory", "x")),
                ("b", 50): seeds(("not_applicable", "y")),
            }
        )
    )
    table = tables.side_by_side(section, "bits_per_byte")
    shown = {row.approach: [(entry.mean, entry.note) for entry in row.entries] for row in table.rows}
    assert shown == {
        "zero_shot": [("2.05", ""), ("2.05", "")],
        "a": [("1.00", "1 of 2 seeds; 1 diverged"), ("—", "out of memory")],
        "b": [("—", "n/a"), ("—", "not run")],
    }


def test_table_tells_what_was_not_compared_from_what_is_worse():
    """A control, too; real items compete with nobody."""
    values = {("a", 50): seeds(1.0, 1.01, 1.02), ("b", 50): seeds(2.0, 2.01, 1.99), ("c", 50): {0: 0.5}}
    controls = {("zero_shot", 0): seeds(3.0, 3.0, 3.0), ("from_scratch", 50): {0: 4.0}, ("real_data", 0): {0: 0.0}}
    table = tables.side_by_side(section_of(frame_of(controls | values)), "bits_per_byte")
    assert {row.approach: row.entries[0].mark for row in table.rows} == {
        "zero_shot": "", "from_scratch": "uncompared", "real_data": "", "a": "best", "b": "", "c": "uncompared",
    }  # fmt: skip
    alone = section_of(frame_of({("a", 50): seeds(1.0, 1.01), ("b", 50): {0: 2.0}}))
    marks = [row.entries[0].mark for row in tables.side_by_side(alone, "bits_per_byte").rows]
    assert marks == ["", ""], "nothing was compared, and the caption says so"


def test_table_leaves_out_what_a_metric_does_not_concern():
    section = section_of(
        frame_of({("a", 50): seeds(1.0)}),
        frame_of({("a", 50): seeds(1.0), ("real_data", 0): seeds(0.9)}, metric="self_bleu"),
    )
    assert [row.approach for row in tables.side_by_side(section, "bits_per_byte").rows] == ["a"]
    assert [row.approach for row in tables.side_by_side(section, "self_bleu").rows] == ["real_data", "a"]


def test_table_says_what_intervals_cover_and_who_is_worse():
    values = {("zero_shot", 0): seeds(2.0, 2.0, 2.0), ("a", 50): seeds(1.0, 1.1, 1.2), ("b", 50): seeds(5.0, 5.1, 5.2)}
    plain, with_items = (section_of(frame_of(values, error=error)) for error in (float("nan"), 0.1))
    assert tables.side_by_side(plain, "bits_per_byte").covers == "seeds"
    table = tables.side_by_side(with_items, "bits_per_byte")
    assert table.covers == "seeds and test items"
    assert [entry.worse_than for row in table.rows for entry in row.entries] == [(), (), ("zero_shot",)]
    assert tables.covered(["", ""]) == ""
    assert tables.covered(["seeds", "test items", ""]) == "seeds, and test items where known"
    assert tables.against_baseline(plain) == []


def test_table_says_what_marks_cover():
    values = {("zero_shot", 0): seeds(5.0, 5.1, 5.0), ("a", 50): seeds(1.0, 1.1, 1.0), ("b", 50): seeds(2.0, 2.0, 2.1)}
    values |= {("real_data", 0): seeds(0.0, 0.1, 0.0)}
    frame, whole, half = frame_of(values), np.eye(4), np.eye(4)
    half[0] = half[:, 0] = half[1] = half[:, 1] = np.nan  # controls come first
    covers = []
    for items in (None, lambda *_: whole, lambda *_: half):
        for baseline in ("a", "zero_shot"):
            (section,) = sections.split(frame, summarise(frame, items=items, baseline=baseline), PRIMARY)
            covers.append(tables.baseline_covers(section, baseline))
        covers.append(tables.side_by_side(section, "bits_per_byte").marks)
    both, mixed = "seeds and test items", "seeds, and test items where known"
    assert covers == ["seeds"] * 3 + [both] * 3 + [mixed, "seeds", mixed]
    few = section_of(frame_of({("a", 50): seeds(1.0, 1.1), ("b", 50): {0: 2.0}}))
    assert tables.side_by_side(few, "bits_per_byte").marks == ""


def test_table_against_a_baseline():
    frame = frame_of(
        {("a", 50): seeds(1.0, 1.1, 1.2), ("b", 50): seeds(5.0, 5.1, 5.3), ("c", 50): seeds(("failed", "x"))}
    )
    (section,) = sections.split(frame, summarise(frame, baseline="a"), PRIMARY)
    rows = {name: gaps for name, _, gaps in tables.against_baseline(section)}
    assert list(rows) == ["a", "b"]
    assert rows["b"][0].verdict == "worse"
    assert rows["b"][0].difference == "4.03\N{NO-BREAK SPACE}worse"
