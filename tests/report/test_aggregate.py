"""Means, intervals, order and marks."""

import math

import numpy as np
import pandas as pd
import pytest

from bench.report.aggregate import ends, pairs, summarise
from bench.statistics.intervals import interval
from tests.report.frames import frame_of, seeds


def marks(summary, size):
    rows = summary[summary["data_size"] == size]
    return dict(zip(rows["approach"], rows["mark"], strict=True))


def test_mean_and_interval_are_those_of_statistics():
    summary = summarise(frame_of({("lora", 50): seeds(1.0, 2.0, 4.0)}))
    row = summary.iloc[0]
    assert (row["mean"], row["half_width"]) == pytest.approx(interval([1.0, 2.0, 4.0]))
    assert row["seeds"] == 3


def test_controls_come_first_and_the_suites_order_is_kept():
    values = {(name, 50): seeds(1.0) for name in ("zeta", "alpha", "from_scratch")} | {("zero_shot", 0): seeds(2.0)}
    summary = summarise(frame_of(values))
    assert summary["approach"].tolist() == ["from_scratch", "zero_shot", "zeta", "alpha"]
    assert summary["control"].tolist() == ["from_scratch", "zero_shot", "", ""]


def test_sizes_are_in_order_whatever_the_order_of_rows():
    summary = summarise(frame_of({("lora", 400): seeds(1.0), ("lora", 50): seeds(2.0), ("lora", 100): seeds(3.0)}))
    assert summary["data_size"].tolist() == [50, 100, 400]


def test_what_needs_no_target_data_stands_at_every_size():
    summary = summarise(
        frame_of({("zero_shot", 0): seeds(2.0, 2.2), ("lora", 50): seeds(1.0), ("lora", 400): seeds(1.0)})
    )
    zero_shot = summary[summary["approach"] == "zero_shot"]
    assert zero_shot["data_size"].tolist() == [50, 400]
    assert zero_shot["spans"].all()
    assert zero_shot["mean"].tolist() == pytest.approx([2.1, 2.1])
    assert zero_shot["seeds"].tolist() == [2, 2]


def test_a_run_without_target_data_keeps_size_zero():
    assert summarise(frame_of({("zero_shot", 0): seeds(2.0)}))["data_size"].tolist() == [0]


def test_a_composition_with_a_control_is_an_approach():
    assert summarise(frame_of({("from_scratch + augmentation", 50): seeds(1.0)}))["control"].tolist() == [""]


def test_marks_compare_seed_by_seed():
    """Seeds differ much, approaches little: the intervals overlap, the differences are clear."""
    values = {
        ("full_finetuning", 50): seeds(1.00, 2.00, 3.00),
        ("lora", 50): seeds(1.30, 2.33, 3.27),
        ("noisy", 50): seeds(1.05, 1.95, 3.05),
    }
    summary = summarise(frame_of(values))
    assert marks(summary, 50) == {"full_finetuning": "best", "lora": "", "noisy": "tied"}
    rows = summary.set_index("approach")
    assert rows["behind"]["lora"] == pytest.approx(0.3)
    assert 0 < rows["behind_low"]["lora"] < 0.3 < rows["behind_high"]["lora"]
    assert rows["behind_low"]["noisy"] == 0
    assert rows["pairs"].tolist() == [3, 3, 3]
    assert set(rows["behind_covers"]) == {"seeds"}


def test_what_the_interval_covers():
    """Student's interval over seeds, the score's own standard error over the test items, or both in squares."""
    values = {("zero_shot", 0): seeds(2.0, 2.0, 2.0), ("a", 50): seeds(1.0, 2.0, 4.0), ("b", 50): seeds(1.0)}
    rows = summarise(frame_of(values, error=0.5)).set_index("approach")
    assert rows["covers"].to_dict() == {"zero_shot": "test items", "a": "seeds and test items", "b": ""}
    assert rows["half_width"]["zero_shot"] == pytest.approx(0.5 * 1.959964)
    assert rows["half_width"]["a"] == pytest.approx(math.hypot(interval([1.0, 2.0, 4.0])[1], 0.5 * 1.959964))
    assert math.isnan(rows["half_width"]["b"])
    plain = summarise(frame_of(values)).set_index("approach")
    assert plain["covers"].to_dict() == {"zero_shot": "seeds", "a": "seeds", "b": ""}
    assert plain["half_width"]["zero_shot"] == 0


