"""Which approach to take: for so many examples, with so much memory, time and storage; or why that cannot be said.

A pure function of what was measured: nothing is extended beyond it.
"""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from bench.report import standings
from bench.report.candidates import MEASURES, Between, Candidate, Measured, between
from bench.report.standings import Standing
from bench.statistics.variances import comparable

_MORE_SEEDS = 5
_LESS = 0.95

ALONE, CONTROLS, RISK = "alone", "controls", "risk"
"""Why an answer rests on no comparison: one candidate is all there is; controls are, of which only means are known; no
approach that fits ended well with all of its seeds."""


@dataclass(frozen=True)
class Wish:
    """What is asked: target examples, limits by name of :data:`bench.report.candidates.MEASURES`, and whether among
    those that may be the best the best mean is taken (``quality``), or (``cost``) the best mean of those whose
    ``seconds`` are the least, or as good as: a twentieth more may be that of two measurements."""

    data_size: int
    limits: dict[str, float] = field(default_factory=dict)
    optimise: str = "quality"


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
        runner_up: the best mean of all others that were compared, in the running or not.
        others: those in the running beside it, least costly first.
        alike: of these, name to ``equal`` or ``constant``, as of :func:`bench.report.standings.likeness` with it.
        unreliable: approaches that fit and did not end well with all of their seeds, where others did: one of these is
            taken, however well the seeds that are left score, as nobody knows which seeds will end well elsewhere.
        too_large: approach to the limits it exceeds, with what it takes.
        unknown: approach to why it was not compared.
        caveat: why it rests on no comparison; empty where it does.
        nothing: why nothing can be said; empty where something can.
        cells: what would answer or settle it; None where nothing is open.
        untried: cells of those that were not compared and may be better; None where there are none.
    """

    sizes: list[int] = field(default_factory=list)
    take: Standing | None = None
    runner_up: Standing | None = None
    others: list[Standing] = field(default_factory=list)
    alike: dict[str, str] = field(default_factory=dict)
    unreliable: list[Standing] = field(default_factory=list)
    too_large: dict[str, dict[str, float]] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    caveat: str = ""
    nothing: str = ""
    cells: Cells | None = None
    untried: Cells | None = None

    @property
    def confident(self) -> bool:
        """Whether the approach to take is the only one that may be the best."""
        return bool(self.take) and not (self.others or self.caveat or self.untried)

    def cheaper(self, other: Standing) -> list[str]:
        """In which of :data:`bench.report.candidates.MEASURES` another one takes at least a twentieth less than the
        approach to take: a smaller difference may be that of two measurements."""
        mine = self.take.costs if self.take else {}
        return [name for name in MEASURES if other.costs.get(name, math.inf) < _LESS * mine.get(name, -math.inf)]


def recommend(measured: Measured, wish: Wish) -> Answer:
    """The approach to take for a section, with its evidence."""
    section, size, known = measured.section, wish.data_size, measured.sizes
    if measured.unranked:
        return Answer(nothing=measured.unranked)
    if not known:
        cells = Cells(measured.names, [size], [0, 1, 2]) if measured.names else None
        return Answer(nothing="no approach has a score with target data", cells=cells)
    where = between(known, size)
    if where is None:
        names = [name for name in measured.names if any(measured.scores(name, one) for one in section.sizes)]
        range_ = f"{known[0]} to {known[-1]}" if len(known) > 1 else f"{known[0]} alone"
        why = f"{size} lies outside of the data sizes at which approaches have scores, {range_}"
        return Answer(nothing=why, cells=Cells(names, [size], measured.seeds))
    return _Choice(measured, wish, where).answer()


class _Choice:
    """Candidates at one data size, and what becomes of each."""

    def __init__(self, measured: Measured, wish: Wish, where: Between) -> None:
        self.measured, self.wish, self.where = measured, wish, where
        self.all = [measured.candidate(name, where) for name in measured.names]
        self.unknown = {one.approach: one.missing for one in self.all if one.missing}
        self.scored = [one for one in self.all if not one.missing]
        self.unpriced = {one.approach: lacking for one in self.scored if (lacking := self._unpriced(one))}
        self.too_large = {one.approach: over for one in self.scored if (over := self._exceeded(one))}
        fitting = [one for one in self.scored if one.approach not in self.too_large | self.unpriced]
        sound = [one for one in fitting if one.pairs > 1 and not one.failed]
        is_sound = any(not one.control for one in sound)
        self.unreliable = [one for one in fitting if one.failed and one.pairs] if is_sound else []
        self.few = [one for one in fitting if one not in self.unreliable and one.pairs < 2]
        self.field = [one for one in fitting if one not in self.unreliable and one.pairs > 1]
        self.fitting = fitting

    def answer(self) -> Answer:
        apart = self._apart()
        self.field = [one for one in self.field if one not in apart]
        if not self.fitting:
            return self._answer(**self._none_fits())
        if not self.field or (self._is_of_controls and any(not one.control for one in self.few + apart)):
            return self._too_few(self.few + apart)
        if self._is_of_controls and self._open():
            return self._answer(nothing="controls alone are left, and whether an approach is better is not known")
        self.unknown |= {one.approach: self._few(one) for one in self.few}
        self.unknown |= {one.approach: "shares no two seeds with the others" for one in apart}
        return self._among(standings.standings(self.field, self.where, self.measured))

    @property
    def _is_of_controls(self) -> bool:
        return all(one.control for one in self.field)

    def _apart(self) -> list[Candidate]:
        """Those of the field that share no two seeds with the others: approaches, then controls."""
        held = {one.approach: np.isfinite(one.scores).all(axis=0) for one in self.field}
        ours = [one for one in self.field if not one.control]
        linked = comparable([held[one.approach] for one in ours]) if len(ours) > 1 else [True] * len(ours)
        apart = [one for one, is_linked in zip(ours, linked, strict=True) if not is_linked]
        left = [held[one.approach] for one in ours if one not in apart]
        controls = [one for one in self.field if one.control and left]
        return apart + [one for one in controls if max((held[one.approach] & of).sum() for of in left) < 2]

    def _open(self, best: Candidate | None = None) -> list[str]:
        """Who may be the answer, too: all that were not compared, but for those that never ended well there, and those
        of unknown costs that are surely worse."""
        hopeless = [one.approach for one in self.all if one.hopeless]
        left = [name for name in self.unknown if name not in hopeless]
        for one in self.scored:
            if one.approach in self.unpriced and one.approach not in self.too_large:
                pair = [each for each in (best, one) if each and each.pairs > 1]
                judged = standings.standings(pair, self.where, self.measured) if len(pair) > 1 else []
                left += [one.approach] if not judged or judged[1].in_running else []
        return left

    def _answer(self, best: Candidate | None = None, **found: Any) -> Answer:
        unreliable = [standings.alone(one, self.where) for one in self.unreliable]
        names, hint = self._open(best), "with the metric cost" if self.unpriced else ""
        untried = Cells(names, self.where.sizes, self._lacking(names) or self.measured.seeds, hint) if names else None
        if cells := found.get("cells"):
            untried = untried if set(names) - set(cells.approaches) else None
        common: dict[str, Any] = {"sizes": self.where.sizes, "too_large": self.too_large, "untried": untried}
        return Answer(**common, unreliable=unreliable, unknown=self.unknown | self.unpriced, **found)

    def _few(self, one: Candidate) -> str:
        return f"{'one seed' if one.pairs else 'no seed'} with {' and with '.join(map(str, self.where.sizes))}"

    def _unpriced(self, one: Candidate) -> str:
        lacking = [name for name in self.wish.limits if name not in one.costs]
        return f"{' and '.join(lacking)} not measured" if lacking else ""

    def _exceeded(self, one: Candidate) -> dict[str, float]:
        return {name: one.costs[name] for name, limit in self.wish.limits.items() if one.costs.get(name, 0.0) > limit}

    def _none_fits(self) -> dict[str, Any]:
        measured, limits, sizes = self.measured, self.wish.limits, self.where.sizes
        if not self.scored:
            cells = Cells(measured.names, sizes, measured.seeds)
            return {"nothing": "no approach was measured at each of these data sizes", "cells": cells}
        if not self.too_large:
            lacking = " and ".join(name for name in limits if not any(name in one.costs for one in self.scored))
            cells = Cells([one.approach for one in self.scored], sizes, measured.seeds, "with the metric cost")
            return {"nothing": f"{lacking or 'what is limited'} was not measured", "cells": cells}
        over = self.too_large
        least = min(over, key=lambda name: max(value / limits[what] for what, value in over[name].items()))
        hint = (
            "with fewer steps or trials"
            if "memory" not in over[least]
            else "with smaller batches (budget.micro_batch_size, evaluation.batch_size)"
        )
        which = "no approach that was measured there" if self._open() else "no approach"
        cells = Cells([least], [self.wish.data_size], measured.seeds, hint)
        return {"nothing": f"{which} fits; {least} comes nearest", "cells": cells}

    def _too_few(self, left: list[Candidate]) -> Answer:
        seeds, names = self.measured.seeds, [one.approach for one in [*left, *self.field]]
        few = "one seed is" if len(seeds) == 1 else "too few seeds are"
        lone = f"{left[0].approach} is the only one that is known to fit, and " if len(names) == 1 else ""
        more = [seed for seed in [*seeds, *_further(seeds)][:_MORE_SEEDS] if seed not in seeds] or seeds
        if any(one.pairs > 1 for one in left):
            few, more = "no two approaches share two seeds", seeds
            return self._answer(nothing=f"{few}: nothing can be told apart", cells=Cells(names, self.where.sizes, more))
        why = f"{lone}{few} there: nothing can be told apart"
        return self._answer(nothing=why, cells=Cells(names, self.where.sizes, more))

    def _among(self, found: list[Standing]) -> Answer:
        """The answer, where at least one candidate fits and has seeds enough."""
        seeds, by_name = self.measured.seeds, {one.approach: one for one in self.field}
        running = [one for one in found if one.in_running]
        unpriced = [one.approach for one in running if "seconds" not in one.costs]
        if self.wish.optimise == "cost" and unpriced:
            cells = Cells(unpriced, self.where.sizes, seeds, "with the metric cost")
            return self._answer(nothing=f"seconds were not measured of {', '.join(unpriced)}", cells=cells)
        take = min(_quick(running) if self.wish.optimise == "cost" else running, key=_quality)
        others = sorted((one for one in running if one is not take), key=_cost)
        alike = {
            one.approach: how
            for one in others
            if (how := standings.likeness(by_name[take.approach], by_name[one.approach]))
        }
        settled = [one.approach for one in others if one.approach not in alike and not (take.control and one.control)]
        return self._answer(
            by_name[take.approach],
            take=take,
            runner_up=min((one for one in found if one is not take), key=_quality, default=None),
            others=others,
            alike=alike,
            caveat=self._caveat(),
            cells=self._settling([take.approach, *settled]) if settled else None,
        )

    def _settling(self, names: list[str]) -> Cells:
        """First the seeds that one of these has and others lack, for these; then further ones, for all."""
        if lacking := self._lacking(names):
            fewer = [name for name in names if self._lacking([name])]
            return Cells(fewer, self.where.sizes, lacking)
        return Cells(names, self.where.sizes, _further(self.measured.seeds))

    def _lacking(self, names: list[str]) -> list[int]:
        """Seeds that others have and any of these lacks."""
        rows = [np.isfinite(one.scores).all(axis=0) for one in self.all if one.approach in names]
        there = np.all(rows, axis=0)
        return [seed for seed, has in zip(self.measured.seeds, there, strict=True) if not has]

    def _caveat(self) -> str:
        if self._is_of_controls:
            return CONTROLS
        if any(one.failed for one in self.field):
            return RISK
        return ALONE if len(self.field) == 1 else ""


def _quality(one: Standing) -> tuple[float, ...]:
    return (math.inf if math.isnan(one.behind) else one.behind, *_cost(one))


def _cost(one: Standing) -> tuple[float, ...]:
    """Least time first, then least stored, then least memory; what is not known last."""
    return tuple(one.costs.get(name, math.inf) for name in ("seconds", "storage", "memory"))


def _quick(running: list[Standing]) -> list[Standing]:
    """Those with the least seconds, or as good as."""
    least = min(one.costs["seconds"] for one in running)
    return [one for one in running if _LESS * one.costs["seconds"] <= least]


def _further(seeds: list[int]) -> list[int]:
    """As many seeds again as there are, at least :data:`_MORE_SEEDS` in all."""
    first = max(seeds, default=-1) + 1
    return list(range(first, first + max(len(seeds), _MORE_SEEDS - len(seeds))))
