"""Means, intervals, order and marks."""

import math

import pandas as pd
import pytest

from bench.report.aggregate import ends, summarise
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
        ("lora", 50): seeds(1.10, 2.11, 3.09),
        ("noisy", 50): seeds(1.30, 1.90, 3.20),
    }
    summary = summarise(frame_of(values))
    assert marks(summary, 50) == {"full_finetuning": "best", "lora": "", "noisy": "tied"}
    lora = summary[summary["approach"] == "lora"].iloc[0]
    assert (lora["behind"], lora["behind_half_width"]) == pytest.approx(interval([0.10, 0.11, 0.09]))
    assert lora["pairs"] == 3


@pytest.mark.parametrize(("better", "best"), [("lower", "a"), ("higher", "b"), ("none", None)])
def test_best_goes_by_the_direction(better, best):
    summary = summarise(frame_of({("a", 50): seeds(1.0, 1.1), ("b", 50): seeds(2.0, 2.1)}, better=better))
    assert [name for name, mark in marks(summary, 50).items() if mark == "best"] == ([best] if best else [])
    assert (summary["behind"].dropna() >= 0).all()


def test_a_control_is_never_best_but_can_be_ahead():
    values = {("zero_shot", 0): seeds(1.0, 1.01), ("real_data", 0): seeds(0.0, 0.0), ("lora", 50): seeds(2.0, 2.02)}
    values[("training_data", 0)] = seeds(0.5, 0.51)
    found = {"zero_shot": "ahead", "real_data": "", "training_data": "", "lora": "best"}
    assert marks(summarise(frame_of(values)), 50) == found


def test_with_one_seed_nothing_can_be_told_apart():
    values = {("a", 50): seeds(1.0), ("b", 50): seeds(9.0), ("from_scratch", 50): seeds(5.0)}
    summary = summarise(frame_of(values))
    assert marks(summary, 50) == {"from_scratch": "tied", "a": "best", "b": "tied"}
    assert summary["half_width"].isna().all()


def test_only_seeds_that_both_have_are_compared():
    values = {("a", 50): seeds(1.0, 2.0, 3.0), ("b", 50): {1: 2.5, 2: 3.5, 3: 9.0}}
    row = summarise(frame_of(values)).set_index("approach").loc["b"]
    assert row["pairs"] == 2
    assert row["behind"] == pytest.approx(0.5)


def test_what_is_better_on_the_shared_seeds_does_not_lose():
    """The best mean owes itself to a seed that the other lost."""
    values = {("a", 50): seeds(0.0, 2.0, 2.1), ("b", 50): {1: 1.9, 2: 2.0}}
    assert marks(summarise(frame_of(values)), 50) == {"a": "best", "b": "tied"}


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
    frames = [frame_of({("a", 50): seeds(value)}, model=model, cell=model) for model, value in (("m", 1.0), ("k", 3.0))]
    summary = summarise(pd.concat(frames, ignore_index=True))
    assert summary[["model", "mean", "mark"]].to_numpy().tolist() == [["m", 1.0, "best"], ["k", 3.0, "best"]]
