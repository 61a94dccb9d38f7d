"""What the pairs of a ranking say together: scores on one scale, improvement over the reference, ranks."""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from bench.report import aggregate
from bench.report.sections import Section
from bench.statistics import improvement, placing, ranks, tasks
from bench.statistics.tasks import Estimate

FEWEST = placing.FEWEST
"""(model, target) pairs below which nothing is concluded."""

ERROR = 0.05
"""The share of pages that may name an approach where all are equal: half for improvement, half for ranks.

As many may have an interval of a mean place that leaves out what it is for equals."""

THRESHOLDS = np.linspace(-0.25, 1.25, 61)
"""Where performance profiles are drawn."""

Scores = dict[Any, np.ndarray]
"""(model, target, data quality, metric, approach) to the values of its seeds."""


@dataclass(frozen=True)
class Scale:
    """What 0 and 1 are in one section: the poorer control and the best approach, by the means of the primary metric.

    ``missing`` says why a section has no scale; it is empty where it has one.
    """

    zero: str = ""
    zero_value: float = math.nan
    one: str = ""
    one_value: float = math.nan
    missing: str = ""


@dataclass(frozen=True)
class Ranks:
    """Average ranks over the pairs that all have, best first.

    Attributes:
        average: approach to average rank.
        distance: the critical difference; NaN where there are too few pairs, or only two approaches.
        test: Friedman's.
        pairs: how many (model, target) pairs they are over.
        confidence: of ``distance``.
    """

    average: dict[str, float]
    distance: float
    test: ranks.Friedman
    pairs: int
    confidence: float


@dataclass(frozen=True)
class Overall:
    """One data size over all sections.

    Attributes:
        pairs: different (model, target) pairs; the qualities of the data are no pairs of their own.
        common: indices of the sections that are compared on one scale and by rank: all approaches have a value there,
            but for those of ``left_out``.
        left_out: the approaches that lack too many sections for that, and how many they have.
        scales: of each section.
        scored: how many of ``common`` have a scale.
        score: approach to its interquartile mean over these.
        profile: approach to the share of its runs above each of :data:`THRESHOLDS`.
        improvement: approach to how probable it is that a seed of it is better than one of the reference.
        verdict: approach to ``better`` or ``worse`` than the reference; it has none where there is nothing to say.
        ranks: None where fewer than two approaches or pairs can be ranked.
        confidence: of all intervals of ``improvement`` together.
    """

    pairs: int
    common: list[int]
    left_out: dict[str, int]
    scales: list[Scale]
    scored: int
    score: dict[str, Estimate]
    profile: dict[str, Estimate]
    improvement: dict[str, Estimate]
    verdict: dict[str, str]
    ranks: Ranks | None
    confidence: float

    @property
    def is_enough(self) -> bool:
        """Whether anything may be concluded."""
        return self.pairs >= FEWEST

    def named(self, verdict: str) -> list[str]:
        """The approaches with this verdict."""
        return [name for name, found in self.verdict.items() if found == verdict]

    @property
    def untold(self) -> list[str]:
        """The approaches compared with the reference, on enough pairs, that have no verdict."""
        return [name for name, found in self.improvement.items() if np.isfinite(found.low) and name not in self.verdict]


def overall(sections: list[Section], size: int, scores: Scores, reference: str, rankings: int = 1) -> Overall:
    """Compare all approaches, controls among them, over ``sections`` at one data size.

    Args:
        sections: those with values there.
        size: target examples.
        scores: at this size.
        reference: what improvement is over.
        rankings: how many such comparisons the page shows; :data:`ERROR` is for all together.
    """
    generator = np.random.default_rng(0)  # the same report from the same results
    names = list(dict.fromkeys(name for section in sections for name in _ranked(section, size)))
    present = np.array([[name in _ranked(section, size) for name in names] for section in sections])
    rows, columns = ranks.largest_complete(present)
    common, chosen = [int(index) for index in np.flatnonzero(rows)], [names[index] for index in np.flatnonzero(columns)]
    scales = [_scale(section, size) for section in sections]
    scaled = [index for index in common if not scales[index].missing]
    normal = {name: [_normalised(sections[i], scales[i], scores, name) for i in scaled] for name in chosen}
    confidence = 1 - ERROR / 2 / rankings
    better = improvements(sections, names, scores, reference, confidence)
    return Overall(
        pairs=_pairs(sections),
        common=common,
        left_out={name: int(present[:, index].sum()) for index, name in enumerate(names) if not columns[index]},
        scales=scales,
        scored=len(scaled),
        score={name: tasks.interquartile_mean(runs, generator) for name, runs in normal.items() if runs},
        profile={
            name: tasks.performance_profile(runs, THRESHOLDS, generator, resamples=2000)
            for name, runs in normal.items()
            if runs
        },
        improvement=better,
        verdict=verdicts(sections, scores, reference, better),
        ranks=average_ranks([sections[index] for index in common], size, chosen, confidence),
        confidence=confidence,
    )


