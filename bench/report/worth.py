"""What approaches are worth: the from-scratch examples they replace, their areas, and what a target quality takes.

Only for sections in which from_scratch was measured at two or more data sizes.
"""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.report import aggregate
from bench.report.curves import Check, Track
from bench.report.sections import Section
from bench.statistics import intervals
from bench.statistics import worth as statistics
from bench.statistics.worth import Key, Worth

if TYPE_CHECKING:
    import pandas as pd

SCRATCH = "from_scratch"


@dataclass(frozen=True)
class Reached:
    """What the chosen trials of one entry took to come as low as the target.

    Attributes:
        seeds: how many have a training curve.
        reached: how many of them got there.
        steps, seconds: median, least and most over seeds; infinite where half of them, or one, did not.
    """

    seeds: int
    reached: int
    steps: tuple[float, float, float]
    seconds: tuple[float, float, float]


@dataclass(frozen=True)
class Found:
    """What a section's approaches are worth.

    Attributes:
        section: whose.
        scratch_sizes: data sizes at which from_scratch has scores, ascending.
        improves: whether its curve surely ends better than it begins.
        rises: pairs of sizes between which it surely gets worse.
        seeds: the most seeds that an interval rests on; below 2 there is none.
        worth: by approach and data size, 0 for what has one value for all.
        marks: of these, 1 where one is surely more than one per example and -1 where it is less, all held together.
        areas: approach to mean, half width of its interval and number of seeds; those that have every size.
        target: the validation loss that each seed of from_scratch comes down to at its largest size; NaN where there
            are no curves.
        reached: by approach and data size.
    """

    section: Section
    scratch_sizes: list[int]
    improves: bool
    rises: list[tuple[int, int]]
    seeds: int
    worth: dict[Key, Worth]
    marks: dict[Key, int]
    areas: dict[str, tuple[float, float, int]]
    target: float
    reached: dict[Key, Reached]


def find(section: Section, rows: "pd.DataFrame", tracks: dict[Key, Track]) -> Found | None:
    """What a section's approaches are worth by its primary metric; None where from_scratch has too few sizes.

    Args:
        section: the section.
        rows: of :func:`bench.report.aggregate.spread`; those of the section are looked for.
        tracks: of :func:`bench.report.curves.read_tracks`.
    """
    scores = _scores(section, rows)
    name = next((name for name, control in section.approaches.items() if control == SCRATCH), "")
    sizes = [size for size in section.sizes if size and (name, size) in scores]
    if len(sizes) < 2 or section.one_of(section.primary).better == "none":
        return None
    sign = -1.0 if section.one_of(section.primary).better == "higher" else 1.0
    seeds = sorted({seed for found in scores.values() for seed in found})
    scratch = sign * np.array([_row(scores[name, size], seeds) for size in sizes])
    losses = {
        key: sign * _row(found, seeds)
        for key, found in scores.items()
        if key[0] != name and section.approaches[key[0]] not in aggregate.REAL
    }
    worth = {key: statistics.worth(sizes, scratch, mine) for key, mine in losses.items()}
    goal = _goal(tracks.get((name, sizes[-1]), {}))
    return Found(
        section=section,
        scratch_sizes=sizes,
        improves=statistics.improves(scratch),
        rises=[(sizes[right - 1], sizes[right]) for right in statistics.rises(scratch)],
        seeds=max((one.pairs for one in worth.values()), default=0),
        worth=worth,
        marks=statistics.marks(sizes, scratch, losses),
        areas=_areas(section, scores, seeds),
        target=goal,
        reached={key: _reached(track, goal) for key, track in tracks.items()} if math.isfinite(goal) else {},
    )


def _scores(section: Section, rows: "pd.DataFrame") -> dict[Key, dict[int, float]]:
    """(approach, data size) to seed to score of the primary metric; size 0 for what has one value for all."""
    mine = rows[
        (rows["model"] == section.model)
        & (rows["target"] == section.target)
        & (rows["data_quality"] == section.data_quality)
        & (rows["metric"] == section.primary)
    ]
    found: dict[Key, dict[int, float]] = {}
    columns = mine[["approach", "data_size", "spans", "seed", "value"]]
    for approach, size, spans, seed, value in columns.itertuples(index=False, name=None):
        found.setdefault((approach, 0 if spans else int(size)), {})[seed] = value
    order = {name: place for place, name in enumerate(section.approaches)}
    return dict(sorted(found.items(), key=lambda item: (order[item[0][0]], item[0][1])))


