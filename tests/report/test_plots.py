"""The figures: same bytes, same styles, no overlapping names, and data that is hard to draw."""

import io
import itertools

import pandas as pd
import pytest
from PIL import Image

from bench.report import plots, sections
from bench.report.aggregate import summarise
from bench.report.plots import canvas
from bench.report.plots.quality_and_data import spaced
from tests.report.frames import frame_of, seeds


def sections_of(*frames):
    frame = pd.concat(frames, ignore_index=True)
    return sections.split(frame, summarise(frame), {"text": "bits_per_byte"})


def draw(values, curves=None, **columns):
    found = sections_of(frame_of(values, **columns), frame_of(values, metric="tuning_seconds", unit="s"))
    return plots.draw(found[0], curves or {}, plots.styles(found))


HARD = {
    "one point": {("a", 50): seeds(1.0)},
    "one size": {("a", 50): seeds(1.0, 2.0), ("b", 50): seeds(2.0, 2.0), ("zero_shot", 0): seeds(3.0, 3.0)},
    "equal values": {("a", 50): seeds(1.0, 1.0), ("a", 400): seeds(1.0, 1.0)},
    "zeros": {("a", 50): seeds(0.0), ("a", 400): seeds(0.0)},
    "negative": {("a", 50): seeds(-1.0, -2.0), ("b", 400): seeds(-3.0, 5.0)},
    "many magnitudes": {("a", 50): seeds(1e-3), ("b", 50): seeds(1e6), ("real_data", 0): seeds(-1e-5)},
    "no target data": {("zero_shot", 0): seeds(1.0)},
    "signs in names": {("$a_{b", 50): seeds(1.0), ("<b>&", 50): seeds(2.0)},
    "many": {(f"approach_{index}", size): seeds(index, index) for index in range(30) for size in range(1, 9)},
}


@pytest.mark.parametrize("values", HARD.values(), ids=HARD)
def test_draws_what_is_hard_to_draw(values):
    drawn = draw(values, {(name, size): {0: [2.0], 10: [1.0]} for name, size in values})
    for formats in drawn.values():
        assert formats["svg"].startswith(b"<?xml")
        assert Image.open(io.BytesIO(formats["png"])).size[0] == 1440


def test_a_figure_without_data_is_left_out():
    assert set(draw({("a", 50): seeds(1.0)})) == {"quality_and_data", "quality_and_cost"}
    assert draw({("a", 50): seeds(("failed", "x"))}) == {}


def test_the_same_numbers_give_the_same_bytes():
    values = {("a", 50): seeds(1.0, 2.0), ("a", 400): seeds(2.0, 3.0), ("zero_shot", 0): seeds(3.0, 3.0)}
    assert draw(values) == draw(values)


def test_an_approach_looks_the_same_in_every_section():
    one = sections_of(frame_of({("zero_shot", 0): seeds(1.0), ("a", 50): seeds(1.0), ("b", 50): seeds(1.0)}))
    two = sections_of(frame_of({("b", 50): seeds(1.0), ("zero_shot", 0): seeds(1.0)}, target="other"))
    look = plots.styles(one + two)
    assert list(look) == ["zero_shot", "a", "b"]
    assert len({(style.colour, style.marker) for style in look.values()}) == 3


def test_styles_stay_apart_for_many_approaches():
    look = plots.styles(sections_of(frame_of({(f"a{index}", 50): seeds(1.0) for index in range(40)})))
    assert len({(style.colour, style.marker) for style in look.values()}) == 40


@pytest.mark.parametrize("heights", [[0.1, 0.11, 0.5], [0.0, 0.0, 0.0], [0.99, 1.0, 1.0], [0.2, 0.4], [0.5] * 40, []])
def test_names_do_not_overlap_and_stay_inside(heights):
    placed = spaced(heights, gap=0.05)
    needed = min(0.05, 1 / max(1, len(heights) - 1))
    assert all(b - a >= needed - 1e-9 for a, b in itertools.pairwise(placed))
    assert all(-1e-9 <= height <= 1 + 1e-9 for height in placed)


def test_names_with_room_stay_where_they_are():
    assert spaced([0.1, 0.4, 0.9], gap=0.05) == pytest.approx([0.1, 0.4, 0.9])


@pytest.mark.parametrize(
    ("low", "high", "names"),
    [
        (15, 130, ["20", "50", "100"]),
        (1200, 4e6, ["10\u2009k", "100\u2009k", "1\u2009M"]),
        (48, 62, ["50", "60"]),
        (2.1, 2.4, ["2.24"]),
    ],
)
def test_ticks_are_few_and_round(low, high, names):
    assert [name for _, name in canvas.log_ticks(low, high)] == names
