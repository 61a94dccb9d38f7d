"""How often ``bench compare`` and ``bench history`` err, and what they see: ``python -m tests.comparison.calibration``.

Writes ``docs/nights.md``. Takes some ten minutes on one core; ``--nights 40`` gives a rough one in one.
"""

import argparse
import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np

from bench.comparison import paces, verdicts
from bench.comparison.verdicts import SAME, WORSE, Findings
from bench.statistics.change_points import change_points
from tests.calibration import share, table
from tests.comparison.nights import Suite, side

OUT = Path(__file__).parent.parent.parent / "docs" / "nights.md"
NONE = {"quality": 0.0, "drift": 0.0, "speed": 0.0}
"""Tolerances under which noise alone decides."""

SIZES = ((8, 5), (8, 3), (24, 2), (24, 1), (36, 1))
"""Approaches and seeds."""

LAWS: dict[str, dict[str, Any]] = {
    "normal": {},
    "heavy tails": {"tails": 3.0},
    "approaches unlike each other": {"spread": 0.7},
    "nights 5 % faster or slower": {"common": 0.05},
    "10 %": {"common": 0.1},
}
"""What varies; the last two are of times alone."""

SHIFTS = (2, 4, 8, 16, 32)
DRIFTS = (0.25, 0.5, 0.75, 1.0)


def compared(suite: Suite, changed: dict[tuple[str, str], float] | None = None, **tolerances: float) -> Findings:
    """One night against the next, in which something may have changed."""
    return verdicts.compare(side(suite.night()), side(suite.night(changed), "two"), tolerances)


def false_alarms(nights: int, approaches: int, seeds: int, law: dict[str, Any], tolerances: dict[str, float]) -> float:
    """Share of nights without any change that are called a regression.

    As in a suite's folder the nights before tell how far nights lie apart; as many as are read come first.
    """
    suite = Suite(np.random.default_rng([approaches, seeds, *_bytes(law)]), approaches, seeds, **law)
    moved: list[dict[str, float]] = []
    alarms = 0
    for number, (one, other) in enumerate(itertools.pairwise(side(suite.night()) for _ in range(nights + paces.MOST))):
        if number >= paces.MOST - 1:
            bounds = paces.bounds(moved[-paces.MOST + 1 :], verdicts.LEVEL / 4)
            alarms += verdicts.compare(one, other, tolerances, bounds).worse
        moved.append(paces.moves(one, other))
    return alarms / nights


def _bytes(law: dict[str, Any]) -> bytes:
    return repr(law).encode()


def heard(nights: int, approaches: int, seeds: int, shift: float) -> tuple[float, float]:
    """Share of nights in which one approach that is worse by ``shift`` % is called so, and any other one."""
    suite = Suite(np.random.default_rng([approaches, seeds, int(shift)]), approaches, seeds)
    found = others = 0
    for _ in range(nights):
        rows = compared(suite, {("approach_0", "perplexity"): 1 + shift / 100}).rows
        at = (rows["approach"] == "approach_0") & (rows["metric"] == "perplexity")
        found += bool((rows.loc[at, "verdict"] == WORSE).all())
        others += bool((rows.loc[~at, "verdict"] != SAME).any() and (rows.loc[~at, "verdict"] == WORSE).any())
    return found / nights, others / nights


def drifted(nights: int, approaches: int, seeds: int, shift: float) -> float:
    """Share of nights in which a metric that is worse by ``shift`` % in every cell is called so as a whole."""
    suite = Suite(np.random.default_rng([approaches, seeds, int(100 * shift)]), approaches, seeds)
    drifts = (compared(suite, {("", "perplexity"): 1 + shift / 100}).drifts for _ in range(nights))
    return sum(any(one.metric == "perplexity" and one.verdict == WORSE for one in found) for found in drifts) / nights


def histories(count: int, length: int, figures: int, law: str) -> float:
    """Share of histories without any change in which a change point is named."""
    random = np.random.default_rng([length, figures, len(law)])
    shape = (count, figures, length)
    drawn = random.normal(size=shape) if law == "normal" else random.standard_t(3, size=shape)
    return sum(any(change_points(list(series))) for series in drawn) / count


