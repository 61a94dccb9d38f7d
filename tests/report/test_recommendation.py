"""Which approach is recommended, on tables whose right answer is known, in each direction; and what cannot be said."""

import json
import math

import numpy as np
import pytest

from bench.report import advice, candidates
from bench.report.recommendation import Wish, recommend
from tests.report.asked import BOTH, NOISE, answer_of, costs, scores, section_of
from tests.report.frames import frame_of


def test_the_clear_winner_is_taken_in_either_direction():
    answer = answer_of(scores(BOTH))
    assert (answer.take.approach, answer.runner_up.approach, answer.others) == ("good", "bad", [])
    assert answer.cells is None
    higher = answer_of(scores(BOTH, better="higher"))
    assert (higher.take.approach, higher.runner_up.behind) == ("bad", pytest.approx(1.0, abs=0.02))


def test_the_evidence_is_a_mean_with_its_interval_and_how_far_the_next_is_behind():
    answer = answer_of(scores(BOTH))
    assert answer.take.mean == pytest.approx(1.0006)
    assert (answer.take.seeds, answer.take.behind) == (5, 0)
    assert answer.runner_up.low < 1.0 < answer.runner_up.high
    assert answer.runner_up.low > 0.9


def test_what_cannot_be_told_apart_is_named_and_so_is_what_would_settle_it():
    close = scores({("a", 100): 1.0, ("b", 100): 1.001, ("c", 100): 3.0})
    price = costs("tuning_seconds", {("a", 100): 60.0, ("b", 100): 20.0, ("c", 100): 1.0}, "s")
    answer = answer_of(close, price)
    assert (answer.take.approach, [one.approach for one in answer.others]) == ("a", ["b"])
    assert answer.cheaper(answer.others[0]) == ["seconds"]
    assert (answer.cells.approaches, answer.cells.data_sizes) == (["a", "b"], [100])
    assert min(answer.cells.seeds) == 5
    cheap = answer_of(close, price, optimise="cost")
    assert (cheap.take.approach, cheap.runner_up.approach) == ("b", "a")  # c is cheaper still, and clearly worse


def test_costs_that_hardly_differ_are_no_reason():
    close = scores({("a", 100): 1.0, ("b", 100): 1.001})
    price = costs("tuning_seconds", {("a", 100): 60.0, ("b", 100): 59.0}, "s")
    answer = answer_of(close, price)
    assert answer.cheaper(answer.others[0]) == []


def test_between_sizes_scores_are_straight_in_log_size_and_either_neighbour_counts():
    levels = {("a", 10): 1.0, ("b", 10): 2.0, ("a", 1000): 0.8, ("b", 1000): 0.2, ("c", 10): 3.0, ("c", 1000): 3.0}
    price = costs("tuning_seconds", {(name, size): size for name, size in levels}, "s")
    answer = answer_of(scores(levels), price, size=100)
    assert answer.sizes == [10, 1000]
    assert answer.take.mean == pytest.approx(0.9, abs=0.01)
    assert answer.take.costs["seconds"] == pytest.approx(100)
    assert [one.approach for one in answer.others] == ["b"]  # the best at 1000
    assert answer_of(scores(levels), size=10).others == []


@pytest.mark.parametrize(
    ("metric", "unit", "limit"),
    [
        ("tuning_peak_rss", "bytes", "memory"),
        ("training_peak_reserved", "bytes", "memory"),
        ("tuning_seconds", "s", "seconds"),
        ("training_seconds", "s", "seconds"),
        ("checkpoint_bytes", "bytes", "storage"),
    ],
)
def test_what_is_too_large_is_left_out_and_named(metric, unit, limit):
    price = costs(metric, {("good", 100): 9e9, ("bad", 100): 1e9}, unit)
    answer = answer_of(scores(BOTH), price, limits={limit: 8e9})
    assert (answer.take.approach, answer.runner_up) == ("bad", None)
    assert answer.too_large == {"good": {limit: 9e9}}
    nothing = answer_of(scores(BOTH), price, limits={limit: 1e6})
    assert nothing.take is None
    assert "no approach fits; bad comes nearest" in nothing.nothing
    assert nothing.cells.approaches == ["bad"]


