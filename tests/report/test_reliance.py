"""What a recommendation rests on: seeds that failed, approaches that were not compared, and controls."""

import math

import numpy as np
import pytest

from bench.report import advice, aggregate, candidates, sections, standings
from bench.report.recommendation import Wish, recommend
from tests.report.asked import BOTH, NOISE, answer_of, costs, scores, section_of
from tests.report.frames import frame_of


def test_failed_seeds_are_a_risk_and_no_verdict():
    risky = {seed: 0.8 + seed / 100 if seed < 2 else ("diverged", "NaN") for seed in NOISE}
    frame = frame_of({("risky", 100): risky})
    answer = answer_of(scores({("good", 100): 1.0}), frame)
    assert (answer.take.approach, [one.approach for one in answer.unreliable]) == ("good", ["risky"])
    measured = section_of(frame)
    alone = recommend(measured, Wish(100))
    assert alone.take is not None
    assert (alone.take.approach, alone.confident, alone.caveat) == ("risky", False, "risk")
    said = advice.advise(measured.section, alone, Wish(100))
    assert "2 of 5 seeds; 3 diverged" in said.evidence[0]
    assert said.evidence[1] == "No approach that fits ended well with all seeds, so nothing is said with confidence."


def test_a_better_mean_over_seeds_that_are_left_is_said():
    risky = {seed: 0.8 + seed / 100 if seed < 2 else ("diverged", "NaN") for seed in NOISE}
    worse = {seed: 1.8 + seed / 100 if seed < 2 else ("diverged", "NaN") for seed in NOISE}
    measured = section_of(scores({("good", 100): 1.0}), frame_of({("risky", 100): risky, ("worse", 100): worse}))
    said = advice.advise(measured.section, recommend(measured, Wish(100)), Wish(100))
    assert said.evidence[1].endswith("and not taken for those that did not: risky (2 of 5 seeds; 3 diverged).")


def test_what_was_not_measured_may_be_better():
    levels = {("good", 100): 1.0, ("bad", 100): 2.0, ("other", 200): 0.5}
    answer = answer_of(scores(levels))
    assert (answer.take.approach, answer.confident, answer.untried.approaches) == ("good", False, ["other"])
    lone = answer_of(scores({("a", 100): 1.0, ("b", 200): 1.0}))
    assert (lone.take.approach, lone.caveat, lone.untried.approaches) == ("a", "alone", ["b"])


def test_one_seed_of_the_only_one_that_fits_says_nothing():
    price = costs("tuning_peak_rss", {("good", 100): 9e9, ("bad", 100): 1e9}, "bytes")
    answer = answer_of(scores(BOTH, noise={0: 0.0}), price, limits={"memory": 8e9})
    assert answer.take is None
    assert "bad is the only one that is known to fit" in answer.nothing


def test_those_that_share_no_seeds_are_not_compared():
    frame = frame_of({("c", 100): {seed: 0.5 + seed / 1000 for seed in (7, 8, 9)}})
    answer = answer_of(scores(BOTH), frame)
    assert answer.unknown == {"c": "shares no two seeds with the others"}
    assert (answer.take.approach, answer.confident) == ("good", False)


def test_a_fallback_does_not_rank():
    frame = scores(BOTH, metric="distinct_2")
    (section,) = sections.split(frame, aggregate.summarise(frame), {"text": "bits_per_byte"})
    measured = candidates.Measured(section, aggregate.spread(frame), primary={"text": "bits_per_byte"})
    assert recommend(measured, Wish(100)).nothing == "the primary metric bits_per_byte was not measured"


def test_cost_takes_the_best_mean_of_those_that_take_as_long():
    close = scores({("a", 100): 1.0, ("b", 100): 1.001})
    price = costs("tuning_seconds", {("a", 100): 60.0, ("b", 100): 59.0}, "s")
    assert answer_of(close, price, optimise="cost").take.approach == "a"


def test_equal_scores_are_not_settled_by_seeds():
    same = {seed: 1.0 + noise for seed, noise in NOISE.items()}
    answer = answer_of(frame_of({("a", 100): same, ("b", 100): same}))
    assert (answer.alike, answer.cells) == ({"b": "equal"}, None)


def test_a_control_that_beats_every_approach_is_the_answer_and_ahead_of_them():
    answer = answer_of(scores(BOTH | {("zero_shot", 0): 0.5}))
    assert (answer.take.control, answer.others, answer.confident) == ("zero_shot", [], True)
    assert (answer.runner_up.approach, answer.runner_up.behind) == ("good", pytest.approx(0.5, abs=0.02))
    assert 0 < answer.runner_up.low < answer.runner_up.high


