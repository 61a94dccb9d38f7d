"""The side-by-side table of one metric, ready to be set by the page and by the terminal."""

import math
from collections import Counter
from dataclasses import dataclass

from bench.report import wording
from bench.report.aggregate import REAL
from bench.report.comparisons import BOTH, HELD_AGAINST, ITEMS, SEEDS
from bench.report.sections import UNRESTORED, Point, Section
from bench.results import statuses

NONE = "—"

UNCOMPARED = "uncompared"
"""Stands in the place of a mark where others were compared, and this one shares too few seeds with them."""

LOSSY = "‡"
"""Stands beside scores of a model whose tokenizer loses a part of the texts."""

STATUS_WORDS = {
    "ok": "not measured",
    "failed": "failed",
    "out_of_memory": "out of memory",
    "diverged": "diverged",
    "timed_out": "timed out",
    "not_applicable": "n/a",
}


NO_SCORE = "without a score"
"""A seed that ended well, and has no value of a metric."""


@dataclass(frozen=True)
class Entry:
    """One entry: a number with its interval, or why there is none.

    Attributes:
        mean, half_width: as text; ``mean`` is ``—`` where there is no value.
        mark: of :func:`bench.report.aggregate.summarise`, or :data:`UNCOMPARED`.
        note: why there is no value, or how many seeds are missing and how they ended; mostly empty.
        worse_than: the controls that it is worse than.
    """

    mean: str
    half_width: str = ""
    mark: str = ""
    note: str = ""
    worse_than: tuple[str, ...] = ()

    @property
    def has_value(self) -> bool:
        """Whether there is a number."""
        return self.mean != NONE


@dataclass(frozen=True)
class Row:
    """One approach; ``control`` says which control it is, ``spans`` that its value holds for every data size."""

    approach: str
    control: str
    spans: bool
    entries: list[Entry]


@dataclass(frozen=True)
class Table:
    """Approach × data size for one metric.

    ``seeds`` and ``n`` say in words what each entry rests on, ``covers`` what ± is about, ``marks`` what comparisons
    cover (empty where there are none), ``lossy`` is :meth:`bench.report.sections.Section.lossy`.
    """

    metric: str
    unit: str
    better: str
    sizes: list[int]
    rows: list[Row]
    seeds: str
    n: str
    covers: str = ""
    marks: str = ""
    lossy: float = 0.0

    @property
    def name(self) -> str:
        """The metric, with a mark where its scores are held against no other model's."""
        return f"{self.metric} {LOSSY}" if self.lossy else self.metric

    @property
    def remark(self) -> str:
        """Why the metric is marked; empty where it is not."""
        lost = f"the tokenizer loses {wording.share(self.lossy)} of these texts' bytes ({UNRESTORED})"
        return f"{LOSSY} {lost}: compare approaches, not models" if self.lossy else ""


def side_by_side(section: Section, metric: str) -> Table:
    """The table of one metric; approaches that the metric does not concern are left out, failed ones never."""
    points = {key[1:]: point for key, point in section.points.items() if key[0] == metric}
    digits, marks = places(section, metric), _marks(points)
    rows = []
    for approach, control in section.approaches.items():
        ends = [end for size in section.sizes for end in section.ended(approach, size)]
        found = [point for size in section.sizes if (point := points.get((approach, size))) is not None]
        if found or any(end.status != "ok" for end in ends):
            cells = [(approach, size) for size in section.sizes]
            entries = [_entry(section, points.get(cell), *cell, digits, marks.get(cell, "")) for cell in cells]
            rows.append(Row(approach, control, any(point.spans for point in found), entries))
    sample = next(iter(points.values()), None)
    return Table(
        metric=metric,
        unit=sample.unit if sample else "",
        better=sample.better if sample else "none",
        sizes=section.sizes,
        rows=rows,
        seeds=span([point.seeds for point in points.values()], "seed"),
        n=span([n for point in points.values() for n in (point.n_low, point.n_high)], ""),
        covers=covered([point.covers for point in points.values()]),
        marks=covered([point.behind_covers for point in points.values() if point.control not in REAL]),
        lossy=section.lossy(metric),
    )