def test_the_worst_seed_must_fit():
    price = frame_of(
        {("good", 100): {0: 1e9, 1: 9e9}, ("bad", 100): {0: 1e9, 1: 1e9}}, metric="tuning_peak_rss", unit="bytes"
    )
    assert answer_of(scores(BOTH), price, limits={"memory": 8e9}).take.approach == "bad"


def test_what_sampling_takes_counts_too_at_whichever_size_it_was_measured():
    levels = {(name, size): level for (name, _), level in BOTH.items() for size in (100, 200)}
    training = costs("tuning_peak_rss", dict.fromkeys(levels, 1e9), "bytes")
    sampling = costs("inference_peak_rss", {("good", 100): 9e9}, "bytes")
    assert answer_of(scores(levels), training, sampling, size=200).take.costs["memory"] == 9e9


def test_a_limit_on_what_was_not_measured_leaves_nothing_to_say():
    answer = answer_of(scores(BOTH), limits={"memory": 8e9})
    assert answer.nothing == "memory was not measured"
    assert answer.cells.hint == "with the metric cost"
    price = costs("tuning_peak_rss", {("bad", 100): 1e9}, "bytes")
    assert answer_of(scores(BOTH), price, limits={"memory": 8e9}).unknown == {"good": "memory not measured"}
    assert "seconds were not measured" in answer_of(scores(BOTH), optimise="cost").nothing


@pytest.mark.parametrize(("size", "said"), [(99, "100 to 200"), (201, "100 to 200"), (5000, "100 to 200")])
def test_nothing_is_said_outside_of_what_was_measured(size, said):
    levels = {(name, one): level for (name, _), level in BOTH.items() for one in (100, 200)}
    answer = answer_of(scores(levels), size=size)
    assert answer.nothing == f"{size} lies outside of the data sizes at which approaches have scores, {said}"
    assert answer.cells.data_sizes == [size]
    assert set(answer.cells.approaches) == {"good", "bad"}


def test_one_seed_says_nothing():
    answer = answer_of(scores(BOTH, noise={3: 0.0}))
    assert answer.nothing == "one seed is there: nothing can be told apart"
    assert answer.cells.seeds == [4, 5, 6, 7]


def test_what_ended_badly_is_named():
    failed = frame_of({("worse", 100): dict.fromkeys(NOISE, ("out_of_memory", "no"))})
    lone = scores({("lone", 100): 0.0}, noise={0: 0.0})
    answer = answer_of(scores(BOTH), failed, lone)
    assert answer.unknown == {"worse": "out of memory with 100", "lone": "one seed with 100"}
    assert answer.take.approach == "good"


def test_the_untouched_model_and_no_pretraining_may_be_the_answer_and_real_items_never():
    fixed = scores({("zero_shot", 0): 0.5, ("real_data", 0): 0.0})
    answer = answer_of(scores(BOTH | {("from_scratch", 100): 0.7}), fixed)
    assert (answer.take.approach, answer.take.control) == ("zero_shot", "zero_shot")
    assert answer.runner_up.approach == "from_scratch"


def over_items(variances):
    """Approaches whose scores have these variances over test items and share nothing, by data size."""
    return lambda column, approaches: np.eye(len(approaches)) * variances[column[-1]]


def test_what_test_items_may_turn_round_is_not_told_apart():
    """Apart over the seeds; were the test items others, either might be ahead."""
    apart = scores({("a", 100): 1.0, ("b", 100): 1.1})
    assert answer_of(apart).others == []
    few, many = (answer_of(apart, items=over_items({100: variance})) for variance in (0.05**2, 0.005**2))
    assert [one.approach for one in few.others] == ["b"]
    assert many.others == []
    assert few.runner_up.high > many.runner_up.high > answer_of(apart).runner_up.high


def test_between_two_sizes_test_items_count_as_at_these():
    apart = scores({(name, size): level for name, level in (("a", 1.0), ("b", 1.1)) for size in (100, 400)})
    at_both, at_one = ({100: 0.05**2, 400: 0.05**2}, {100: 0.05**2, 400: 0.0})
    widths = [
        (answer := answer_of(apart, size=200, items=items)).runner_up.high - answer.runner_up.low
        for items in (over_items(at_both), over_items(at_one), None)
    ]
    assert widths == sorted(widths, reverse=True)
    assert widths[0] == pytest.approx(
        (at := answer_of(apart, items=over_items(at_both)).runner_up).high - at.low, rel=0.05
    )


