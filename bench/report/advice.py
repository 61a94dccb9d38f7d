"""A recommendation as people read it and as scripts do."""

import math
from dataclasses import dataclass
from typing import Any

from bench.report import tables, wording
from bench.report.candidates import MEASURES
from bench.report.recommendation import ALONE, CONTROLS, RISK, Answer, Cells, Wish
from bench.report.sections import Section
from bench.report.standings import CONSTANT, EQUAL, Standing

_COSTS = {"memory": "of memory", "seconds": "of training", "storage": "stored"}
_WORDS = {"memory": "memory", "seconds": "time", "storage": "storage"}
_CONTROLS = {"zero_shot": ", the pretrained model as it is", "from_scratch": ", without the pretrained model"}


_CAVEATS = {
    ALONE: "It is the only one that is known to fit, so nothing was compared.",
    CONTROLS: "No approach fits: controls are compared by their means alone, without confidence.",
    RISK: "No approach that fits ended well with all seeds, so nothing is said with confidence.",
}
_ALIKE = {
    EQUAL: "Equal to it in every seed: {}.",
    CONSTANT: "Seeds do not change how far from it these are, so only more test items would tell: {}.",
}


def as_json(section: Section, answer: Answer) -> dict[str, Any]:
    """An answer as plain values; what is not known is null.

    ``model``, ``target``, ``data_quality``, ``metric``, ``unit``, ``better``: of the section. ``sizes``: the measured
    data sizes that it rests on. ``take`` and ``runner_up``: null, or ``approach``, ``control`` (empty, ``zero_shot``
    or ``from_scratch``), ``mean``, ``half_width``, ``covers``, ``seeds``, ``behind`` (the best mean of those that fit),
    ``behind_low``, ``behind_high``, ``may_be_best``, ``asked`` (seeds that were run), ``failed`` (how those ended that
    have no score, and how many), and ``memory`` and ``storage`` in bytes and ``seconds``. ``not_told_apart``: a list
    of such, each with ``cheaper_in``, a list of these three. ``too_large``: approach to what it takes where that is
    more than the limit. ``unknown``: approach to a reason. ``nothing``: why there is no answer, or null. ``cells``:
    null, or ``approaches``, ``data_sizes``, ``seeds`` and ``hint``, which would answer or settle it; ``untried``: the
    same of approaches that were not compared and may be better. ``confident``: whether none but ``take`` may be the
    best. ``caveat``: null, or why ``take`` rests on no comparison: ``alone``, ``controls`` or ``risk``.
    ``unreliable``: a list of those that fit and had seeds that ended badly, where others had none. ``alike``: approach
    to ``equal`` or ``constant``, where no further seed would tell it from ``take``.
    """
    point = section.one_of(section.primary) if section.points else None
    cells = answer.cells
    return {
        **{name: getattr(section, name) for name in ("model", "target", "data_quality")},
        "metric": section.primary,
        "unit": point.unit if point else "",
        "better": point.better if point else "none",
        "sizes": answer.sizes,
        "take": _plain(answer.take),
        "runner_up": _plain(answer.runner_up),
        "not_told_apart": [{**(_plain(one) or {}), "cheaper_in": answer.cheaper(one)} for one in answer.others],
        "too_large": answer.too_large,
        "unknown": answer.unknown,
        "nothing": answer.nothing or None,
        "cells": vars(cells) if cells else None,
        "confident": answer.confident,
        "caveat": answer.caveat or None,
        "unreliable": [_plain(one) for one in answer.unreliable],
        "alike": answer.alike,
        "untried": vars(answer.untried) if answer.untried else None,
    }


