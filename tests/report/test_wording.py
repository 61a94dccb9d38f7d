"""Numbers as they are read."""

import math

import pytest

from bench.report import wording


@pytest.mark.parametrize(
    ("means", "halves", "expected"),
    [
        ([2.25, 2.31], [0.021, 0.034], 3),
        ([184.3], [10.9], 0),
        ([20.5], [1.9], 1),
        ([0.81], [0.0012], 3),
        ([0.00512], [0.00012], 5),
        ([123.0], [math.nan], 0),
        ([0.5], [math.nan], 3),
        ([0.0], [0.0], 0),
        ([], [], 0),
    ],
)
def test_decimals_follow_the_interval(means, halves, expected):
    assert wording.decimals(means, halves) == expected


@pytest.mark.parametrize(
    ("value", "places", "text"),
    [
        (2.3456, 2, "2.35"),
        (-0.5, 1, "−0.5"),
        (-0.001, 2, "0.00"),
        (12345.6, 0, "12\u2009346"),
        (3.2e9, 0, "3.20e9"),
        (math.inf, 2, "—"),
    ],
)
def test_number(value, places, text):
    assert wording.number(value, places) == text


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (2_214_000, "", "2.21\u00a0M"),
        (2_560, "", "2\u2009560"),
        (0, "", "0"),
        (8_856_000, "bytes", "8.86\u00a0MB"),
        (0, "bytes", "0\u00a0B"),
        (66.83, "s", "66.8\u00a0s"),
        (0.0042, "s", "4.20\u00a0ms"),
        (1250.0, "ms", "1.25\u00a0s"),
        (811.4, "samples/s", "811\u00a0samples/s"),
        (math.nan, "s", "—"),
    ],
)
def test_quantities_have_three_digits_and_a_fitting_unit(value, unit, text):
    assert wording.in_words(value, unit) == text


def test_interval_of_a_quantity_is_in_the_same_unit():
    assert wording.quantity(4.39e8, "bytes", 4.4e7) == ("439", "±44", "MB")
    assert wording.quantity(1250.0, "ms", 30.0) == ("1.25", "±0.03", "s")
    assert wording.quantity(3.0, "", 0.0) == ("3", "", "")


@pytest.mark.parametrize(
    ("seconds", "text"), [(4.26, "4.3 s"), (59, "59 s"), (312.4, "5 min 12 s"), (7260, "2 h 1 min")]
)
def test_duration(seconds, text):
    assert wording.duration(seconds) == text


def test_lists():
    assert [wording.listed(names) for names in ([], ["a"], ["a", "b", "c"])] == ["", "a", "a, b and c"]


@pytest.mark.parametrize(
    ("behind", "low", "high", "places"),
    [
        (0.014, 0.0, 0.033, 3),  # two digits of half the interval
        (0.0003, 0.0001, 0.0005, 5),
        (0.0003, 0.0, 0.05, 4),  # a digit of the difference at least
        (0.05, 0.0002, 0.0998, 4),  # of an end, too: it says that there is a difference
        (-12.3, -14.0, -10.6, 1),
        (130.0, 100.0, 160.0, 0),
        (0.2, 0.2, 0.2, 2),  # no interval
        (0.0003, math.nan, math.nan, 5),
        (4100.0, math.nan, math.nan, 0),
        (0.0, 0.0, 0.0, 0),
        (1e-17, math.nan, math.nan, 0),  # rounding
        (math.nan, math.nan, math.nan, 0),
        (0.3, 1e-17, 0.6, 2),
    ],
)
def test_decimals_of_a_difference_are_its_own(behind, low, high, places):
    assert wording.gap_decimals(behind, low, high) == places


@pytest.mark.parametrize(
    ("behind", "low", "high", "difference", "between"),
    [
        (0.13, 0.09, 0.17, "0.13 worse", "0.09 to 0.17"),
        (-0.13, -0.17, -0.09, "0.13 better", "0.09 to 0.17"),
        (-0.02, -0.09, 0.05, "0.02 better", "0.05 worse to 0.09 better"),
        (0.0, 0.0, 0.0, "0.00", ""),
        (0.4, math.nan, math.nan, "0.40 worse", ""),
    ],
)
def test_differences_say_in_which_direction(behind, low, high, difference, between):
    assert wording.gap(behind, 2) == difference.replace(" ", "\N{NO-BREAK SPACE}")
    assert wording.gap_interval(low, high, 2) == between.replace(" ", "\N{NO-BREAK SPACE}")
