"""What approaches are worth, ready to be set by the page: multipliers, areas, and what a target took."""

import math
from dataclasses import dataclass

from bench.report import tables, wording
from bench.report.worth import SCRATCH, Found, Reached
from bench.statistics.worth import AT_LEAST, AT_MOST, UNKNOWN, Worth

SAVES, SHORT = "saves", "short"
"""Marks: surely worth more from-scratch examples than it was given, and surely fewer; sure of all of a table together,
as the intervals, each by itself, are not."""

_MARKS = {1: SAVES, -1: SHORT}
_SIGNS = {AT_LEAST: "≥\N{NO-BREAK SPACE}", AT_MOST: "≤\N{NO-BREAK SPACE}"}


@dataclass(frozen=True)
class Entry:
    """``×4.2``, ``2.1 to 9.8``; or ``—`` and why."""

    value: str
    interval: str = ""
    mark: str = ""
    note: str = ""


@dataclass(frozen=True)
class Row:
    """One approach. ``level`` is in place of the entries where it uses no target data; ``area`` a mean and its ±."""

    approach: str
    control: str
    entries: list[Entry]
    level: Entry | None
    area: tuple[str, str]


@dataclass(frozen=True)
class Shown:
    """One section.

    Attributes:
        metric, unit, better: of the primary metric.
        sizes: data sizes of the columns.
        measured: of the from-scratch curve, in words: ``16 to 512``.
        rows: multipliers and areas.
        seeds: the most that an interval rests on; below 2 there is none.
        notes: what is odd about the from-scratch curve.
        target: validation loss to reach; empty where there are no curves.
        largest: the size at which from_scratch has it, in words.
        reached: (approach, control, entries) of the target's table.
    """

    metric: str
    unit: str
    better: str
    sizes: list[int]
    measured: str
    rows: list[Row]
    seeds: int
    notes: list[str]
    target: str
    largest: str
    reached: list[tuple[str, str, list[Entry]]]


def show(found: Found) -> Shown:
    """A section's worth in words."""
    section, point = found.section, found.section.one_of(found.section.primary)
    sizes = [size for size in section.sizes if size]
    low, high = (wording.number(found.scratch_sizes[end], 0) for end in (0, -1))
    return Shown(
        metric=section.primary,
        unit=point.unit,
        better=point.better,
        sizes=sizes,
        measured=f"{low} to {high}",
        rows=_rows(found, sizes),
        seeds=found.seeds,
        notes=_notes(found),
        target=f"{found.target:.4g}" if found.reached else "",
        largest=wording.examples(found.scratch_sizes[-1]),
        reached=[
            (name, control, [_reached(found.reached.get((name, size))) for size in sizes])
            for name, control in section.approaches.items()
            if any((name, size) in found.reached for size in sizes)
        ],
    )


def _rows(found: Found, sizes: list[int]) -> list[Row]:
    digits, rows = tables.places(found.section, found.section.primary), []
    for name, control in found.section.approaches.items():
        mean, half_width, _ = found.areas.get(name, (math.nan, math.nan, 0))
        area = wording.number(mean, digits), wording.plus_minus(half_width, digits)
        level = found.worth.get((name, 0))
        if control == SCRATCH:
            rows.append(Row(name, control, [Entry("×1") for _ in sizes], None, area))
        elif level or any((name, size) in found.worth for size in sizes):
            marks = [_MARKS.get(found.marks.get((name, size), 0), "") for size in sizes]
            entries = [
                multiplier(found.worth.get((name, size)), size, mark) for size, mark in zip(sizes, marks, strict=True)
            ]
            rows.append(Row(name, control, entries, _level(level) if level else None, area))
    return rows


def multiplier(worth: Worth | None, size: int, mark: str = "") -> Entry:
    """From-scratch examples per example: ``×4.2``, ``≥ ×8``, ``—``."""
    if worth is None:
        return Entry(tables.NONE)
    value, low, high = worth.multiplier(size)
    return _entry(worth, "×", value, low, high, mark)


def _level(worth: Worth) -> Entry:
    """From-scratch examples in all: ``120``."""
    return _entry(worth, "", worth.effective, worth.low, worth.high, "")


def _entry(worth: Worth, sign: str, value: float, low: float, high: float, mark: str) -> Entry:
    if worth.side == UNKNOWN or (low == 0 and high == math.inf):
        return Entry(tables.NONE, note="cannot be told")
    shown = f"{_SIGNS.get(worth.side, '')}{sign}{figure(value)}"
    if math.isnan(low) or (worth.side == AT_LEAST and low == value) or (worth.side == AT_MOST and high == value):
        return Entry(shown, mark=mark)
    if high == math.inf:
        return Entry(shown, f"{figure(low)} or more", mark)
    return Entry(shown, f"{figure(low)} to {figure(high)}" if low else f"{figure(high)} or less", mark)


def figure(value: float) -> str:
    """Two significant digits, or all that stand before the point: ``0.35``, ``4.2``, ``13``, ``1 280``."""
    places = max(0, 1 - math.floor(math.log10(value))) if 0 < value < 100 else 0
    return wording.number(value, places)


def _notes(found: Found) -> list[str]:
    notes = []
    if found.seeds < 2:
        notes.append("With fewer than two seeds there are no intervals: nothing here is sure.")
    elif not found.improves:
        notes.append(
            "from_scratch is not surely better at its largest data size than at its smallest, so that hardly anything "
            "can be said of how many examples it would need."
        )
    notes += [
        f"from_scratch is surely worse with {wording.number(high, 0)} examples than with {wording.number(low, 0)}; the "
        "fit takes it as level there."
        for low, high in found.rises
    ]
    return notes


def _reached(found: Reached | None) -> Entry:
    """``48 steps · 3.1 s``, and how many seeds got there where not all did."""
    if found is None:
        return Entry(tables.NONE)
    note = "" if found.reached == found.seeds else f"{found.reached} of {found.seeds} seeds"
    if not math.isfinite(found.steps[0]):
        return Entry(tables.NONE, note=note if found.reached else "not reached")
    steps = f"{wording.number(found.steps[0], 0)} step{'s' if found.steps[0] != 1 else ''}"
    seconds = f" · {wording.in_words(found.seconds[0], 's')}" if math.isfinite(found.seconds[0]) else ""
    return Entry(steps + seconds, note=note)