def _plain(one: Standing | None) -> dict[str, Any] | None:
    if one is None:
        return None
    names: dict[str, Any] = {
        "approach": one.approach,
        "control": one.control,
        "may_be_best": one.in_running,
        "covers": one.covers,
    }
    names |= {"failed": one.failed, "asked": one.asked}
    numbers = {"mean": one.mean, "half_width": one.half_width, "seeds": one.seeds, "behind": one.behind}
    numbers |= {"behind_low": one.low, "behind_high": one.high}
    numbers |= {name: one.costs.get(name, math.nan) for name in MEASURES}
    known = {name: value if math.isfinite(value) else None for name, value in numbers.items()}
    return names | known


@dataclass(frozen=True)
class Advice:
    """An answer in words.

    Attributes:
        title: what was asked of which section.
        verdict: what to take, or that nothing can be said.
        evidence: sentences below it.
        rows: the approach to take, what cannot be told from the best, and the runner-up: name, how far behind the best
            mean, seconds, memory, storage, remark; empty where nothing can be said.
        out: what was not compared, and why.
        open: what would answer or settle it, a line each.
    """

    title: str
    verdict: str
    evidence: list[str]
    rows: list[list[str]]
    out: list[str]
    open: list[str]


HEAD = ("", "behind", "training", "memory", "stored", "")
"""Heads of :attr:`Advice.rows`."""


def advise(section: Section, answer: Answer, wish: Wish) -> Advice:
    """An answer in words."""
    between = f", between the measured {answer.sizes[0]} and {answer.sizes[1]}" if len(answer.sizes) > 1 else ""
    take = answer.take
    return Advice(
        title=f"{section.title}, {wording.examples(wish.data_size)}{between}",
        verdict=_verdict(answer, take) if take else f"Nothing: {answer.nothing}.",
        evidence=_evidence(section, answer, take, wish) if take else [],
        rows=_rows(answer, take) if take else [],
        out=_out(section, answer, wish),
        open=[
            f"{head}: {_cells(cells)}"
            for head, cells in (
                ("More seeds would tell" if take else "Cells that would tell", answer.cells),
                ("Not compared, and may be better", answer.untried),
            )
            if cells
        ],
    )


def _verdict(answer: Answer, take: Standing) -> str:
    suffix = ""
    if answer.caveat == RISK and take.failed:
        suffix = ", at a risk: seeds of it failed"
    elif answer.caveat == ALONE:
        suffix = ", the only one that can be had: nothing was compared"
    elif answer.untried:
        suffix = ", of those that were compared"
    return f"Take {take.approach}{_CONTROLS.get(take.control, '')}{suffix}."


def _seeds(one: Standing) -> str:
    return wording.seeds(one.seeds, one.asked if one.failed else one.seeds, one.failed)


def _evidence(section: Section, answer: Answer, take: Standing, wish: Wish) -> list[str]:
    point, places = section.one_of(section.primary), tables.places(section, section.primary)
    score = [
        section.primary,
        wording.number(take.mean, places),
        wording.plus_minus(take.half_width, places),
        point.unit,
    ]
    facts = [wording.DIRECTIONS[point.better], _seeds(take)]
    facts += [f"± over {take.covers}"] if take.covers else []
    facts += ["straight in log data size between these"] if len(answer.sizes) > 1 else []
    found = [f"{' '.join(part for part in score if part)} ({'; '.join(facts)})"]
    sign = -1 if point.better == "higher" else 1
    if ahead := [one for one in answer.unreliable if sign * one.mean < sign * take.mean]:
        seeds = wording.listed([f"{one.approach} ({_seeds(one)})" for one in ahead])
        found.append(f"Better means over the seeds that ended well, and not taken for those that did not: {seeds}.")
    if answer.caveat:
        return [*found, _CAVEATS[answer.caveat]]
    which = "that were compared" if answer.untried else "that fit"
    which += " and whose seeds all ended well" if answer.unreliable else ""
    if not answer.others:
        return [*found, f"It is the best of those {which}, with 95 % confidence."]
    where = ", here or at one of the two sizes" if len(answer.sizes) > 1 else ""
    compared = [one for one in answer.others if not (take.control and one.control)]
    if wish.optimise == "cost":
        found.append(f"It trains as fast as any that may be the best{where} (95 % confidence).")
    elif compared:
        others = "one other" if len(compared) == 1 else f"{len(compared)} others"
        found.append(f"It is the best over shared seeds, but {others} may be the best{where} (95 % confidence).")
    if of_control := [one.approach for one in answer.others if one not in compared]:
        found.append(
            f"Controls are not held against each other; by its mean it is ahead of {wording.listed(of_control)}."
        )
    if better := [one for one in compared if sign * one.mean < sign * take.mean and one.behind > 0]:
        means = [f"{one.approach} ({wording.number(one.mean, places)} over {_seeds(one)})" for one in better]
        found.append(f"Better means, over seeds that it does not have: {wording.listed(means)}.")
    for how, said in _ALIKE.items():
        if names := [name for name, is_ in answer.alike.items() if is_ == how]:
            found.append(said.format(wording.listed(names)))
    return found


