"""The table that ends ``bench run``."""

import io

import pytest
from rich.console import Console

from bench.report import aggregate, sections, terminal
from bench.results import tidy
from tests.report.frames import frame_of, seeds
from tests.report.runs import PRIMARY


def printed(frame, primary, width=80, **options):
    file = io.StringIO()
    frame = aggregate.in_every_quality(frame)
    found = sections.split(frame, aggregate.summarise(frame), primary)
    terminal.summary(found, Console(file=file, width=width, **options))
    return file.getvalue()


def test_fits_eighty_columns_in_one_piece(run):
    shown = printed(tidy.read(run), PRIMARY)
    assert max(map(len, shown.splitlines())) <= 80
    assert shown.count("full_finetuning") == 2  # once per section: no table had to be split
    assert "\x1b" not in shown


def test_marks_intervals_and_reasons(run):
    lines = printed(tidy.read(run), PRIMARY).splitlines()
    best = next(line for line in lines if line.startswith("full_finetuning"))
    assert best.count("*") == 3
    assert best.count("±") == 3
    assert any(line.endswith("— out of memory") for line in lines)
    assert "† lora_r64 with 50 examples: 2 of 3 seeds" in lines


@pytest.mark.parametrize("width", [30, 40, 80, 200])
def test_many_sizes_are_split_and_all_shown(width):
    values = {("lora", size): seeds(float(size), size + 1.0) for size in (1, 10, 100, 1000, 10_000, 100_000)}
    shown = printed(frame_of(values), {"text": "bits_per_byte"}, width=width)
    for size in ("1 example", "10 examples", "100 examples", "1\u2009000 examples", "100\u2009000 examples"):
        assert size in shown


def test_nothing_measured_is_a_table_of_reasons():
    shown = printed(frame_of({("lora", 50): seeds(("failed", "x"))}), {"text": "bits_per_byte"})
    assert "— failed" in shown


def test_names_are_no_markup():
    shown = printed(frame_of({("[red]lora[/red]", 50): seeds(1.0, 2.0)}), {"text": "bits_per_byte"})
    assert "[red]lora[/red]" in shown