def nights_until_named(count: int, shift: float, before: int = 20, figures: int = 100) -> list[int]:
    """After how many nights of a new level its beginning is named (one night off at most); 99 for not within 20."""
    random, found = np.random.default_rng(int(10 * shift)), []
    for _ in range(count):
        series = random.normal(size=(figures, before + 20))
        series[0, before:] += shift
        named = (
            night
            for night in range(1, 21)
            if any(abs(cut - before) <= 1 for cut in change_points(list(series[:, : before + night]))[0])
        )
        found.append(next(named, 99))
    return found


def pages(nights: int) -> str:
    """The document."""
    few = max(20, nights // 2)
    quiet, strict = (
        [[f"{k} × {s}", *(share(false_alarms(nights, k, s, law, allowed), nights) for law in laws)] for k, s in SIZES]
        for allowed, laws in (({}, LAWS.values()), (NONE, list(LAWS.values())[:3]))
    )
    powers, wholes = [], []
    for k, s in SIZES:
        told = [heard(nights, k, s, shift) for shift in SHIFTS]
        powers.append([f"{k} × {s}", *(share(one, nights) for one, _ in told)])
        powers[-1].append(share(max(other for _, other in told), nights))
        wholes.append([f"{k} × {s}", *(share(drifted(nights, k, s, shift), nights) for shift in DRIFTS)])
    levels = [
        [f"{length} nights, {figures} figures", *(share(histories(few, length, figures, law), few) for law in _SERIES)]
        for length, figures in ((10, 300), (30, 300), (100, 100), (365, 30))
    ]
    until = []
    for shift in (2, 4, 8):
        quarters = [float(np.percentile(nights_until_named(few, shift), part)) for part in (50, 90)]
        until.append([str(shift), *("more than 20" if value > 20 else f"{math.ceil(value)}" for value in quarters)])
    return _TEXT.format(
        nights=nights,
        few=few,
        quiet=table(["approaches × seeds", *LAWS], quiet),
        strict=table(["approaches × seeds", *list(LAWS)[:3]], strict),
        powers=table(
            ["approaches × seeds", *(f"{shift} % worse" for shift in SHIFTS), "another one called worse"], powers
        ),
        wholes=table(["approaches × seeds", *(f"{shift:g} % worse" for shift in DRIFTS)], wholes),
        levels=table(["history", *_SERIES], levels),
        until=table(["deviations", "half of the histories", "nine in ten"], until),
    )


_SERIES = ("normal", "heavy tails")

_TEXT = """# A verdict each night

How often `bench compare` and `bench history` err, and what they see, in nights whose truth is known. Made by
`python -m tests.comparison.calibration`; a smaller version is among the tests. Shares are in per cent, ± is the Monte
Carlo standard error of {nights} simulated nights. A suite is named by its approaches × seeds; each has three metrics,
one of them a time, and a run of a cell varies by 1 % of its value from night to night, in whatever way the column says:
by normal noise, by Student's t with three degrees of freedom, by a share of its own for each approach (logarithms with
standard deviation 0.7), and with all times of a night slower or faster together.

## Nothing has changed

Nights that are called a regression, in a suite that has run for twenty nights. Should be 5 at most. At the tolerances
of a suite that states none:

{quiet}

At none, so that noise alone decides:

{strict}

With no tolerance, two seeds and approaches that vary unlike each other too much is called worse: state a tolerance, or
take three seeds.

## One approach is worse in one metric

Nights in which just that row is called worse, beyond a tolerance of 1 %; and, the most of these, nights in which
another row is.

{powers}

## All are worse by less than can be told of any

Nights in which the metric is called worse as a whole, beyond a tolerance of 0.1 %.

{wholes}

## A year without changes

Of {few} histories, those in which `bench history` names any change of level. Should be 5 at most.

{levels}

## How soon a new level is named

Nights of it, after 20 of the old one, among 100 figures, by how many standard deviations of a night it is apart.

{until}
"""


def main() -> None:
    """Write the document."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--nights", type=int, default=365, help="simulated nights of each case")
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    chosen.out.write_text(pages(chosen.nights), encoding="utf-8")
    print(chosen.out)


if __name__ == "__main__":
    main()
