"""How candidates stand: which may be the best, and how far each is behind."""

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from bench.report import aggregate, comparisons
from bench.report.candidates import Between, Candidate, Floats, Measured
from bench.report.comparisons import BEST, HELD_AGAINST, OUTDONE, TIED, Column
from bench.statistics.variances import ROUNDING

_ERRS = 0.05

EQUAL, CONSTANT = "equal", "constant"


@dataclass(frozen=True)
class Standing:
    """A candidate that fits, and how it stands.

    Attributes:
        approach, control, costs, asked, failed: as of :class:`bench.report.candidates.Candidate`.
        mean, half_width, covers, seeds: of the primary metric, as of :func:`bench.report.aggregate.summarise`.
        behind, low, high: by how much it is worse than the best of those that fit, over shared seeds, with a
            simultaneous interval; NaN where nothing is known.
        in_running: whether it may be the best at the size; between two, whether it may be at either or there.
    """

    approach: str
    control: str
    costs: dict[str, float]
    mean: float
    half_width: float
    covers: str
    seeds: int
    asked: int
    failed: dict[str, int] = field(default_factory=dict)
    behind: float = math.nan
    low: float = math.nan
    high: float = math.nan
    in_running: bool = False


def alone(
    one: Candidate,
    where: Between,
    behind: tuple[float, float, float] = (math.nan, math.nan, math.nan),
    in_running: bool = False,
) -> Standing:
    """A candidate's own scores, and what comparisons said of it: how far behind it is, and that interval's ends."""
    mixed = where.mixed(one.scores)
    scores = mixed[np.isfinite(mixed)]
    mean, deviation = scores.mean() if len(scores) else math.nan, scores.std(ddof=1) if len(scores) > 1 else math.nan
    half_width, covers = aggregate.plus_minus([mean], [deviation], [where.mixed(one.errors)], [len(scores)])
    score = float(mean), float(half_width[0]), str(covers[0]), len(scores)
    return Standing(one.approach, one.control, one.costs, *score, one.asked, one.failed, *behind, in_running)


def standings(candidates: list[Candidate], where: Between, measured: Measured) -> list[Standing]:
    """How candidates stand that share seeds.

    Approaches are judged among themselves, and each control is held against them by differences, as the report's page
    does; controls are not held against each other, and without an approach there are only their means.

    Errors and covariances over test items are mixed as scores are: between two sizes that is the most they can be,
    since the items are the same at both.
    """
    names, controls = [one.approach for one in candidates], [one.control for one in candidates]
    losses = measured.sign * np.array([one.scores for one in candidates])  # (candidates, sizes, seeds)
    items = [measured.over_items(names, size) for size in where.sizes]
    known = [one for one in items if one is not None]
    there = Column(
        where.mixed(losses.swapaxes(0, 1)), controls, where.mixed(np.array(known)) if len(known) == len(items) else None
    )
    if all(controls):
        means = np.nanmean(there.losses, axis=1)
        return [
            alone(one, where, (float(mean - means.min()), math.nan, math.nan), in_running=True)
            for one, mean in zip(candidates, means, strict=True)
        ]
    at_either = [Column(losses[:, index], controls, of) for index, of in enumerate(items)] if len(items) > 1 else []
    in_running = np.any([_may_be_best(column) for column in [there, *at_either]], axis=0)
    behind = _behind(there)
    return [
        alone(one, where, (row[0], row[1], row[2]), bool(running))
        for one, row, running in zip(candidates, behind.T.tolist(), in_running, strict=True)
    ]


def _judged(column: Column) -> comparisons.Found:
    """The approaches' set and the intervals against each control err once in twenty all together (Bonferroni)."""
    sets = int(column.controls.count("") > 1) + sum(control != "" for control in column.controls)
    return comparisons.judge(column, 1 - _ERRS / max(sets, 1))


def _may_be_best(column: Column) -> "npt.NDArray[np.bool_]":
    """Approaches of the set that are not surely worse than a control, and controls that no approach is surely better
    than; shape (candidates,)."""
    found = _judged(column)
    is_control = np.array([bool(control) for control in column.controls])
    worse = np.any([found[mark] for mark in HELD_AGAINST.values()], axis=0)
    approaches = np.isin(found["mark"], [BEST, TIED, OUTDONE]) & ~worse
    return np.asarray(np.where(is_control, ~(found["behind_low"] > 0), approaches))


def _behind(column: Column) -> Floats:
    """How far each is behind the best, low, high, shape (3, candidates): behind the best approach, or behind a control
    that is better; of a second control only the difference of means is known."""
    found = _judged(column)
    best = int(np.nanargmin(found["behind"]))
    if not column.controls[best]:
        return np.array([found[name] for name in ("behind", "behind_low", "behind_high")])
    held = _judged(column._replace(baseline=best))
    behind = np.array([held[f"behind_baseline{end}"] for end in ("", "_low", "_high")])
    for row, control in enumerate(column.controls):
        if control:
            apart = column.losses[row] - column.losses[best]
            behind[:, row] = np.nanmean(apart) if np.isfinite(apart).any() else math.nan, math.nan, math.nan
    behind[:, best] = 0.0
    return behind


def likeness(one: Candidate, other: Candidate) -> str:
    """``equal`` where two have the same scores in every seed that they share, ``constant`` where seeds do not change
    how far apart they are: no further seed tells such from each other."""
    apart = (one.scores - other.scores)[:, np.isfinite(one.scores - other.scores).all(axis=0)]
    if apart.shape[1] < 2:
        return ""
    rounding = ROUNDING * float(np.nanmax(np.abs([one.scores, other.scores])))
    if (np.abs(apart) <= rounding).all():
        return EQUAL
    return CONSTANT if (np.ptp(apart, axis=1) <= rounding).all() else ""
