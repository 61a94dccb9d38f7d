"""How approaches rank across models and targets of a run: whether what wins on one modality wins on another."""

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.report import aggregate, page, samples, wording
from bench.report.overall import ERROR, FEWEST, Overall, overall
from bench.report.sections import Section
from bench.statistics import placing
from bench.statistics.tasks import Estimate

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
        share, half_width: mean of :attr:`Place.share` and half its interval over (model, target) pairs, which holds for
            all approaches and data sizes together (:func:`mean_places`); NaN where there is none.
        first: in how many sections it is best or cannot be told from the best.
        score: interquartile mean of its normalised scores; None where it has none.
        improvement: how probable it is that a seed of it is better than one of :data:`REFERENCE`; None where there is
            nothing to compare with.
        verdict: ``better`` or ``worse`` than the reference, or "".
        rank: average rank; NaN where it is not ranked.
    """

    approach: str
    control: str
    places: list[Place | None]
    share: float
    half_width: float
    first: int
    score: Estimate | None
    improvement: Estimate | None
    verdict: str
    rank: float

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
    overall: Overall


def rankings(sections: list[Section], frame: "pd.DataFrame") -> list[Ranking]:
    """A ranking for each data size that at least two sections have; none where there are not two to compare.

    Args:
        sections: of a run.
        frame: the tidy table they are made of.
    """
    rows = aggregate.spread(frame)
    sizes = sorted({size for section in sections for size in section.sizes if size})
    shared = {size: [one for one in sections if size in one.sizes and one.ranked(size)] for size in sizes}
    shared = {size: here for size, here in shared.items() if len(here) > 1}
    return [_ranking(here, size, rows[rows["data_size"] == size], len(shared)) for size, here in shared.items()]


def _ranking(sections: list[Section], size: int, rows: "pd.DataFrame", of: int) -> Ranking:
    keys = [*aggregate.PAIR, "metric", "approach"]
    scores = {key: group.to_numpy(dtype=float) for key, group in rows.groupby(keys, sort=False)["value"]}
    found = overall(sections, size, scores, REFERENCE, rankings=of)
    places = [places_in(section, size) for section in sections]
    controls = {name: control for section in sections for name, control in section.approaches.items()}
    names = [name for name, control in controls.items() if control not in aggregate.REAL]
    names = [name for name in names if any(name in mine for mine in places)]
    standings = []
    for name, (share, half_width) in mean_places(sections, places, names, of).items():
        mine = [place.get(name) for place in places]
        first = sum(place.mark in (aggregate.BEST, aggregate.TIED, aggregate.AHEAD) for place in mine if place)
        standings.append(
            Standing(
                approach=name,
                control=controls[name],
                places=mine,
                share=share,
                half_width=half_width,
                first=first,
                score=found.score.get(name),
                improvement=found.improvement.get(name),
                verdict=found.verdict.get(name, ""),
                rank=found.ranks.average.get(name, math.nan) if found.ranks else math.nan,
            )
        )
    return Ranking(size, sections, sorted(standings, key=lambda standing: standing.share), found)


def places_in(section: Section, size: int) -> dict[str, Place]:
    """Where each approach and control stands at one data size."""
    ranked = [point for point in section.ranked(size) if point.control not in aggregate.REAL]
    values = [point.mean for point in ranked]
    return {point.approach: Place(1 + values.index(point.mean), len(ranked), point.mark) for point in ranked}


def mean_places(
    sections: list[Section], places: list[dict[str, Place]], names: list[str], rankings: int = 1
) -> dict[str, tuple[float, float]]:
    """The mean of each approach's :attr:`Place.share` over (model, target) pairs, and half the width of its interval.

    Of several qualities of the data of a pair the mean is one observation. Where all are equal, at most one page in
    twenty (:data:`ERROR`) has an interval, of any approach at any data size, without their mean place.

    Args:
        sections: those with values at one data size.
        places: of each section, by approach.
        names: of all approaches and controls that are ranked.
        rankings: how many data sizes the page shows.
    """
    known = {pair: index for index, pair in enumerate(dict.fromkeys((one.model, one.target) for one in sections))}
    pairs = tuple(known[one.model, one.target] for one in sections)
    shares = np.array([[place[name].share if name in place else math.nan for name in names] for place in places])
    held = np.isfinite(shares)
    critical = _critical_values(held.tobytes(), held.shape, pairs, 1 - ERROR / rankings)
    found = zip(*placing.mean_places(shares, pairs, critical), strict=True)
    return {name: (float(mean), float(half)) for name, (mean, half) in zip(names, found, strict=True)}


@cache
def _critical_values(held: bytes, shape: tuple[int, ...], pairs: tuple[int, ...], confidence: float) -> np.ndarray:
    present = np.frombuffer(held, dtype=bool).reshape(shape)
    return placing.critical_values(present, pairs, np.random.default_rng(0), confidence)


def render(info: dict[str, Any], found: list[Ranking], plots: Sequence[dict[str, dict[str, bytes]]] = ()) -> str:
    """The page as HTML.

    Args:
        info: the content of ``run.json``.
        found: what :func:`rankings` found.
        plots: of each ranking figure name to bytes by format, as :func:`bench.report.plots.draw_across` returns them.
    """
    drawn = plots or [{} for _ in found]
    figures = [
        {name: samples.data_address(made["svg"], "image/svg+xml") for name, made in one.items()} for one in drawn
    ]
    return (
        page.environment()
        .get_template(_TEMPLATE)
        .render(
            info=info,
            rankings=found,
            figures=figures,
            words=wording,
            reference=REFERENCE,
            fewest=FEWEST,
            percent=percent,
            between=between,
        )
    )


def table(found: list[Ranking]) -> str:
    """All of it as CSV, one row per data size and approach; six digits, so that machines agree on the file."""
    text = io.StringIO()
    rows = [_row(ranking, standing) for ranking in found for standing in ranking.standings]
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: _cell(value) for key, value in row.items()} for row in rows)
    return text.getvalue()


def _row(ranking: Ranking, one: Standing) -> dict[str, Any]:
    found, ranked = ranking.overall, ranking.overall.ranks
    none = Estimate(*np.full(3, np.nan))
    score, better = one.score or none, one.improvement or none
    is_ranked = ranked is not None and not math.isnan(one.rank)
    return {
        "data_size": ranking.size,
        "approach": one.approach,
        "control": one.control,
        "sections": one.sections,
        "mean_place": one.share,
        "mean_place_half_width": one.half_width,
        "first": one.first,
        "reference": REFERENCE if one.improvement else "",
        "improvement": better.value,
        "improvement_low": better.low,
        "improvement_high": better.high,
        "verdict": one.verdict,
        "score_sections": found.scored if one.score else 0,
        "score": score.value,
        "score_low": score.low,
        "score_high": score.high,
        "rank_pairs": ranked.pairs if ranked and is_ranked else 0,
        "rank": one.rank,
        "critical_difference": ranked.distance if ranked and is_ranked else math.nan,
    }


def _cell(value: Any) -> Any:
    if isinstance(value, str | int):
        return value
    return "" if math.isnan(value) else f"{float(value):.6g}"


def percent(value: float, half_width: float) -> str:
    """``62 % ±11``; ``—`` where there is no value, and nothing where there is no interval."""
    if math.isnan(value):
        return "—"
    return f"{100 * value:.0f} %" + (f" ±{100 * half_width:.0f}" if math.isfinite(half_width) else "")


def between(found: Estimate | None, scale: float = 1.0, places: int = 2) -> tuple[str, str]:
    """``0.82`` and ``0.75 to 0.88``; ``—`` where there is no value, and nothing where there is no interval."""
    if found is None:
        return "—", ""
    shown = [wording.number(scale * float(number), places) for number in found]
    return shown[0], f"{shown[1]} to {shown[2]}" if math.isfinite(found.low) else ""