def test_worse_than_a_control_is_marked_beyond_its_interval():
    values = {
        ("zero_shot", 0): seeds(2.0, 2.0, 2.0, 2.0), ("from_scratch", 50): seeds(5.0, 5.1, 4.9, 5.0),
        ("good", 50): seeds(1.0, 1.1, 0.9, 1.0), ("as_it_was", 50): seeds(2.0, 2.1, 2.0, 1.9),
        ("harmful", 50): seeds(3.0, 3.1, 2.9, 3.0), ("worst", 50): seeds(9.0, 9.1, 9.2, 9.1),
    }  # fmt: skip
    rows = summarise(frame_of(values)).set_index("approach")
    assert rows.index[rows["harm"]].tolist() == ["harmful", "worst"]
    assert rows.index[rows["negative_transfer"]].tolist() == ["worst"]
    assert rows["behind_zero_shot"]["harmful"] == pytest.approx(1.0)
    assert rows["behind_zero_shot_low"]["harmful"] > 0
    assert rows["behind_from_scratch_high"]["good"] < 0
    higher = summarise(frame_of(values, better="higher")).set_index("approach")
    assert higher.index[higher["harm"]].tolist() == ["good"]
    costs = summarise(frame_of(values, metric="training_seconds", unit="s"))
    assert not costs[["harm", "negative_transfer"]].any(axis=None), "to train costs more than not to"


def test_what_is_worse_than_the_untouched_model_is_never_green():
    """With one seed less than it takes to call it harm, and where the mean alone is worse."""
    values = {("zero_shot", 0): seeds(1.9, 1.9), ("a", 50): seeds(1.8, 2.1), ("b", 50): seeds(1.7, 2.4)}
    assert marks(summarise(frame_of(values)), 50) == {"zero_shot": "tied", "a": "outdone", "b": "outdone"}
    values[("a", 50)] = seeds(1.8, 1.9)
    assert marks(summarise(frame_of(values)), 50) == {"zero_shot": "tied", "a": "best", "b": "outdone"}


def test_against_a_baseline():
    values = {
        ("zero_shot", 0): seeds(5.0, 5.0, 5.0), ("a", 50): seeds(1.0, 2.0, 3.0), ("b", 50): seeds(2.0, 3.1, 3.9),
        ("c", 50): seeds(1.1, 2.0, 2.9),
    }  # fmt: skip
    rows = summarise(frame_of(values), baseline="c").set_index("approach")
    assert [rows[name]["c"] for name in ["behind_baseline", "behind_baseline_low", "behind_baseline_high"]] == [0, 0, 0]
    assert rows["behind_baseline"]["b"] == pytest.approx(1.0)
    assert rows["behind_baseline_low"]["b"] > 0 > rows["behind_baseline_low"]["a"]
    assert rows["behind_baseline"]["zero_shot"] == pytest.approx(3.0)
    control = summarise(frame_of(values), baseline="zero_shot").set_index("approach")
    assert control["behind_baseline"].tolist()[1:] == control["behind_zero_shot"].tolist()[1:]
    assert summarise(frame_of(values))["behind_baseline"].isna().all()