def _rows(answer: Answer, take: Standing) -> list[list[str]]:
    shown = [take, *answer.others]
    if answer.runner_up and answer.runner_up not in shown:
        shown.append(answer.runner_up)
    rows = []
    for one in shown:
        less = answer.cheaper(one)
        remarks = ["runner-up"] if one is answer.runner_up else []
        remarks += [f"less {wording.listed([_WORDS[name] for name in less])}"] if less and one.in_running else []
        costs = [
            wording.in_words(one.costs[name], MEASURES[name]) if name in one.costs else tables.NONE
            for name in ("seconds", "memory", "storage")
        ]
        rows.append([one.approach, _gap(one), *costs, ", ".join(remarks)])
    return rows


def _gap(one: Standing) -> str:
    """``best``, ``0.021 (≤ 0.051)`` where the interval begins at 0, or ``0.021 (0.005–0.051)``."""
    if one.behind == 0:
        return "best"
    places = wording.gap_decimals(one.behind, one.low, one.high)
    shown = wording.number(one.behind, places)
    if not math.isfinite(one.high):
        return shown if math.isfinite(one.behind) else tables.NONE
    if one.low <= 0:
        return f"{shown} (≤\N{NO-BREAK SPACE}{wording.number(one.high, places)})"
    return f"{shown} ({wording.number(one.low, places)}–{wording.number(one.high, places)})"


def _out(section: Section, answer: Answer, wish: Wish) -> list[str]:
    """A line for each limit and each reason: ``more than 100 MB of memory: lora (118 MB), dora (121 MB)``."""
    found: dict[str, list[str]] = {}
    for name, over in answer.too_large.items():
        for what, value in over.items():
            limit = f"more than {wording.in_words(wish.limits[what], MEASURES[what])} {_COSTS[what]}"
            found.setdefault(limit, []).append(f"{name} ({wording.in_words(value, MEASURES[what])})")
    for name, why in answer.unknown.items():
        found.setdefault(why, []).append(name)
    places = tables.places(section, section.primary) if answer.unreliable else 0
    for one in answer.unreliable:
        rest = f"{one.approach} ({wording.number(one.mean, places)} over {_seeds(one)})"
        found.setdefault("seeds that did not end well", []).append(rest)
    return [f"{why}: {', '.join(names)}" for why, names in found.items()]


def _cells(cells: Cells) -> str:
    sizes = wording.listed([wording.number(size, 0) for size in cells.data_sizes])
    parts = [", ".join(cells.approaches), f"data_sizes {sizes}", f"seeds {_range(cells.seeds)}"]
    return "; ".join(parts) + (f"; {cells.hint}" if cells.hint else "")


def _range(seeds: list[int]) -> str:
    if len(seeds) > 2 and seeds == list(range(seeds[0], seeds[-1] + 1)):
        return f"{seeds[0]} to {seeds[-1]}"
    return wording.listed([str(seed) for seed in seeds])
