"""How approaches rank across models and targets of a run: whether what wins on one modality wins on another."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report import aggregate, page, wording
from bench.report.sections import Section
from bench.statistics import intervals, tasks

if TYPE_CHECKING:
    import pandas as pd

REFERENCE = "full_finetuning"
"""What all others are compared with, where a run has it."""

_TEMPLATE = "across.html.jinja"


@dataclass(frozen=True)
class Place:
    """Where an approach stands in one section.

    Attributes:
        rank: 1 for the best mean of the primary metric; controls are ranked too, real items are not.
        of: how many have a value there.
        mark: ``best`` or ``tied`` among the approaches, ``ahead`` for a control that is better, or "".
    """

    rank: int
    of: int
    mark: str

    @property
    def share(self) -> float:
        """0 for the best, 1 for the worst: comparable between sections in which different approaches apply."""
        return (self.rank - 1) / (self.of - 1) if self.of > 1 else 0.0


@dataclass(frozen=True)
class Standing:
    """One approach across sections.

    Attributes:
        places: one for each section of the table, None where it has no value.
        share, half_width: mean of :attr:`Place.share` and its interval over sections.
        first: in how many sections it is best or cannot be told from the best.
        improvement, improvement_half_width: how probable it is that a seed of it is better than one of
            :data:`REFERENCE`, the mean over sections and its interval; NaN where there is nothing to compare with.
    """

    approach: str
    control: str
    places: list[Place | None]
    share: float
    half_width: float
    first: int
    improvement: float
    improvement_half_width: float

    @property
    def sections(self) -> int:
        """How many sections it has a value in."""
        return sum(place is not None for place in self.places)


@dataclass(frozen=True)
class Ranking:
    """All approaches at one data size, best mean share first."""

    size: int
    sections: list[Section]
    standings: list[Standing]


def rankings(sections: list[Section], frame: "pd.DataFrame") -> list[Ranking]:
    """A ranking for each data size that at least two sections have; none where there are not two to compare.

    Args:
        sections: of a run.
        frame: the tidy table they are made of.
    """
    rows = aggregate.spread(frame)
    found = []
    for size in sorted({size for section in sections for size in section.sizes if size}):
        here = [section for section in sections if size in section.sizes and section.ranked(size)]
        if len(here) > 1:
            found.append(Ranking(size, here, _standings(here, size, rows[rows["data_size"] == size])))
    return found


def _standings(sections: list[Section], size: int, rows: "pd.DataFrame") -> list[Standing]:
    keys = [*aggregate.PAIR, "metric", "approach"]
    scores = {key: group.to_numpy(dtype=float) for key, group in rows.groupby(keys, sort=False)["value"]}
    places = [_places(section, size) for section in sections]
    controls = {name: control for section in sections for name, control in section.approaches.items()}
    found = [
        _standing(name, control, [mine.get(name) for mine in places], _improvement(name, sections, scores))
        for name, control in controls.items()
        if control not in aggregate.REAL and any(name in mine for mine in places)
    ]
    return sorted(found, key=lambda standing: standing.share)


def _places(section: Section, size: int) -> dict[str, Place]:
    ranked = [point for point in section.ranked(size) if point.control not in aggregate.REAL]
    values = [point.mean for point in ranked]
    return {point.approach: Place(1 + values.index(point.mean), len(ranked), point.mark) for point in ranked}


def _improvement(approach: str, sections: list[Section], scores: dict[Any, np.ndarray]) -> list[float]:
    """Of each section that has both, the probability that a seed of the approach beats one of the reference."""
    ours, theirs = [], []
    for section in sections:
        sign = 1.0 if section.one_of(section.primary).better == "higher" else -1.0
        where = (section.model, section.target, section.data_quality, section.primary)
        pair = scores.get((*where, approach)), scores.get((*where, REFERENCE))
        if approach != REFERENCE and pair[0] is not None and pair[1] is not None:
            ours.append(sign * pair[0])
            theirs.append(sign * pair[1])
    return list(tasks.probability_of_improvement(ours, theirs))


def _standing(approach: str, control: str, places: list[Place | None], improvement: list[float]) -> Standing:
    known = [place for place in places if place is not None]
    share, half_width = intervals.interval([place.share for place in known])
    better, better_half_width = intervals.interval(improvement)
    first = sum(place.mark in (aggregate.BEST, aggregate.TIED, aggregate.AHEAD) for place in known)
    return Standing(approach, control, places, share, half_width, first, better, better_half_width)


def render(info: dict[str, Any], found: list[Ranking]) -> str:
    """The page as HTML.

    Args:
        info: the content of ``run.json``.
        found: what :func:`rankings` found.
    """
    return (
        page.environment()
        .get_template(_TEMPLATE)
        .render(info=info, rankings=found, words=wording, reference=REFERENCE, percent=percent)
    )


def percent(value: float, half_width: float) -> str:
    """``62 % ±11``; ``—`` where there is no value. An interval that holds everything is left out: it says nothing."""
    if math.isnan(value):
        return "—"
    return f"{100 * value:.0f} %" + (f" ±{100 * half_width:.0f}" if half_width < 1 else "")
