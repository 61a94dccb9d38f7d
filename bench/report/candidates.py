"""Scores and costs of a section's approaches at any data size between the smallest and the largest measured one."""

import bisect
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from bench.report import aggregate
from bench.report.comparisons import Items
from bench.report.sections import SECONDS, Section
from bench.report.tables import NO_SCORE, STATUS_WORDS

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

STORED = ("checkpoint_bytes",)
_KINDS = ("reserved", "allocated", "rss")
_TRAINING = tuple(f"{stage}_peak_{kind}" for stage in ("tuning", "training") for kind in _KINDS)
_SAMPLING = tuple(f"inference_peak_{kind}" for kind in _KINDS)
MEASURES = {"memory": "bytes", "seconds": "s", "storage": "bytes"}
"""What an approach costs, and in which unit. ``memory`` is the peak of training (of all trials, where that was
measured) or of sampling, whichever is more: what a machine must have, in the worst of all seeds. ``seconds`` are those
of all trials, where measured, and ``storage`` is what is kept beside the pretrained model: means over seeds."""


@dataclass(frozen=True)
class Candidate:
    """An approach at the data size that was asked for.

    A seed of an approach that ended badly is no accident to leave out: the scores of the others are those of the seeds
    that it did not end badly with.

    Attributes:
        approach: its name.
        control: which control it is; empty for an approach.
        scores: at the neighbouring measured sizes, shape (1 or 2, seeds); NaN where a seed has none.
        errors: their standard errors over test items at each size, means over seeds, shape (1 or 2,); NaN where a
            metric knows none.
        costs: of :data:`MEASURES`, those that are known.
        missing: why there is nothing to compare; empty where there is.
        asked: seeds that were run.
        failed: how seeds ended that have no score, in words, and how many of them did.
        hopeless: whether it was run at each of the sizes and never ended well.
    """

    approach: str
    control: str
    scores: Floats
    errors: Floats
    costs: dict[str, float] = field(default_factory=dict)
    missing: str = ""
    asked: int = 0
    failed: dict[str, int] = field(default_factory=dict)
    hopeless: bool = False

    @property
    def pairs(self) -> int:
        """Seeds that have a score at each of the sizes."""
        return int(np.isfinite(self.scores).all(axis=0).sum())


@dataclass(frozen=True)
class Between:
    """Where a data size lies: ``sizes`` are one measured size, or the two that it is between, and ``share`` is how far
    it is from the first to the second, in logarithms."""

    sizes: list[int]
    share: float

    def mixed(self, values: Floats) -> Floats:
        """Linear in log size, from values at the sizes, shape (1 or 2, …)."""
        return np.asarray(values[0] if len(self.sizes) == 1 else (1 - self.share) * values[0] + self.share * values[1])


def between(sizes: list[int], size: int) -> Between | None:
    """Where ``size`` lies among the measured ``sizes``, ascending; None outside of them."""
    if size in sizes:
        return Between([size], 0.0)
    right = bisect.bisect(sizes, size)
    if not 0 < right < len(sizes) or not sizes[right - 1]:
        return None
    low, high = sizes[right - 1], sizes[right]
    return Between([low, high], math.log(size / low) / math.log(high / low))