def test_comparisons_over_test_items_too():
    """Two approaches that differ by 1 on items that are scored alike, or on others for each."""
    values = {("zero_shot", 0): seeds(5.0, 5.0, 5.0), ("a", 50): seeds(1.0, 1.0, 1.0), ("b", 50): seeds(2.0, 2.0, 2.0)}
    asked = []

    def apart(column, names):
        asked.append((column, names))
        return np.eye(3)

    frame = frame_of(values)
    assert marks(summarise(frame, items=lambda *_: np.ones((3, 3))), 50) == {"zero_shot": "", "a": "best", "b": ""}
    rows = summarise(frame, items=apart).set_index("approach")
    assert rows["mark"].tolist() == ["", "best", "tied"]
    assert rows["behind_high"]["b"] == pytest.approx(1 + 1.959964 * math.sqrt(2))
    assert set(rows["behind_covers"]) == {"seeds and test items"}
    assert asked == [(("m", "b", "clean", "bits_per_byte", 50), ["zero_shot", "a", "b"])]
    unknown = summarise(frame, items=lambda *_: np.full((3, 3), np.nan))
    assert set(unknown["behind_covers"]) == {"seeds"}


def test_a_control_without_items_is_held_against_over_seeds_alone():
    """The approaches' intervals cover test items, the control's do not, whatever its place in the column."""
    values = {("zero_shot", 0): seeds(5.0, 5.1, 5.0), ("from_scratch", 50): seeds(6.0, 6.1, 6.3)}
    values |= {("a", 50): seeds(1.0, 1.1, 1.0), ("b", 50): seeds(2.0, 2.0, 2.1)}
    items = np.eye(4)
    items[0] = items[:, 0] = np.nan
    rows = summarise(frame_of(values), items=lambda *_: items).set_index("approach")
    both = "seeds and test items"
    assert rows["behind_covers"].to_dict() == {"zero_shot": "seeds", "from_scratch": both, "a": both, "b": both}


@pytest.mark.parametrize(("better", "best"), [("lower", "a"), ("higher", "b"), ("none", None)])
def test_best_goes_by_the_direction(better, best):
    summary = summarise(frame_of({("a", 50): seeds(1.0, 1.1), ("b", 50): seeds(2.0, 2.1)}, better=better))
    assert [name for name, mark in marks(summary, 50).items() if mark == "best"] == ([best] if best else [])
    assert (summary["behind"].dropna() >= 0).all()


def test_a_control_is_never_best_but_can_be_ahead():
    values = {("zero_shot", 0): seeds(1.0, 1.01), ("real_data", 0): seeds(0.0, 0.0), ("lora", 50): seeds(2.0, 2.02)}
    values[("training_data", 0)] = seeds(0.5, 0.51)
    found = {"zero_shot": "ahead", "real_data": "", "training_data": "", "lora": "outdone"}
    assert marks(summarise(frame_of(values)), 50) == found


def test_with_one_seed_nothing_can_be_told_apart():
    values = {("a", 50): seeds(1.0), ("b", 50): seeds(9.0), ("from_scratch", 50): seeds(5.0)}
    summary = summarise(frame_of(values))
    assert marks(summary, 50) == {"from_scratch": "", "a": "", "b": ""}
    assert summary[["half_width", "behind_low", "behind_high"]].isna().all(axis=None)
    assert summary["covers"].tolist() == [""] * 3
    assert summary["behind"].tolist() == [4.0, 0.0, 8.0]
    assert not summary[["harm", "negative_transfer"]].any(axis=None)


def test_only_seeds_that_both_have_are_compared():
    values = {("a", 50): seeds(1.0, 2.0, 3.0), ("b", 50): {1: 2.5, 2: 3.5, 3: 9.0}}
    row = summarise(frame_of(values)).set_index("approach").loc["b"]
    assert row["pairs"] == 2
    assert row["behind"] == pytest.approx(0.5)


def test_what_is_better_on_the_shared_seeds_does_not_lose():
    """The best mean owes itself to a seed that the other lost, or another mean its height to one that it alone has."""
    values = {("a", 50): seeds(0.0, 2.0, 2.1), ("b", 50): {1: 1.9, 2: 2.05}}
    assert marks(summarise(frame_of(values)), 50) == {"a": "tied", "b": "best"}
    values = {("a", 50): seeds(1.0, 1.1), ("b", 50): seeds(0.9, 1.05, 10.9), ("c", 50): seeds(0.95, 1.2, 11.0)}
    assert marks(summarise(frame_of(values)), 50)["b"] == "best"