def improvements(
    sections: list[Section], names: list[str], scores: Scores, reference: str, confidence: float
) -> dict[str, Estimate]:
    """How probable it is that a seed of each approach is better than one of the reference, where both have any.

    The intervals hold for all of ``names`` together.
    """
    runs = {name: [values(section, scores, name) for section in sections] for name in [reference, *names]}
    theirs = runs.pop(reference)
    sizes = sorted(tuple(task.size for task in ours) for ours in runs.values())
    critical = _critical_value(tuple(sizes), tuple(task.size for task in theirs), confidence)
    found = {name: improvement.average_improvement(ours, theirs, critical) for name, ours in runs.items()}
    return {name: one for name, one in found.items() if np.isfinite(one.value)}


def verdicts(sections: list[Section], scores: Scores, reference: str, better: dict[str, Estimate]) -> dict[str, str]:
    """``better`` or ``worse`` for each approach whose interval leaves out 1/2, on pairs enough with both."""
    found = {}
    for name, one in better.items():
        both = [s for s in sections if values(s, scores, name).size and values(s, scores, reference).size]
        if _pairs(both) >= FEWEST and (one.low > 0.5 or one.high < 0.5):
            found[name] = "better" if one.low > 0.5 else "worse"
    return found


def average_ranks(sections: list[Section], size: int, names: list[str], confidence: float) -> Ranks | None:
    """One observation per (model, target): of several qualities of the data, the mean rank is ranked."""
    pairs: dict[Any, list[list[float]]] = {}
    for section in sections:
        means = _ranked(section, size)
        pairs.setdefault((section.model, section.target), []).append([-means[name] for name in names])
    if min(len(pairs), len(names)) < 2:
        return None
    ranked = ranks.ranks([ranks.ranks(losses).mean(axis=0) for losses in pairs.values()])
    average = ranked.mean(axis=0)
    tested = len(pairs) >= FEWEST and len(names) > 2  # of two, improvement tells more than a count of signs
    distance = ranks.critical_difference(len(names), len(pairs), confidence) if tested else math.nan
    order = np.argsort(average, kind="stable")
    best_first = {names[index]: float(average[index]) for index in order}
    return Ranks(best_first, distance, ranks.friedman(ranked), len(pairs), confidence)


def sign(section: Section) -> float:
    """What turns the primary metric into a score, of which more is better."""
    return 1.0 if section.one_of(section.primary).better == "higher" else -1.0


def values(section: Section, scores: Scores, approach: str) -> np.ndarray:
    """The primary metric of the seeds, more being better; empty where there is none."""
    key = (section.model, section.target, section.data_quality, section.primary, approach)
    return sign(section) * scores.get(key, np.empty(0))


def _ranked(section: Section, size: int) -> dict[str, float]:
    """Approach, or control, to its mean, more being better; real items compete with nobody."""
    return {p.approach: sign(section) * p.mean for p in section.ranked(size) if p.control not in aggregate.REAL}


def _pairs(sections: list[Section]) -> int:
    return len({(section.model, section.target) for section in sections})


def _scale(section: Section, size: int) -> Scale:
    means = _ranked(section, size)
    controls = {name: mean for name, mean in means.items() if section.approaches[name]}
    approaches = {name: mean for name, mean in means.items() if not section.approaches[name]}
    if not controls or not approaches:
        return Scale(missing="no control has a value" if approaches else "no approach has a value")
    zero, one = min(controls, key=controls.__getitem__), max(approaches, key=approaches.__getitem__)
    if not math.isfinite(approaches[one] - controls[zero]):
        return Scale(missing="a mean is not finite")
    if not approaches[one] > controls[zero]:
        return Scale(missing="no approach is better than the poorer control")
    return Scale(zero, sign(section) * means[zero], one, sign(section) * means[one])


def _normalised(section: Section, scale: Scale, scores: Scores, approach: str) -> np.ndarray:
    zero, one = sign(section) * scale.zero_value, sign(section) * scale.one_value
    return (values(section, scores, approach) - zero) / (one - zero)


@cache
def _critical_value(others: tuple[tuple[int, ...], ...], reference: tuple[int, ...], confidence: float) -> float:
    return improvement.critical_value(others, reference, np.random.default_rng(0), confidence=confidence)
