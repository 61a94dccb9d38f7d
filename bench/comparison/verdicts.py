"""What is better, worse, or the same, and what cannot be told: each row by itself, and all rows of a metric together.

At most one comparison in twenty of two runs that differ by chance alone calls anything worse: half of that goes to
rows, at a false discovery rate over the whole suite, and half to metrics as wholes.
"""

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from bench.comparison import endings
from bench.comparison.endings import Ended
from bench.comparison.kinds import DRIFT, MEASURED, QUALITY, TOLERANCES
from bench.comparison.pairing import Pairs, pair
from bench.comparison.sides import Side
from bench.errors import ResultsError
from bench.statistics import changes
from bench.words import suggest

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.05
WORSE, BETTER, SAME, UNKNOWN = "worse", "better", "no change", "cannot tell"


@dataclass(frozen=True)
class Drift:
    """A metric as a whole.

    Attributes:
        metric, kind: which.
        cells: how many have it on both sides.
        median: their typical change, a share of the earlier value, worse where positive.
        worse, better: how many changed so.
        verdict: ``worse``, ``better``, or ``no change`` where neither is sure.
    """

    metric: str
    kind: str
    cells: int
    median: float
    worse: int
    better: int
    verdict: str


@dataclass(frozen=True)
class Findings:
    """What a comparison found.

    Attributes:
        rows: of :class:`bench.comparison.pairing.Pairs`, with ``change`` and ``half_width`` (shares of the earlier
            value, worse where positive; of a 95 % interval), ``tolerance``, ``seen`` (the smallest change that would
            have been seen, as a share), ``verdict`` and ``reason`` (why nothing can be told).
        drifts: metrics that all cells together changed in, and those that did not.
        ended: cells and scores that one side has and the other lost.
        gone, added: how many cells only the earlier and only the later side has.
        unfinished: how many cells of the later side have not ended.
        unjudged: metrics without a better direction.
    """

    rows: "pd.DataFrame"
    drifts: list[Drift] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    gone: int = 0
    added: int = 0
    unfinished: int = 0
    unjudged: list[str] = field(default_factory=list)

    @property
    def worse(self) -> bool:
        """Whether there is a regression."""
        wholes = any(one.verdict == WORSE for one in self.drifts)
        return wholes or bool((self.rows["verdict"] == WORSE).any()) or not all(one.better for one in self.ended)

    def counts(self) -> dict[str, int]:
        """Rows by verdict."""
        return {name: int((self.rows["verdict"] == name).sum()) for name in (WORSE, BETTER, SAME, UNKNOWN)}


def compare(base: Side, new: Side, tolerances: dict[str, float] | None = None) -> Findings:
    """Hold the later side against the earlier one.

    Args:
        base, new: the earlier and the later one.
        tolerances: share of the earlier value that is no change, by kind of :data:`bench.comparison.kinds.TOLERANCES`
            or by metric, over what the later side's suite states.
    """
    pairs, ends = pair(base, new), endings.compare(base, new)
    if not len(pairs.rows) and not ends.ended:  # else all is lost, and that is what is said
        raise ResultsError(
            f"{base.path} and {new.path}: no cell has a score of one metric on both sides; name two runs of one suite"
        )
    wanted = {**(new.info.get("definition") or {}).get("tolerances", {}), **(tolerances or {})}
    allowed = _allowed(wanted, pairs, new)
    other = "" if base.machine and base.machine == new.machine else _machines(base, new)
    rows = _judged(pairs, allowed, other)
    return Findings(
        rows=rows,
        drifts=_drifts(pairs, allowed, rows, other),
        ended=ends.ended,
        gone=ends.gone,
        added=ends.added,
        unfinished=len(new.unfinished),
        unjudged=pairs.unjudged,
    )


def _allowed(wanted: dict[str, float], pairs: Pairs, new: Side) -> dict[str, float]:
    known = [*TOLERANCES, *pairs.rows["metric"].unique()]
    for name in wanted:
        if name not in known:
            near = suggest(name, known)
            raise ResultsError(
                f"tolerances: {name}: {new.name} has no such metric; {near}or one of {', '.join(TOLERANCES)}"
            )
    return TOLERANCES | wanted


def _machines(base: Side, new: Side) -> str:
    return "measured on another machine" if base.machine and new.machine else "which machine measured it is not known"


def _judged(pairs: Pairs, allowed: dict[str, float], other_machine: str) -> "pd.DataFrame":
    """Rows with their verdicts; metrics borrow no variance from each other."""
    rows = pairs.rows
    of_kind = {kind: value for kind, value in allowed.items() if kind in TOLERANCES}
    margin = np.array(
        [allowed.get(metric, of_kind[kind]) for metric, kind in zip(rows["metric"], rows["kind"], strict=True)]
    )
    left_out = rows["kind"].isin(MEASURED).to_numpy() & bool(other_machine)
    found = {name: np.full(len(rows), math.nan) for name in changes.Changes._fields}
    for _, at in rows.groupby("metric", sort=False).indices.items():
        told = changes.compare(
            pairs.changes[at], margin[at], pairs.errors[at], tests=int((~left_out).sum()), level=LEVEL
        )
        for name, values in told._asdict().items():
            found[name][at] = values
    p_values = np.minimum(1.0, 2 * np.fmin(found["worse"], found["better"]))
    p_values[left_out] = math.nan
    sure = changes.discoveries(p_values, LEVEL)
    change, half = found["difference"], found["half_width"]
    equal = (np.where(np.isfinite(pairs.changes), pairs.changes, 0.0) == 0).all(axis=1)
    inside = (np.abs(change) + half <= margin) | equal
    verdict = np.where(sure, np.where(change > 0, WORSE, BETTER), np.where(inside & ~left_out, SAME, UNKNOWN))
    few = np.where(
        np.isfinite(half),
        "the noise is larger than what is tolerated",
        "one pair, and too few others to know its noise",
    )
    reason = np.where(left_out, other_machine, np.where(verdict == UNKNOWN, few, ""))
    return rows.assign(
        change=change, half_width=half, tolerance=margin, seen=found["seen"], verdict=verdict, reason=reason
    )


def _drifts(pairs: Pairs, allowed: dict[str, float], rows: "pd.DataFrame", other_machine: str) -> list[Drift]:
    """Each metric's cells together: of quality against ``drift``, of all else against the tolerance of its kind."""
    found: list[tuple[str, str, int, changes.Drift]] = []
    for metric, at in rows.groupby("metric", sort=False).indices.items():
        kind = str(rows["kind"].iloc[at[0]])
        if kind in MEASURED and other_machine:
            continue
        margin = allowed[DRIFT] if kind == QUALITY else float(rows["tolerance"].iloc[at[0]])
        every = pairs.changes[at]
        if told := changes.drift(every[np.isfinite(every)], margin):
            found.append((str(metric), kind, int(np.isfinite(every).sum()), told))
    least = LEVEL / 2 / max(len(found), 1)
    return [
        Drift(
            metric,
            kind,
            cells,
            told.median,
            told.worse,
            told.better,
            WORSE if told.p_worse <= least else BETTER if told.p_better <= least else SAME,
        )
        for metric, kind, cells, told in found
    ]