def test_worse_than_the_untouched_model_on_every_shared_seed_is_never_green():
    """Its mean is the better one, as a seed is missing with which the untouched model was bad."""
    values = {("a", 50): seeds(1.2, 1.3), ("b", 50): seeds(1.2, 1.35), ("zero_shot", 0): seeds(1.0, 1.1, 8.0)}
    assert {marks(summarise(frame_of(values)), 50)[name] for name in ("a", "b")} == {"outdone"}


def test_cells_without_values_leave_the_others_alone():
    values = {("a", 50): {0: 1.0, 1: ("diverged", "NaN")}, ("b", 50): seeds(("failed", "x"), ("failed", "x"))}
    frame = frame_of(values)
    assert summarise(frame)[["approach", "seeds"]].to_numpy().tolist() == [["a", 1]]
    assert ends(frame)[["approach", "status", "seeds"]].to_numpy().tolist() == [
        ["a", "ok", [0]],
        ["a", "diverged", [1]],
        ["b", "failed", [0, 1]],
    ]


def test_a_value_that_is_not_a_number_is_no_value():
    assert summarise(frame_of({("a", 50): seeds(math.nan, 1.0)}))["seeds"].tolist() == [1]


def test_nothing_measured_gives_an_empty_summary():
    assert summarise(frame_of({("a", 50): seeds(("failed", "x"))})).empty


def test_pairs_of_model_and_target_do_not_mix():
    frames = [frame_of({("a", 50): seeds(value, value)}, model=model) for model, value in (("m", 1.0), ("k", 3.0))]
    summary = summarise(pd.concat(frames, ignore_index=True))
    assert summary[["model", "mean", "mark"]].to_numpy().tolist() == [["m", 1.0, "best"], ["k", 3.0, "best"]]


@pytest.mark.parametrize("values", [(1.0, 1.0, 1.0), (0.0, 0.0), (1e300, -1e300, 1e300), (5e-324, 0.0), (7.0,)])
def test_scores_that_say_nothing_are_gaps_and_no_warnings(values):
    names = ("zero_shot", "from_scratch", "real_data", "a", "b")
    summary = summarise(frame_of({(name, 50): seeds(*values) for name in names}), baseline="a")
    assert len(summary) == 5
    assert set(summary["mark"]) <= ({""} if len(values) == 1 else {"best", "tied", ""})
    assert not summary["harm"].any()


def test_one_approach_alone_and_controls_alone():
    assert (
        marks(summarise(frame_of({("a", 50): seeds(1.0, 2.0), ("zero_shot", 0): seeds(9.0, 9.0)})), 50)["a"] == "best"
    )
    assert marks(summarise(frame_of({("from_scratch", 50): seeds(1.0, 2.0)})), 50) == {"from_scratch": ""}


def test_all_pairs_by_the_metric_that_ranks():
    values = {("zero_shot", 0): seeds(9.0, 9.0), ("a", 50): seeds(1.0, 2.0, 3.1), ("b", 50): seeds(1.1, 2.0, 2.9)}
    values |= {("c", 50): seeds(8.0, 9.1, 9.9), ("lone", 50): seeds(4.0)}
    frame = pd.concat([frame_of(values), frame_of(values, metric="other")], ignore_index=True)
    found = pairs(frame, {("m", "b", "clean"): "bits_per_byte"})
    assert found[["metric", "first", "second"]].to_numpy().tolist() == [
        ["bits_per_byte", "a", "b"], ["bits_per_byte", "a", "c"], ["bits_per_byte", "b", "c"],
    ]  # fmt: skip
    assert found["difference"].tolist() == pytest.approx([0.1 / 3, -20.9 / 3, -21 / 3])
    assert (found["p_holm"] < 0.05).tolist() == [False, True, True]
    assert pairs(frame_of({("a", 50): seeds(("failed", "x"))}), {}).empty
    assert pairs(frame_of({("a", 50): seeds(1.0)}), {("m", "b", "clean"): "bits_per_byte"}).empty