class Measured:
    """What was measured of a section.

    Args:
        section: the section.
        rows: of :func:`bench.report.aggregate.spread`; those of the section are looked for.
        items: covariances over test items, as :func:`bench.report.aggregate.summarise` takes them.
        primary: family (in older runs modality) to the metric that ranks, as the run has it.

    Attributes:
        seeds: that any approach has a score of, ascending.
        names: approaches and controls that can be taken: all but real items.
    """

    def __init__(
        self,
        section: Section,
        rows: "pd.DataFrame",
        items: Items | None = None,
        primary: dict[str, str] | None = None,
    ) -> None:
        self.section, self._items = section, items
        wanted = primary or {}
        self._wanted = wanted.get(section.family) or wanted.get(section.modality, "")
        mine = rows[
            (rows["model"] == section.model)
            & (rows["target"] == section.target)
            & (rows["data_quality"] == section.data_quality)
        ]
        self._values: dict[tuple[str, str, int], dict[int, float]] = {}
        self._errors: dict[tuple[str, str, int], list[float]] = {}
        columns = mine[["metric", "approach", "data_size", "seed", "value", "error"]]
        for metric, approach, size, seed, value, error in columns.itertuples(index=False, name=None):
            self._values.setdefault((metric, approach, int(size)), {})[int(seed)] = value
            if math.isfinite(error):
                self._errors.setdefault((metric, approach, int(size)), []).append(error)
        self.names = [name for name, control in section.approaches.items() if control not in aggregate.REAL]
        scored = (self.scores(name, size) for name in self.names for size in section.sizes)
        self.seeds = sorted({seed for found in scored for seed in found})

    @property
    def unranked(self) -> str:
        """Why the section's metric does not say which approach is better; empty where it does."""
        section = self.section
        if not section.points:
            return ""
        if self._wanted and self._wanted != section.primary:
            return f"the primary metric {self._wanted} was not measured"
        point = section.one_of(section.primary)
        if not self._wanted and aggregate.is_cost(point.metric, point.unit):
            return "no metric of quality was measured"
        return f"{point.metric} has no direction that is better" if point.better == "none" else ""

    @property
    def sign(self) -> float:
        """What makes losses of scores."""
        return -1.0 if self.section.one_of(self.section.primary).better == "higher" else 1.0

    @property
    def sizes(self) -> list[int]:
        """Data sizes at which an approach that is no control has scores, ascending; a control's may stand at all."""
        names = [name for name in self.names if not self.section.approaches[name]]
        return [size for size in self.section.sizes if size and any(self.scores(name, size) for name in names)]

    def scores(self, approach: str, size: int) -> dict[int, float]:
        """Seed to score of the primary metric."""
        return self._values.get((self.section.primary, approach, size), {})

    def candidate(self, approach: str, where: Between) -> Candidate:
        """An approach at a data size."""
        control = self.section.approaches[approach]
        scores = [self.scores(approach, size) for size in where.sizes]
        rows = np.array([[found.get(seed, math.nan) for seed in self.seeds] for found in scores])
        missing = [
            f"{self._end(approach, size)} with {size}"
            for size, found in zip(where.sizes, scores, strict=True)
            if not found
        ]
        known = (self._errors.get((self.section.primary, approach, size), [math.nan]) for size in where.sizes)
        errors = np.array([fmean(errors) for errors in known])
        asked: dict[int, str] = {}  # seed to how it ended where it has no score
        for size, found in zip(where.sizes, scores, strict=True):
            for end in self.section.ended(approach, size):
                for seed in end.seeds if end.status != "not_applicable" else []:
                    word = NO_SCORE if end.status == "ok" else STATUS_WORDS.get(end.status, end.status)
                    asked[seed] = asked.get(seed) or ("" if seed in found else word)
        return Candidate(
            approach,
            control,
            rows,
            errors,
            self._costs(approach, where),
            " and ".join(missing),
            len(asked),
            dict(Counter(word for word in asked.values() if word)),
            not any(found or not self._bad(approach, size) for size, found in zip(where.sizes, scores, strict=True)),
        )

    def over_items(self, approaches: list[str], size: int) -> Floats | None:
        """Covariance over test items of approaches at a measured size, by the primary metric; None where not known."""
        if self._items is None:
            return None
        section = self.section
        key = section.model, section.target, section.data_quality, section.primary, size
        return self._items(key, approaches)

    def _end(self, approach: str, size: int) -> str:
        bad = self._bad(approach, size)
        return STATUS_WORDS.get(bad[0], bad[0]) if bad else "not measured"

    def _bad(self, approach: str, size: int) -> list[str]:
        return [end.status for end in self.section.ended(approach, size) if end.status != "ok"]

    def _costs(self, approach: str, where: Between) -> dict[str, float]:
        found = {
            "memory": self._memory(approach, where),
            "seconds": self._cost(self.section.first_measured(SECONDS), approach, where, fmean),
            "storage": self._cost(self.section.first_measured(STORED), approach, where, fmean),
        }
        return {name: value for name, value in found.items() if value is not None}

    def _memory(self, approach: str, where: Between) -> float | None:
        """What sampling takes does not depend on the data size, and is often measured at one alone."""
        training = self._cost(self.section.first_measured(_TRAINING), approach, where, max)
        if training is None and self.section.approaches[approach] != "zero_shot":
            return None
        metric = self.section.first_measured(_SAMPLING)
        sampling = (self._values.get((str(metric), approach, size), {}) for size in self.section.sizes)
        known = [value for found in sampling for value in found.values()]
        return max(known if training is None else [*known, training], default=None)

    def _cost(
        self, metric: str | None, approach: str, where: Between, over: Callable[[Iterable[float]], float]
    ) -> float | None:
        """One cost, of all seeds together; straight in the logarithms of size and cost, where that is not zero."""
        found = [self._values.get((str(metric), approach, size), {}) for size in where.sizes]
        if not all(found):
            return None
        values = np.array([over(one.values()) for one in found])
        if values.min() == values.max():
            return float(values[0])  # to the last digit
        return float(np.exp(where.mixed(np.log(values))) if (values > 0).all() else where.mixed(values))
