"""Scores of a model whose tokenizer loses a part of the texts: marked, and held against no other model's."""

import io

import pandas as pd
import pytest
from rich.console import Console

from bench.report import across, aggregate, page, sections, tables, terminal, wording
from bench.report.wording import share
from bench.results import tidy
from tests.report.frames import frame_of, seeds

PRIMARY = {"f": "bits_per_byte"}


def frame(lost: dict[str, float]) -> pd.DataFrame:
    """Models with the share that each loses; the more it loses, the better its scores look."""
    parts = []
    for model, share_ in lost.items():
        bits = {
            ("zero_shot", 0): seeds(9 - 7 * share_, 9 - 7 * share_),
            ("lora", 50): seeds(8 - 7 * share_, 8.1 - 7 * share_),
        }
        columns = {"family": "f", "model": model}
        parts.append(frame_of(bits, **columns))
        names = {(approach, size): seeds(share_, share_) for approach, size in bits}
        parts.append(frame_of(names, metric="unrestored", better="none", **columns))
        parts.append(frame_of(bits, metric="test_loss", **columns))
    made = pd.concat(parts, ignore_index=True).astype(tidy.COLUMNS)
    return made.assign(cell=made["model"] + made["cell"])


def split(made: pd.DataFrame) -> list[sections.Section]:
    return sections.split(made, aggregate.summarise(made), PRIMARY)


def test_scores_by_token_are_marked_and_others_are_not() -> None:
    exact, lossy = split(frame({"bytes": 0.0, "lower": 0.47}))
    assert [section.is_lossy for section in (exact, lossy)] == [False, True]
    table = tables.side_by_side(lossy, "bits_per_byte")
    assert table.name == "bits_per_byte ‡"
    assert table.remark.startswith("‡ the tokenizer loses 47\N{NO-BREAK SPACE}% of these texts' bytes (unrestored)")
    assert tables.side_by_side(lossy, "test_loss").remark == ""
    assert tables.side_by_side(exact, "bits_per_byte").name == "bits_per_byte"


def test_marks_and_places_are_of_approaches_on_one_model() -> None:
    """The model that loses most has the lowest number, and is best of nothing but its own approaches."""
    made = frame({"bytes": 0.0, "lower": 0.47, "words": 1.0})
    found = split(made)
    assert [point.mark for section in found for point in section.column("bits_per_byte", 50)] == ["", "best"] * 3
    (ranking,) = across.rankings(found, made)
    assert [[place and place.rank for place in one.places] for one in ranking.standings] == [[1, 1, 1], [2, 2, 2]]
    shown = across.render({"suite": "s", "run": "r"}, [ranking])
    assert shown.count("</i> ‡") + shown.count("‡</i>") == 2
    assert "no model is ranked against another" in shown
    plain = frame({"bytes": 0.0, "others": 0.0})
    assert "‡" not in across.render({"suite": "s", "run": "r"}, across.rankings(split(plain), plain))


def test_the_page_says_what_is_lost() -> None:
    source = '{% import "parts.html.jinja" as parts with context %}{{ parts.quality_table(table, marks, words) }}'
    marks = {"best": "★", "tied": "≈", "ahead": "▲", "": ""}
    exact, lossy = (
        page.environment()
        .from_string(source)
        .render(table=tables.side_by_side(section, PRIMARY["f"]), marks=marks, words=wording)
        for section in split(frame({"bytes": 0.0, "lower": 0.47}))
    )
    assert "‡" not in exact
    assert "<b>bits_per_byte ‡</b>" in lossy
    assert "loses 47\N{NO-BREAK SPACE}% of these texts" in lossy


def test_the_terminal_says_what_is_lost() -> None:
    file = io.StringIO()
    terminal.summary(split(frame({"bytes": 0.0, "lower": 0.47})), Console(file=file, width=80))
    first, second = file.getvalue().split("lower → b: ")
    assert "‡" not in first
    assert second.startswith("bits_per_byte ‡ [bits/byte]")
    assert "loses 47\N{NO-BREAK SPACE}%" in second
    assert max(map(len, file.getvalue().splitlines())) <= 80


@pytest.mark.parametrize(
    ("value", "words"), [(0.34, "34 %"), (1.0, "100 %"), (0.042, "4.2 %"), (0.001, "0.1 %"), (1e-7, "less than 0.1 %")]
)
def test_a_share_is_never_shown_as_nothing(value: float, words: str) -> None:
    assert share(value) == words.replace(" %", "\N{NO-BREAK SPACE}%")