def covered(covers: list[str]) -> str:
    """What the intervals of a table are about, or its comparisons, in words; empty where there is none."""
    found = set(covers) - {""}
    if not found or found == {SEEDS}:
        return "".join(found)
    return f"{SEEDS}, and test items where known" if SEEDS in found else BOTH if BOTH in found else ITEMS


@dataclass(frozen=True)
class Gap:
    """An approach against a baseline: the difference and its interval in words.

    ``verdict`` is ``better``, ``worse``, or empty where the interval holds zero.
    """

    difference: str = NONE
    interval: str = ""
    verdict: str = ""


def against_baseline(section: Section) -> list[tuple[str, str, list[Gap]]]:
    """(approach, control, one entry per data size) of the primary metric; empty where no baseline was asked for."""
    rows = []
    for approach, control in section.approaches.items():
        points = [section.point(section.primary, approach, size) for size in section.sizes]
        if any(point is not None and not math.isnan(point.behind_baseline) for point in points):
            rows.append((approach, control, [_gap(point) for point in points]))
    return rows


def baseline_covers(section: Section, baseline: str) -> str:
    """What the intervals of :func:`against_baseline` cover, in words."""
    found = []
    for key, point in section.points.items():
        if key[0] == section.primary and math.isfinite(point.behind_baseline_low):
            held = section.point(*key[:1], baseline, point.data_size) if section.approaches[baseline] else point
            found += [held.behind_covers] if held else []
    return covered(found)


def _gap(point: Point | None) -> Gap:
    behind, low, high = point.behind_of("baseline") if point else (math.nan,) * 3
    if math.isnan(behind):
        return Gap()
    verdict = "worse" if low > 0 else "better" if high < 0 else ""
    digits = wording.gap_decimals(behind, low, high)
    return Gap(wording.gap(behind, digits), wording.gap_interval(low, high, digits), verdict)


def places(section: Section, metric: str) -> int:
    """Decimals of one metric: the same wherever a section shows it. Differences have their own."""
    points = [point for size in section.sizes for point in section.column(metric, size)]
    return wording.decimals([point.mean for point in points], [point.half_width for point in points])


def missing(section: Section, point: Point) -> dict[str, int]:
    """How the seeds ended that have no value of a metric, in words, and how many of them did."""
    found = Counter[str]()
    for end in section.ended(point.approach, point.data_size):
        found[end.status] += len(end.seeds)
    bad = {STATUS_WORDS.get(status, status): n for status, n in found.items() if status not in statuses.ENDED_WELL}
    without = found["ok"] - point.seeds
    return bad | ({NO_SCORE: without} if without > 0 else {})


def seeds(section: Section, point: Point) -> str:
    """What a value rests on: ``5 seeds``, ``2 of 5 seeds; 3 diverged``."""
    ended = missing(section, point)
    return wording.seeds(point.seeds, point.seeds + sum(ended.values()), ended)


def span(counts: list[int], noun: str) -> str:
    """``3 seeds``, ``2 to 3 seeds``, ``512``."""
    low, high = (min(counts), max(counts)) if counts else (0, 0)
    shown = wording.number(low, 0) if low == high else f"{wording.number(low, 0)} to {wording.number(high, 0)}"
    return f"{shown} {noun}{'s' if high != 1 else ''}" if noun else shown


def _marks(points: dict[tuple[str, int], Point]) -> dict[tuple[str, int], str]:
    """Of each (approach, data size); where a whole table compares nothing, its caption says so once."""
    compares = any(point.compared for point in points.values())
    return {key: UNCOMPARED if compares and point.uncompared else point.mark for key, point in points.items()}


def _entry(section: Section, point: Point | None, approach: str, size: int, digits: int, mark: str) -> Entry:
    ends = section.ended(approach, size)
    bad = list(dict.fromkeys(STATUS_WORDS.get(end.status, end.status) for end in ends if end.status != "ok"))
    if point is None:
        return Entry(NONE, note=", ".join(bad) or ("not measured" if ends else "not run"))
    mean, half_width = wording.number(point.mean, digits), wording.plus_minus(point.half_width, digits)
    note = seeds(section, point) if missing(section, point) else ""
    worse_than = [control for control, mark in HELD_AGAINST.items() if getattr(point, mark)]
    return Entry(mean, half_width, mark, note, tuple(worse_than))
