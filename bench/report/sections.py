"""One section per (model → target, data quality): the part of a run that can be compared side by side."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.report import aggregate

if TYPE_CHECKING:
    import pandas as pd

_MOST_LINES = 16
UNRESTORED = "unrestored"
_BY_TOKEN = (
    *("perplexity", "bits_per_byte", "pseudo_perplexity", "pseudo_bits_per_byte"),
    *("nats_per_molecule", "nats_per_token"),
)
"""The share of the texts that a model's tokenizer loses, and the scores that are the better for it."""
SECONDS = ("tuning_seconds", "training_seconds")
STORAGE = ("stored_parameters", "checkpoint_bytes")
"""The costs that quality is set against: the first of each that was measured."""


class Point(NamedTuple):
    """One row of :func:`bench.report.aggregate.summarise`, without what its section says."""

    metric: str
    approach: str
    data_size: int
    mean: float
    half_width: float
    covers: str
    seeds: int
    unit: str
    better: str
    control: str
    spans: bool
    n_low: int
    n_high: int
    behind: float
    behind_low: float
    behind_high: float
    behind_covers: str
    pairs: int
    compared: bool
    mark: str
    behind_zero_shot: float
    behind_zero_shot_low: float
    behind_zero_shot_high: float
    behind_from_scratch: float
    behind_from_scratch_low: float
    behind_from_scratch_high: float
    behind_baseline: float
    behind_baseline_low: float
    behind_baseline_high: float
    harm: bool
    negative_transfer: bool

    @property
    def uncompared(self) -> bool:
        """Whether it competes, and shares too few seeds with others for anything to be said of it."""
        if self.better == "none" or self.control in aggregate.REAL:
            return False
        return not (math.isfinite(self.behind_high) if self.control else self.compared)

    @property
    def loss(self) -> float:
        """The mean, so that lower is better."""
        return -self.mean if self.better == "higher" else self.mean

    def behind_of(self, other: str) -> tuple[float, float, float]:
        """By how much it is behind ``zero_shot``, ``from_scratch`` or ``baseline``, and the interval's ends."""
        named = self._asdict()
        return (named[f"behind_{other}"], named[f"behind_{other}_low"], named[f"behind_{other}_high"])


class End(NamedTuple):
    """How the seeds of one (approach, data size) ended: ``seeds`` of them with this status and reason."""

    status: str
    reason: str
    seeds: list[int]


@dataclass(frozen=True)
class Section:
    """Everything measured for one model on one target domain.

    Attributes:
        model, source, target, data_quality, family, modality: as in the tidy table.
        primary: the metric that ranks approaches.
        approaches: name to the control it is (empty for an approach), controls first, else in the suite's order.
        sizes: data sizes, ascending; ``[0]`` where nothing used target data.
        metrics: names in the suite's order.
        points: (metric, approach, data size) to what was measured.
        ends: (approach, data size) to how its cells ended; data size 0 for what uses no target data.
    """

    model: str
    source: str
    target: str
    data_quality: str
    family: str
    modality: str
    primary: str
    approaches: dict[str, str]
    sizes: list[int]
    metrics: list[str]
    points: dict[tuple[str, str, int], Point]
    ends: dict[tuple[str, int], list[End]]

    @property
    def title(self) -> str:
        """``model → target``, and what the training data are like where they are not as they should be."""
        quality = "" if self.data_quality == "clean" else f" · {self.data_quality}"
        return f"{self.model} → {self.target}{quality}"

    def point(self, metric: str, approach: str, size: int) -> Point | None:
        """The summary's row, where there is a value."""
        return self.points.get((metric, approach, size))

    def column(self, metric: str, size: int) -> list[Point]:
        """All points of one metric at one data size, controls first."""
        return [point for name in self.approaches if (point := self.point(metric, name, size)) is not None]

    def ended(self, approach: str, size: int) -> list[End]:
        """How the cells behind one entry of a table ended."""
        return self.ends.get((approach, size)) or self.ends.get((approach, 0), [])

    def ranked(self, size: int) -> list[Point]:
        """The points of the primary metric at one data size, controls among them, best first."""
        return sorted(self.column(self.primary, size), key=lambda point: point.loss)

    def leader(self, metric: str, size: int) -> Point | None:
        """The best approach over shared seeds of those that may be it; where nothing was told apart, the best mean."""
        found = [point for point in self.column(metric, size) if not point.control and point.better != "none"]
        if among := [point for point in found if point.mark]:
            return min(among, key=lambda point: point.behind)
        return min(found, key=lambda point: point.loss, default=None)

    def lossy(self, metric: str) -> float:
        """The share of the texts' bytes that the model's tokenizer does not give back, where the metric counts what its
        tokens cost. Above 0 such a score is not that of the text: it stands beside other approaches on this model, and
        beside no other model's."""
        found = [point.mean for key, point in self.points.items() if key[0] == UNRESTORED]
        return max(found, default=0.0) if metric in _BY_TOKEN else 0.0

    @property
    def is_lossy(self) -> bool:
        """Whether that is so of the metric that ranks."""
        return self.lossy(self.primary) > 0

    def one_of(self, metric: str) -> Point:
        """Any point of a metric: they share unit and direction."""
        return next(point for key, point in self.points.items() if key[0] == metric)

    @property
    def is_crowded(self) -> bool:
        """Whether there are more approaches than lines and legends of a figure can tell apart."""
        return len(self.approaches) > _MOST_LINES

    def costs(self) -> list[str]:
        """Metrics of time, memory and size."""
        return [name for name in self.metrics if aggregate.is_cost(name, self.one_of(name).unit)]

    def qualities(self) -> list[str]:
        """All other metrics, the primary one first."""
        costs = self.costs()
        return sorted((name for name in self.metrics if name not in costs), key=lambda name: name != self.primary)

    def first_measured(self, names: tuple[str, ...]) -> str | None:
        """The first of ``names`` that has values."""
        return next((name for name in names if name in self.metrics), None)


