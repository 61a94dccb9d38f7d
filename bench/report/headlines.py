"""What wins at each data size, by how much and at what cost: facts for a sentence, hedged as the intervals demand."""

import math
from dataclasses import dataclass

from bench.report import tables, wording
from bench.report.comparisons import HELD_AGAINST, OUTDONE
from bench.report.sections import SECONDS, STORAGE, Point, Section
from bench.results import statuses

_COST_WORDS = {
    "tuning_seconds": "of training (all trials)",
    "training_seconds": "of training",
    "stored_parameters": "stored parameters",
    "checkpoint_bytes": "of checkpoint",
}


@dataclass(frozen=True)
class Difference:
    """The best approach against another one.

    Attributes:
        other: name of the other one.
        amount: size of the mean difference over shared seeds, as text.
        interval: the difference's simultaneous interval, as text; empty where there is none.
        verdict: ``better``, ``worse``, or ``unclear`` (the interval holds zero); ``unknown`` where there is none.
        better: whether the best approach's mean is the better one.
    """

    other: str
    amount: str
    interval: str
    verdict: str
    better: bool


@dataclass(frozen=True)
class Answer:
    """One data size of one section.

    Attributes:
        size: target examples.
        best: the best approach (:meth:`bench.report.sections.Section.leader`); None where none has a value.
        score: its mean and interval, as text.
        seeds: how many it rests on.
        lost: how many more of its seeds ended badly.
        uncompared: approaches whose mean is better, with too few seeds in common with the others to be compared.
        compared: whether there are seeds enough to tell approaches apart.
        tied: against the others that may be the best as well, closest first.
        nothing_apart: whether that are all others that were compared, two or more in all.
        ahead_of: the best of the others, where nothing is tied.
        outdone: whether its mean is worse than the untouched model's.
        controls: against zero_shot and from_scratch, where they have values.
        costs: of the best approach, in words.
        cheapest: the cheapest to train among it and those tied whose mean beats every control, and its costs, where
            that is not the best itself.
    """

    size: int
    best: str | None
    score: str = ""
    seeds: int = 0
    lost: int = 0
    uncompared: tuple[str, ...] = ()
    compared: bool = False
    tied: tuple[Difference, ...] = ()
    nothing_apart: bool = False
    ahead_of: Difference | None = None
    outdone: bool = False
    controls: tuple[Difference, ...] = ()
    costs: str = ""
    cheapest: tuple[str, str] | None = None


def answers(section: Section) -> list[Answer]:
    """One answer per data size, from the primary metric."""
    return [_answer(section, size) for size in section.sizes]


def _answer(section: Section, size: int) -> Answer:
    column = section.column(section.primary, size)
    best = section.leader(section.primary, size)
    if best is None:
        return Answer(size, None)
    places = tables.places(section, section.primary)
    others = [point for point in column if not point.control and point is not best and point.pairs]
    tied = sorted((point for point in others if point.mark), key=lambda point: point.behind)
    compared = [point for point in others if math.isfinite(point.behind_high)]
    second = min(compared, key=lambda point: point.behind, default=None)
    return Answer(
        size=size,
        best=best.approach,
        score=_interval(best.mean, best.half_width, places),
        seeds=best.seeds,
        lost=sum(len(end.seeds) for end in section.ended(best.approach, size) if end.status not in statuses.ENDED_WELL),
        uncompared=tuple(
            point.approach
            for point in column
            if best.mark and not (point.control or point.compared) and point.loss < best.loss
        ),
        compared=bool(best.mark),
        tied=tuple(_behind(point, places) for point in tied),
        nothing_apart=bool(tied) and len(tied) == len(compared),
        ahead_of=_behind(second, places) if second and not tied else None,
        outdone=best.mark == OUTDONE,
        controls=tuple(_against(best, point, places) for point in column if point.control in HELD_AGAINST),
        costs=_costs(section, best.approach, size),
        cheapest=_cheapest(section, best, [point for point in tied if _is_worth_it(point)], size),
    )


def _behind(point: Point, places: int) -> Difference:
    """The best approach against one that is behind it; where it may be nothing, the far end says it."""
    interval = wording.gap_interval(point.behind_low, point.behind_high, places)
    if point.behind_low == 0:
        interval = f"at most {wording.number(point.behind_high, places)}".replace(" ", "\N{NO-BREAK SPACE}")
    verdict = "unclear" if point.mark else "better"
    return Difference(point.approach, wording.number(abs(point.behind), places), interval, verdict, point.behind >= 0)


def _against(best: Point, control: Point, places: int) -> Difference:
    behind, low, high = best.behind_of(control.control)
    known = math.isfinite(low)
    verdict = "unknown" if not known else "worse" if low > 0 else "better" if high < 0 else "unclear"
    interval = wording.gap_interval(low, high, places)
    return Difference(control.approach, wording.number(abs(behind), places), interval, verdict, behind < 0)


def _is_worth_it(point: Point) -> bool:
    """Whether its mean beats those of the controls that there are."""
    return not (point.behind_zero_shot >= 0 or point.behind_from_scratch >= 0)


def _interval(mean: float, half_width: float, places: int) -> str:
    shown = wording.plus_minus(half_width, places).replace("±", "± ")
    return f"{wording.number(mean, places)} {shown}".strip().replace(" ", "\N{NO-BREAK SPACE}")


def _cost_metrics(section: Section) -> list[str]:
    found = [section.first_measured(names) for names in (SECONDS, STORAGE)]
    return [metric for metric in found if metric]


def _costs(section: Section, approach: str, size: int) -> str:
    """``41 s of training (all trials), 2.21 M stored parameters``."""
    shown = []
    for metric in _cost_metrics(section):
        if point := section.point(metric, approach, size):
            shown.append(f"{wording.in_words(point.mean, point.unit)} {_COST_WORDS[metric]}")
    return ", ".join(shown)


def _cheapest(section: Section, best: Point, tied: list[Point], size: int) -> tuple[str, str] | None:
    """By training time; None where that is the best itself."""
    seconds = section.first_measured(SECONDS)
    timed = {
        p.approach: cost.mean for p in (best, *tied) if seconds and (cost := section.point(seconds, p.approach, size))
    }
    name = min(timed, key=lambda approach: timed[approach], default=best.approach)
    return None if name == best.approach else (name, _costs(section, name, size))
