"""What wins at each data size, by how much and at what cost: facts for a sentence, hedged as the intervals demand."""

import math
from dataclasses import dataclass

from bench.report import tables, wording
from bench.report.aggregate import BEST, TIED
from bench.report.sections import SECONDS, STORAGE, Point, Section

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
        amount: size of the mean difference over shared seeds, with its interval, as text.
        verdict: ``better``, ``worse``, or ``unclear`` (the interval holds zero); ``unknown`` with fewer than two pairs.
        better: whether the best approach's mean is the better one.
    """

    other: str
    amount: str
    verdict: str
    better: bool


@dataclass(frozen=True)
class Answer:
    """One data size of one section.

    Attributes:
        size: target examples.
        best: the approach with the best mean; None where no approach has a value.
        score: its mean and interval, as text.
        seeds: how many it rests on.
        tied: against the approaches that cannot be told apart from it.
        ahead_of: the best of the others, where nothing is tied.
        controls: against zero_shot and from_scratch, where they have values.
        costs: of the best approach, in words.
        cheapest: the cheapest to train among it and those tied whose mean beats every control, and its costs, where
            that is not the best itself.
    """

    size: int
    best: str | None
    score: str = ""
    seeds: int = 0
    tied: tuple[Difference, ...] = ()
    ahead_of: Difference | None = None
    controls: tuple[Difference, ...] = ()
    costs: str = ""
    cheapest: tuple[str, str] | None = None


def answers(section: Section) -> list[Answer]:
    """One answer per data size, from the primary metric."""
    return [_answer(section, size) for size in section.sizes]


def _answer(section: Section, size: int) -> Answer:
    column = section.column(section.primary, size)
    best = next((point for point in column if point.mark == BEST), None)
    if best is None:
        return Answer(size, None)
    places = tables.places(section, section.primary)
    others = [point for point in column if not point.control and point is not best and point.pairs]
    tied = [point for point in others if point.mark == TIED]
    controls = [point for point in column if point.control in ("zero_shot", "from_scratch") and point.pairs]
    second = min(others, key=lambda point: point.behind, default=None)
    return Answer(
        size=size,
        best=best.approach,
        score=_interval(best.mean, best.half_width, places),
        seeds=best.seeds,
        tied=tuple(_difference(point, places) for point in tied),
        ahead_of=_difference(second, places) if second and not tied else None,
        controls=tuple(_difference(point, places) for point in controls),
        costs=_costs(section, best.approach, size),
        cheapest=_cheapest(section, best, [p for p in tied if all(p.behind < c.behind for c in controls)], size),
    )


def _difference(point: Point, places: int) -> Difference:
    known = math.isfinite(point.behind_half_width)
    apart = abs(point.behind) > point.behind_half_width
    verdict = "unknown" if not known else "unclear" if not apart else "better" if point.behind > 0 else "worse"
    return Difference(
        point.approach, _interval(abs(point.behind), point.behind_half_width, places), verdict, point.behind > 0
    )


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
    """By training time; None where that is the best itself, or where a single seed says nothing about ties."""
    seconds = section.first_measured(SECONDS)
    among = [best, *(point for point in tied if math.isfinite(point.behind_half_width))]
    timed = {p.approach: cost.mean for p in among if seconds and (cost := section.point(seconds, p.approach, size))}
    name = min(timed, key=lambda approach: timed[approach], default=best.approach)
    return None if name == best.approach else (name, _costs(section, name, size))
