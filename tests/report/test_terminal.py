"""The table that ends ``bench run``."""

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.report import aggregate, sections, terminal, wording
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
    assert "† lora_r64 with 50 examples: 2 of 3 seeds; 1 diverged" in lines


APART = {("a", 50): seeds(1.0, 1.01, 1.02), ("b", 50): seeds(2.0, 2.01, 1.99)}


def test_what_was_not_compared_has_a_sign_of_its_own_and_a_better_mean_is_named():
    """No mark would mean that it is worse."""
    shown = printed(frame_of(APART | {("c", 50): {0: 0.5}, ("d", 50): {7: 9.0}}), PRIMARY).splitlines()
    ends = {line.split()[0]: line.split()[-1] for line in shown if line[:2] in ("a ", "b ", "c ", "d ")}
    assert (ends["a"], ends["c"], ends["d"]) == ("*", "?", "?")
    assert ends["b"].startswith("±")
    assert "? not compared: too few seeds in common with the others" in shown
    assert [line for line in shown if "better mean" in line] == [f"? c with 50 examples: {wording.UNCOMPARED}"]


def test_the_star_is_over_shared_seeds_and_so_says_the_legend():
    """Its mean need not be the best one: that owes itself to a seed that the other lost."""
    shown = printed(frame_of({("a", 50): seeds(0.0, 2.0, 2.1), ("b", 50): {1: 1.9, 2: 2.05}}), PRIMARY).splitlines()
    assert next(line for line in shown if line.startswith("a ")).split()[1:] == ["1.4", "±2.9", "~"]
    assert next(line for line in shown if line.startswith("b ")).split()[1:] == ["2.0", "±1.0", "*"]
    legend = "* best over shared seeds of those that may be the best  ~ may be the best, too"
    assert legend in shown
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert legend in readme.splitlines()
    assert "best mean" not in readme


def test_says_what_interval_and_marks_cover():
    assert "n = 10\n± and marks over seeds\n" in printed(frame_of(APART), PRIMARY)
    with_error = printed(frame_of(APART, error=0.1), PRIMARY)
    assert "\n± over seeds and test items, marks over seeds\n" in with_error
    few = printed(frame_of({("a", 50): seeds(1.0, 1.1), ("b", 50): {0: 2.0}}), PRIMARY)
    assert "\n± over seeds, no marks: too few seeds in common\n" in few
    assert "\nno interval, no marks\n" in printed(frame_of({("a", 50): seeds(1.0)}), PRIMARY)
    assert "\n± over seeds\n" in printed(frame_of(APART, better="none"), PRIMARY)


def test_where_nothing_is_compared_no_entry_has_a_sign():
    assert "1.000 ?" not in printed(frame_of({("a", 50): seeds(1.0), ("b", 50): seeds(2.0)}), PRIMARY)


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
