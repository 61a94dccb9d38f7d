"""Which approach to take: for so many examples, with so much memory, time and storage; or why that cannot be said.

A pure function of what was measured: nothing is extended beyond it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.report import aggregate, comparisons
from bench.report.candidates import MEASURES, Between, Candidate, Floats, Measured, between
from bench.report.comparisons import BEST, TIED, Column

_MORE_SEEDS = 5
_LESS = 0.95


@dataclass(frozen=True)
class Wish:
    """What is asked: target examples, limits by name of :data:`bench.report.candidates.MEASURES`, and whether among
    those that may be the best the best mean is taken (``quality``) or the least of ``seconds`` (``cost``)."""

    data_size: int
    limits: dict[str, float] = field(default_factory=dict)
    optimise: str = "quality"


@dataclass(frozen=True)
class Standing:
    """A candidate that fits, and how it stands.

    Attributes:
        approach, control, costs: as of :class:`bench.report.candidates.Candidate`.
        mean, half_width, covers, seeds: of the primary metric, as of :func:`bench.report.aggregate.summarise`.
        behind, low, high: by how much it is worse than the best mean of those that fit, with a simultaneous interval.
        in_running: whether it may be the best at the size, or at either of the two that it is between.
    """

    approach: str
    control: str
    costs: dict[str, float]
    mean: float
    half_width: float
    covers: str
    seeds: int
    behind: float
    low: float
    high: float
    in_running: bool


@dataclass(frozen=True)
class Cells:
    """Cells that would answer what cannot be said, or settle what is not."""

    approaches: list[str]
    data_sizes: list[int]
    seeds: list[int]
    hint: str = ""


@dataclass(frozen=True)
class Answer:
    """What can be said of one section.

    Attributes:
        sizes: the measured data sizes it rests on: one, or the two that the size is between; empty outside of them.
        take: the approach to take; None where nothing can be said.
        runner_up: the best mean of all others that fit, in the running or not.
        others: those in the running beside it, least costly first.
        too_large: approach to the limits it exceeds, with what it takes.
        unknown: approach to why it was not compared.
        nothing: why nothing can be said; empty where something can.
        cells: what would answer or settle it; None where nothing is open.
    """

    sizes: list[int] = field(default_factory=list)
    take: Standing | None = None
    runner_up: Standing | None = None
    others: list[Standing] = field(default_factory=list)
    too_large: dict[str, dict[str, float]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    nothing: str = ""
    cells: Cells | None = None

    def cheaper(self, other: Standing) -> list[str]:
        """In which of :data:`bench.report.candidates.MEASURES` another one takes at least a twentieth less than the
        approach to take: a smaller difference may be that of two measurements."""
        mine = self.take.costs if self.take else {}
        return [name for name in MEASURES if other.costs.get(name, math.inf) < _LESS * mine.get(name, -math.inf)]


def recommend(measured: Measured, wish: Wish) -> Answer:
    """The approach to take for a section, with its evidence."""
    section, size = measured.section, wish.data_size
    ours = [name for name in measured.names if not section.approaches[name]] or measured.names  # controls stand at all
    known = [one for one in section.sizes if one and any(measured.scores(name, one) for name in ours)]
    names = [name for name in measured.names if any(measured.scores(name, one) for one in section.sizes)]
    if not known or section.one_of(section.primary).better == "none":
        metric = section.primary or "the primary metric"
        why = f"{metric} has no direction that is better" if known else "no approach has a score with target data"
        return Answer(nothing=why, cells=None if known else Cells(measured.names, [size], [0, 1, 2]))
    where = between(known, size)
    if where is None:
        range_ = f"{known[0]} to {known[-1]}" if len(known) > 1 else f"{known[0]} alone"
        why = f"{size} lies outside of the data sizes that were measured, {range_}"
        return Answer(nothing=why, cells=Cells(names, [size], measured.seeds))
    candidates = [measured.candidate(name, where) for name in measured.names]
    unknown = {one.approach: one.missing for one in candidates if one.missing}
    if any(one.pairs > 1 for one in candidates):
        few = {one.approach: _few(one, where) for one in candidates if one.pairs < 2}
        unknown = few | unknown
    scored = [one for one in candidates if one.approach not in unknown]
    unmeasured = {one.approach: lacking for one in scored if (lacking := _unmeasured(one, wish))}
    too_large = {one.approach: over for one in scored if (over := _exceeded(one, wish))}
    fitting = [one for one in scored if one.approach not in too_large and one.approach not in unmeasured]
    common: dict[str, Any] = {"sizes": where.sizes, "too_large": too_large, "unknown": unknown | unmeasured}
    if not fitting:
        return Answer(**common, **_none_fits(scored, too_large, wish, where, measured))
    return _among(fitting, wish, where, measured, common)


def _few(one: Candidate, where: Between) -> str:
    return f"{'one seed' if one.pairs else 'no seed'} with {' and with '.join(map(str, where.sizes))}"


def _unmeasured(one: Candidate, wish: Wish) -> str:
    lacking = [name for name in wish.limits if name not in one.costs]
    return f"{' and '.join(lacking)} not measured" if lacking else ""


def _exceeded(one: Candidate, wish: Wish) -> dict[str, float]:
    return {name: one.costs[name] for name, limit in wish.limits.items() if one.costs.get(name, 0.0) > limit}


def _none_fits(
    scored: list[Candidate], too_large: dict[str, dict[str, float]], wish: Wish, where: Between, measured: Measured
) -> dict[str, Any]:
    if not scored:
        cells = Cells(measured.names, where.sizes, measured.seeds)
        return {"nothing": "no approach was measured at each of these data sizes", "cells": cells}
    if not too_large:
        lacking = " and ".join(name for name in wish.limits if not any(name in one.costs for one in scored))
        return {
            "nothing": f"{lacking or 'what is limited'} was not measured",
            "cells": Cells([one.approach for one in scored], where.sizes, measured.seeds, "with the metric cost"),
        }
    least = min(too_large, key=lambda name: max(value / wish.limits[what] for what, value in too_large[name].items()))
    hint = (
        "with fewer steps or trials"
        if "memory" not in too_large[least]
        else "with smaller batches (budget.micro_batch_size, evaluation.batch_size)"
    )
    return {
        "nothing": f"no approach fits; {least} comes nearest",
        "cells": Cells([least], [wish.data_size], measured.seeds, hint),
    }


def _among(fitting: list[Candidate], wish: Wish, where: Between, measured: Measured, common: dict[str, Any]) -> Answer:
    """The answer, where at least one candidate fits."""
    sign = -1.0 if measured.section.one_of(measured.section.primary).better == "higher" else 1.0
    scores = np.array([one.scores for one in fitting])  # (candidates, sizes, seeds)
    names, seeds = [one.approach for one in fitting], measured.seeds
    items = [measured.over_items(names, size) for size in where.sizes]
    marked = [_may_be_best(sign * scores[:, index], known) for index, known in enumerate(items)]
    if len(fitting) > 1 and not all(marks.any() for marks in marked):
        more = [*seeds, *_further(seeds)][:_MORE_SEEDS]
        few = "one seed is" if len(seeds) == 1 else "too few seeds are"
        why = f"{few} there: nothing can be told apart"
        return Answer(
            **common, nothing=why, cells=Cells(names, where.sizes, [seed for seed in more if seed not in seeds] or more)
        )
    in_running = np.any(marked, axis=0)
    standings = _standings(fitting, where, sign, items, in_running)
    running = [one for one in standings if one.in_running]
    unpriced = [one.approach for one in running if "seconds" not in one.costs]
    if wish.optimise == "cost" and unpriced:
        cells = Cells(unpriced, where.sizes, seeds, "with the metric cost")
        return Answer(**common, nothing=f"seconds were not measured of {', '.join(unpriced)}", cells=cells)
    order = _cost if wish.optimise == "cost" else lambda one: (sign * one.mean, *_cost(one))
    take = min(running, key=order)
    rest = [one for one in standings if one is not take]
    others = sorted((one for one in running if one is not take), key=_cost)
    open_ = Cells([take.approach, *(one.approach for one in others)], where.sizes, _further(seeds)) if others else None
    return Answer(
        **common,
        take=take,
        runner_up=min(rest, key=lambda one: sign * one.mean, default=None),
        others=others,
        cells=open_,
    )


def _may_be_best(losses: Floats, items: Floats | None) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    """Which candidates are in the model confidence set, controls among them: shape (candidates,)."""
    if len(losses) == 1:
        return np.array([True])
    marks = comparisons.judge(Column(losses, [""] * len(losses), items))["mark"]
    return np.isin(marks, [BEST, TIED])


def _standings(
    fitting: list[Candidate], where: Between, sign: float, items: list[Floats | None], in_running: Any
) -> list[Standing]:
    """Errors and covariances over test items are mixed as scores are: between two sizes that is the most they can be,
    since the items are the same at both."""
    known = [one for one in items if one is not None]
    over_items = where.mixed(np.array(known)) if len(known) == len(items) else None
    mixed = where.mixed(np.array([one.scores for one in fitting]).swapaxes(0, 1))
    judged = comparisons.judge(Column(sign * mixed, [""] * len(mixed), over_items))
    found = []
    for index, one in enumerate(fitting):
        scores = mixed[index][np.isfinite(mixed[index])]
        mean, deviation = scores.mean(), scores.std(ddof=1) if len(scores) > 1 else math.nan
        half_width, covers = aggregate.plus_minus([mean], [deviation], [where.mixed(one.errors)], [len(scores)])
        behind, low, high = (float(judged[name][index]) for name in ("behind", "behind_low", "behind_high"))
        score = float(mean), float(half_width[0]), str(covers[0]), len(scores)
        found.append(Standing(one.approach, one.control, one.costs, *score, behind, low, high, bool(in_running[index])))
    return found


def _cost(one: Standing) -> tuple[float, ...]:
    """Least time first, then least stored, then least memory; what is not known last."""
    return tuple(one.costs.get(name, math.inf) for name in ("seconds", "storage", "memory"))


def _further(seeds: list[int]) -> list[int]:
    """As many seeds again as there are, at least :data:`_MORE_SEEDS` in all."""
    first = max(seeds, default=-1) + 1
    return list(range(first, first + max(len(seeds), _MORE_SEEDS - len(seeds))))