def split(frame: "pd.DataFrame", summary: "pd.DataFrame", primary: dict[str, str]) -> list[Section]:
    """The sections of a run.

    Args:
        frame: the tidy table, :func:`bench.report.aggregate.in_every_quality`.
        summary: what :func:`bench.report.aggregate.summarise` makes of it.
        primary: family (in older runs modality) to the metric that ranks; where that was not measured, the first
            quality metric stands in.
    """
    frame = frame.assign(control=frame["options"].map(aggregate.control_of))
    points = dict(list(summary.groupby(aggregate.PAIR, sort=False)))
    ends = dict(list(aggregate.ends(frame).groupby(aggregate.PAIR, sort=False)))
    pairs = frame.groupby(aggregate.PAIR, sort=False)
    return [_section(rows, points.get(key, summary.iloc[:0]), ends[key], primary) for key, rows in pairs]


def holds(section: Section, record: dict[str, Any]) -> bool:
    """Whether a record belongs to a section; what uses no target data belongs to all qualities of its pair."""
    asked = record["asked"]
    same = (asked["model"], asked["target"]) == (section.model, section.target)
    return same and (not asked["data_size"] or asked.get("data_quality", "clean") == section.data_quality)


def _section(rows: "pd.DataFrame", summary: "pd.DataFrame", ends: "pd.DataFrame", primary: dict[str, str]) -> Section:
    first = rows.iloc[0]
    known = rows.drop_duplicates("approach").sort_values("control", key=lambda names: names == "", kind="stable")
    points = [Point._make(row) for row in summary[list(Point._fields)].itertuples(index=False, name=None)]
    metrics = list(dict.fromkeys(point.metric for point in points))
    wanted = primary.get(first["family"]) or primary.get(first["modality"], "")
    if points and wanted not in metrics:
        wanted = next((point.metric for point in points if not aggregate.is_cost(point.metric, point.unit)), metrics[0])
    ended: dict[tuple[str, int], list[End]] = {}
    for row in ends[["approach", "data_size", *End._fields]].itertuples(index=False, name=None):
        ended.setdefault(row[:2], []).append(End._make(row[2:]))
    return Section(
        **{key: first[key] for key in ("model", "source", "target", "data_quality", "family", "modality")},
        primary=wanted,
        approaches=dict(zip(known["approach"], known["control"], strict=True)),
        sizes=sorted(set(rows["data_size"]) - {0}) or [0],
        metrics=metrics,
        points={(point.metric, point.approach, point.data_size): point for point in points},
        ends=ended,
    )