def test_an_approach_that_harms_is_not_in_the_running():
    levels = {("a", 100): 1.0, ("b", 100): 1.002, ("zero_shot", 0): 1.001}
    assert [one.approach for one in answer_of(scores(levels)).others] == ["zero_shot", "b"]
    answer = answer_of(scores(levels | {("zero_shot", 0): 0.9}))
    assert (answer.take.approach, answer.others) == ("zero_shot", [])


def test_controls_alone_are_compared_by_their_means_and_without_confidence():
    price = costs("tuning_peak_rss", {("good", 100): 9e9, ("bad", 100): 9e9, ("from_scratch", 100): 1e9}, "bytes")
    small = costs("inference_peak_rss", {("zero_shot", 0): 1e9}, "bytes")
    controls = {("from_scratch", 100): 0.7, ("zero_shot", 0): 0.5}
    answer = answer_of(scores(BOTH | controls), price, small, limits={"memory": 8e9})
    assert (answer.take.approach, answer.caveat, answer.confident) == ("zero_shot", "controls", False)
    assert math.isnan(answer.take.low)


def test_what_test_items_alone_could_turn_is_left_to_more_of_them():
    """Seeds change nothing: more of them would tell nothing."""
    still = {("a", 100): dict.fromkeys(NOISE, 1.0), ("b", 100): dict.fromkeys(NOISE, 1.01)}
    measured = section_of(frame_of(still), items=lambda column, names: np.eye(len(names)) * 0.05**2)
    answer = recommend(measured, Wish(100))
    assert answer.take is not None
    assert (answer.take.approach, answer.alike, answer.cells) == ("a", {"b": "constant"}, None)
    said = advice.advise(measured.section, answer, Wish(100))
    assert said.evidence[-1] == "Seeds do not change how far from it these are, so only more test items would tell: b."


BOTH_CONTROLS = ["zero_shot", "from_scratch"]


@pytest.mark.parametrize(
    ("approaches", "seeds", "controls"),
    [(1, 3, BOTH_CONTROLS), (2, 3, []), (2, 3, ["from_scratch"]), (8, 5, []), (8, 5, BOTH_CONTROLS)],
)
def test_of_equals_none_is_out_of_the_running_in_nineteen_of_twenty_tables(approaches, seeds, controls):
    """The set of approaches and the comparisons with controls err so rarely all together."""
    names = [*("" for _ in range(approaches)), *controls]
    tables, random, where = 300, np.random.default_rng(0), candidates.Between([100], 0.0)

    measured = section_of(scores(BOTH))

    def errs():
        table = [
            candidates.Candidate(str(place), control, random.normal(size=(1, seeds)), np.full(1, math.nan))
            for place, control in enumerate(names)
        ]
        return not all(one.in_running for one in standings.standings(table, where, measured))

    assert sum(errs() for _ in range(tables)) / tables <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / tables)


def test_a_better_mean_over_other_seeds_is_said_and_the_seeds_that_are_lacking_are_asked_for():
    uneven = {
        ("a", 100): dict(enumerate([1.0, 1.02, 1.01])),
        ("b", 100): dict(enumerate([1.005, 1.022, 1.012, 0.5, 0.5])),
    }
    measured = section_of(frame_of(uneven))
    answer = recommend(measured, Wish(100))
    said = advice.advise(measured.section, answer, Wish(100))
    assert said.verdict == "Take a."
    assert said.evidence[1].startswith("It is the best over shared seeds, but one other may be the best")
    assert said.evidence[2] == "Better means, over seeds that it does not have: b (0.81 over 5 seeds)."
    assert said.open == ["More seeds would tell: a; data_sizes 100; seeds 3 and 4"]


def test_two_controls_are_not_said_to_be_compared():
    levels = {("a", 100): 1.0, ("b", 100): 2.0, ("from_scratch", 100): 0.5, ("zero_shot", 0): 0.55}
    measured = section_of(scores(levels))
    answer = recommend(measured, Wish(100))
    said = advice.advise(measured.section, answer, Wish(100))
    assert said.evidence[1:] == ["Controls are not held against each other; by its mean it is ahead of zero_shot."]


def test_cells_that_are_there_are_not_asked_for():
    levels = scores({("a", 100): 1.0, ("b", 100): 2.0})
    answer = answer_of(levels, frame_of({("zero_shot", 0): {0: 3.0}}))
    assert answer.untried is not None
    assert (answer.untried.approaches, answer.untried.seeds) == (["zero_shot"], [1, 2, 3, 4])
    real = answer_of(frame_of({("real_data", 0): {0: 1.0, 1: 1.1}}))
    assert (real.take, real.cells) == (None, None)