def test_plus_minus_covers_what_it_does_on_the_page():
    known, unknown = (answer_of(scores(BOTH, error=error)).take for error in (0.1, math.nan))
    assert (known.covers, unknown.covers) == ("seeds and test items", "seeds")
    assert known.half_width == pytest.approx(math.hypot(unknown.half_width, 1.96 * 0.1), rel=1e-4)


def test_sizes_at_which_controls_alone_have_scores_are_no_neighbours():
    """zero_shot has the same score at all sizes, also where every approach failed."""
    levels = {("zero_shot", 100): 3.0, ("good", 100): 1.0, ("bad", 100): 2.0, ("zero_shot", 1000): 3.0}
    failed = frame_of({(name, 1000): dict.fromkeys(NOISE, ("failed", "no")) for name in ("good", "bad")})
    answer = answer_of(scores(levels), failed, size=300)
    assert answer.take is None
    assert "outside" in answer.nothing
    scratch = {("from_scratch", size): 2.0 for size in (16, 64, 256)}
    answer = answer_of(scores(scratch | {("good", 16): 1.0, ("good", 256): 0.5}), size=100)
    assert (answer.take.approach, answer.sizes) == ("good", [16, 256])


def test_without_scores_there_is_nothing():
    failed = frame_of({("a", 100): dict.fromkeys(NOISE, ("failed", "no"))})
    assert answer_of(failed).nothing == "no approach has a score with target data"


def test_the_json_is_plain():
    measured = section_of(scores({("a", 100): 1.0, ("b", 100): 1.001}))
    plain = advice.as_json(measured.section, recommend(measured, Wish(100)))
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain
    assert (plain["take"]["approach"], plain["take"]["memory"], plain["nothing"]) == ("a", None, None)
    assert [one["approach"] for one in plain["not_told_apart"]] == ["b"]
    empty = advice.as_json(measured.section, recommend(measured, Wish(5)))
    assert (empty["take"], empty["sizes"]) == (None, [])
    assert empty["cells"]["data_sizes"] == [5]


def test_in_words():
    close = {("a", 100): 1.0, ("b", 100): 1.001, ("c", 100): 3.0}
    measured = section_of(
        scores(close), costs("tuning_peak_rss", {("a", 100): 1e9, ("b", 100): 2e9, ("c", 100): 9e9}, "bytes")
    )
    wish = Wish(100, {"memory": 8e9})
    said = advice.advise(measured.section, recommend(measured, wish), wish)
    assert said.verdict == "Take a."
    assert [row[0] for row in said.rows] == ["a", "b"]
    assert said.rows[1][-1] == "runner-up"
    assert [line.replace("\N{NO-BREAK SPACE}", " ") for line in said.out] == ["more than 8 GB of memory: c (9 GB)"]
    assert said.open[0].startswith("More seeds would tell: a, b; data_sizes 100; seeds 5 to 9")
    assert math.isfinite(measured.candidate("a", candidates.between([100], 100)).costs["memory"])


def test_controls_alone_make_no_size_measured():
    levels = {(name, size): 1.5 for name in ("from_scratch",) for size in (16, 64, 256)} | {("zero_shot", 0): 1.5}
    ends = {("good", 64): dict.fromkeys(NOISE, ("failed", "no"))}
    answer = answer_of(scores(levels | {("good", 16): 1.0, ("good", 256): 0.9}), frame_of(ends), size=64)
    assert (answer.sizes, answer.take.approach) == ([16, 256], "good")
    assert answer_of(scores(BOTH | {("zero_shot", 0): 3.0}), frame_of(ends), size=300).take is None


def test_a_small_gap_is_not_shown_as_nothing():
    """The seeds move both approaches by a hundred times of what is between them."""
    wide = {seed: 100 * value for seed, value in NOISE.items()}
    values = {("a", 100): {seed: 2 + value for seed, value in wide.items()}}
    values[("b", 100)] = {seed: 2.002 + value + NOISE[seed] / 50 for seed, value in wide.items()}
    measured, wish = section_of(frame_of(values)), Wish(100)
    rows = advice.advise(measured.section, recommend(measured, wish), wish).rows
    assert [row[1] for row in rows] == ["best", "0.00201 (0.00182–0.00220)"]
