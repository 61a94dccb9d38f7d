"""What the page and worth.csv say an approach is worth."""

import io
import math

import pandas as pd
import pytest

from bench.report import aggregate, sections, worth, worth_tables
from bench.report.curves import Check
from tests.report.frames import frame_of, seeds

SCRATCH = {("from_scratch", size): seeds(level, level + 0.01, level - 0.01) for size, level in ((10, 3.0), (100, 2.0))}
SCRATCH[("from_scratch", 1000)] = seeds(1.0, 1.01, 0.99)
MINE = {
    ("lora", 10): seeds(2.0, 2.01, 1.99),
    ("lora", 100): seeds(0.5, 0.5, 0.51),
    ("lora", 1000): seeds(4.0, 4.0, 4.1),
}


def found_of(values, tracks=None, **columns):
    frame = frame_of(values, **columns)
    (section,) = sections.split(frame, aggregate.summarise(frame), {"text": "bits_per_byte"})
    return worth.find(section, aggregate.spread(frame), tracks or {})


def shown_of(values, tracks=None, **columns):
    return worth_tables.show(found_of(values, tracks, **columns))


def row_of(shown, name):
    (row,) = [row for row in shown.rows if row.approach == name]
    return row


def test_multipliers_with_their_ends():
    row = row_of(shown_of(SCRATCH | MINE), "lora")
    inside, above, below = row.entries
    assert (inside.value, inside.mark) == ("×10", worth_tables.SAVES)
    assert inside.interval == "10 to 10"
    assert (above.value, above.interval, above.mark) == ("≥\N{NO-BREAK SPACE}×10", "", worth_tables.SAVES)
    assert (below.value, below.mark) == ("≤\N{NO-BREAK SPACE}×0.010", worth_tables.SHORT)


def test_higher_may_be_better():
    turned = {key: {seed: -value for seed, value in found.items()} for key, found in (SCRATCH | MINE).items()}
    assert [e.value for e in row_of(shown_of(turned, better="higher"), "lora").entries] == [
        entry.value for entry in row_of(shown_of(SCRATCH | MINE), "lora").entries
    ]


def test_the_untouched_model_is_worth_examples():
    row = row_of(shown_of(SCRATCH | {("zero_shot", 0): seeds(1.5, 1.5, 1.5)}), "zero_shot")
    assert row.level.value == "316"
    assert row.area[0] == "1.500"


def test_real_items_are_worth_nothing_and_from_scratch_one():
    shown = shown_of(SCRATCH | {("real_data", 0): seeds(0.0, 0.0, 0.0)})
    assert [row.approach for row in shown.rows] == ["from_scratch"]
    assert {entry.value for entry in shown.rows[0].entries} == {"×1"}
    assert shown.rows[0].area[0] == "2.000"


@pytest.mark.parametrize("better", ["lower", "none"])
def test_one_size_or_no_direction_says_nothing(better):
    values = {key: found for key, found in SCRATCH.items() if key[1] == 10 or better == "none"}
    assert found_of(values, better=better) is None


def test_a_flat_curve_and_a_single_seed_are_said():
    flat = {("from_scratch", size): seeds(1.0, 1.1, 0.9) for size in (10, 100)} | {("lora", 10): seeds(0.9, 1.05, 1.0)}
    shown = shown_of(flat)
    assert "not surely better" in shown.notes[0]
    assert row_of(shown, "lora").entries[0].note == "cannot be told"
    lone = shown_of({key: {0: found[0]} for key, found in (SCRATCH | MINE).items()})
    assert "no intervals" in lone.notes[0]
    assert (row_of(lone, "lora").entries[0].value, row_of(lone, "lora").entries[0].interval) == ("×10", "")


def test_a_curve_that_gets_worse_is_named():
    values = SCRATCH | {("from_scratch", 1000): seeds(2.5, 2.51, 2.49)}
    assert any("surely worse with 1\N{THIN SPACE}000 examples than with 100" in note for note in shown_of(values).notes)


def checks(*losses):
    return [Check(10 * index, float(index), loss, "") for index, loss in enumerate(losses)]


def test_steps_and_seconds_to_what_from_scratch_reaches():
    """The target is what the worst seed comes down to: 1.2."""
    tracks = {
        ("from_scratch", 1000): {0: checks(5, 2, 1.1), 1: checks(5, 1.2, 1.3), 2: checks(5, 1.2, 1.0)},
        ("lora", 10): {0: checks(1.2), 1: checks(2, 1.0), 2: [Check(0, 0.0, 1.0, "teacher"), *checks(3, 2, 1)]},
        ("lora", 100): {0: checks(1.0), 1: checks(2, 2), 2: checks(2)},
    }
    found = found_of(SCRATCH | MINE, tracks)
    assert found.target == 1.2
    assert found.reached["from_scratch", 1000].steps == (10, 10, 20)
    assert found.reached["lora", 10].steps == (10, 0, 20)
    assert found.reached["lora", 10].seconds == (1, 0, 2)
    assert found.reached["lora", 100].steps == (math.inf, 0, math.inf)
    shown = worth_tables.show(found)
    entries = {name: entries for name, _, entries in shown.reached}
    assert entries["lora"][0].value.replace("\N{NO-BREAK SPACE}", " ") == "10 steps · 1 s"
    assert (entries["lora"][1].value, entries["lora"][1].note) == ("—", "1 of 3 seeds")
    assert entries["lora"][2].value == "—"


def test_the_table_beside_the_page(page):
    table = pd.read_csv(io.StringIO((page.parent / "worth.csv").read_text()))
    assert list(table.columns) == list(worth.COLUMNS)
    rows = table[(table["model"] == "tiny_gpt2") & (table["approach"] == "lora")].set_index("data_size")
    assert list(rows.index) == [50, 200, 800]
    assert (rows["multiplier"] == rows["effective_examples"] / rows.index).all()
    assert (rows["transferred_examples"] == rows["effective_examples"] - rows.index).all()
    assert set(table["side"].dropna()) <= {"inside", "at_least", "at_most", "unknown"}
    assert "What it is worth" in page.read_text()