def _row(found: dict[int, float], seeds: list[int]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([found.get(seed, math.nan) for seed in seeds])


def _areas(
    section: Section, scores: dict[Key, dict[int, float]], seeds: list[int]
) -> dict[str, tuple[float, float, int]]:
    found = {}
    for name, control in section.approaches.items():
        if control in aggregate.REAL:
            continue
        level = scores.get((name, 0))
        curve = [level or scores.get((name, size), {}) for size in section.sizes]
        areas = statistics.area(section.sizes, [_row(one, seeds) for one in curve])
        if (known := areas[np.isfinite(areas)]).size:
            found[name] = (*intervals.interval(known), int(known.size))
    return found


def _goal(track: Track) -> float:
    """The lowest validation loss on the target, of the seed in which that is highest: all seeds reach it."""
    lowest = [min(there) for checks in track.values() if (there := [check.loss for check in checks if not check.stage])]
    return max(lowest, default=math.nan)


def _reached(track: Track, goal: float) -> Reached:
    """The first validation at which each seed is as low as the goal; validations are all that is known of a curve."""
    firsts: list[Check | None] = [
        next((check for check in checks if not check.stage and check.loss <= goal), None) for checks in track.values()
    ]
    steps = [math.inf if first is None else float(first.step) for first in firsts]
    seconds = [math.inf if first is None else first.seconds for first in firsts]
    there = sum(first is not None for first in firsts)
    return Reached(len(firsts), there, statistics.typical(steps), statistics.typical(seconds))


COLUMNS = (
    *("model", "target", "data_quality", "metric", "approach", "data_size"),
    *("effective_examples", "side", "effective_low", "effective_high", "transferred_examples"),
    *("multiplier", "multiplier_low", "multiplier_high", "pairs"),
    *("area", "area_half_width", "area_seeds"),
    *("target_validation_loss", "seeds", "reached", "steps", "steps_least", "steps_most"),
    *("seconds", "seconds_least", "seconds_most"),
)
"""Columns of ``worth.csv``. ``side`` is ``inside``, ``at_least``, ``at_most`` or ``unknown``
(:mod:`bench.statistics.worth`); an interval is open where an end is 0 or ``inf``; an area is of the whole range, and
stands in every row of its approach."""


def csv(found: list[Found]) -> str:
    """One row per section, approach and data size."""
    import pandas as pd

    rows = [row for one in found for row in _csv_rows(one)]
    return pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(index=False, lineterminator="\n")


def _csv_rows(found: Found) -> list[dict[str, object]]:
    section, rows = found.section, []
    place = {name: getattr(section, name) for name in ("model", "target", "data_quality")}
    keys = {(name, size) for name in found.areas for size in section.sizes if (name, 0) not in found.worth}
    order = {name: index for index, name in enumerate(section.approaches)}
    for name, size in sorted({*keys, *found.worth, *found.reached}, key=lambda key: (order[key[0]], key[1])):
        row: dict[str, object] = place | {"metric": section.primary, "approach": name, "data_size": size}
        if one := found.worth.get((name, size)):
            effective = {"effective_examples": one.effective, "side": one.side, "effective_low": one.low}
            row |= effective | {"effective_high": one.high, "transferred_examples": one.transferred(size)}
            row |= _three("multiplier", one.multiplier(size), "low", "high") | {"pairs": one.pairs}
        if name in found.areas:
            row |= dict(zip(("area", "area_half_width", "area_seeds"), found.areas[name], strict=True))
        if there := found.reached.get((name, size)):
            row |= {"target_validation_loss": found.target, "seeds": there.seeds, "reached": there.reached}
            row |= _three("steps", there.steps, "least", "most") | _three("seconds", there.seconds, "least", "most")
        rows.append(row)
    return rows


def _three(name: str, values: tuple[float, float, float], low: str, high: str) -> dict[str, float]:
    return dict(zip((name, f"{name}_{low}", f"{name}_{high}"), values, strict=True))
