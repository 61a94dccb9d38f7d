"""What each approach costs: training, storage, inference, each at one data size."""

from dataclasses import dataclass

from bench.report import aggregate, tables, wording
from bench.report.sections import Section

_KEPT = ("checkpoint_bytes", "stored_parameters", "trainable_parameters", "total_parameters")
_STORED = "Parameters and storage"
_LEGEND = {
    "training_": "training_… is of the chosen trial alone",
    "tuning_seconds": "tuning_seconds of all trials together",
    "tuning_peak_": "tuning_peak_… of the trial that took most",
}
_GROUPS = ("Training", _STORED, "Inference")


@dataclass(frozen=True)
class CostEntry:
    """``66.8``, ``±1.2``, ``s``; or ``—`` and why."""

    value: str
    half_width: str
    unit: str
    note: str = ""


@dataclass(frozen=True)
class CostTable:
    """Approaches × costs of one group.

    Attributes:
        title: of the group.
        legend: which trials its costs are of; empty where that is no question.
        size: the data size it is for: the one with most values (not every cost is measured at every size), else the
            largest.
        seeds: what each mean rests on, in words.
        metrics: (name, arrow of the better direction, n in words).
        rows: (approach, control, entries).
    """

    title: str
    legend: str
    size: int
    seeds: str
    metrics: list[tuple[str, str, str]]
    rows: list[tuple[str, str, list[CostEntry]]]


def cost_tables(section: Section) -> list[CostTable]:
    """One table per group of costs that were measured."""
    groups: dict[str, list[str]] = {}
    for metric in section.costs():
        groups.setdefault(_group(metric), []).append(metric)
    return [_table(section, title, groups[title]) for title in _GROUPS if title in groups]


def _table(section: Section, title: str, metrics: list[str]) -> CostTable:
    size = max(section.sizes, key=lambda size: (sum(len(section.column(m, size)) for m in metrics), size))
    return CostTable(
        title=title,
        legend=_legend(metrics),
        size=size,
        seeds=tables.span([point.seeds for metric in metrics for point in section.column(metric, size)], "seed"),
        metrics=[_head(section, metric, size) for metric in metrics],
        rows=[
            (name, control, [_entry(section, metric, name, size) for metric in metrics])
            for name, control in section.approaches.items()
            if control not in aggregate.REAL
        ],
    )


def _legend(metrics: list[str]) -> str:
    return "; ".join(words for prefix, words in _LEGEND.items() if any(name.startswith(prefix) for name in metrics))


def _group(metric: str) -> str:
    if metric in _KEPT:
        return _STORED
    return "Training" if metric.startswith(("training", "tuning", "trials", "target", "pool")) else "Inference"


def _head(section: Section, metric: str, size: int) -> tuple[str, str, str]:
    counts = [n for point in section.column(metric, size) for n in (point.n_low, point.n_high)]
    return metric, wording.ARROWS.get(section.one_of(metric).better, ""), tables.span(counts, "")


def _entry(section: Section, metric: str, approach: str, size: int) -> CostEntry:
    point = section.point(metric, approach, size)
    if point is None:
        bad = [end.status for end in section.ended(approach, size) if end.status != "ok"]
        return CostEntry(tables.NONE, "", "", tables.STATUS_WORDS.get(bad[0], bad[0]) if bad else "")
    return CostEntry(*wording.quantity(point.mean, point.unit, point.half_width))
