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
from bench.words import shown, suggest

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
        gone, added: cells that only the earlier and only the later side has.
        dropped: metrics that only the earlier side has, as :class:`bench.comparison.endings.Endings` has them.
        unfinished: how many cells of the later side have not ended.
        unjudged: metrics without a better direction.
        paces: of :func:`bench.comparison.paces.paces`, those that are larger than what is tolerated.
    """

    rows: "pd.DataFrame"
    drifts: list[Drift] = field(default_factory=list)
    ended: list[Ended] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    dropped: list[str] = field(default_factory=list)
    unfinished: int = 0
    unjudged: list[str] = field(default_factory=list)
    paces: dict[str, float] = field(default_factory=dict)

    @property
    def worse(self) -> bool:
        """Whether there is a regression."""
        wholes = any(one.verdict == WORSE for one in self.drifts)
        return wholes or bool((self.rows["verdict"] == WORSE).any()) or not all(one.better for one in self.ended)

    def counts(self) -> dict[str, int]:
        """Rows by verdict."""
        return {name: int((self.rows["verdict"] == name).sum()) for name in (WORSE, BETTER, SAME, UNKNOWN)}


def compare(
    base: Side, new: Side, tolerances: dict[str, float] | None = None, paces: dict[str, float] | None = None
) -> Findings:
    """Hold the later side against the earlier one.

    Args:
        base, new: the earlier and the later one.
        tolerances: share of the earlier value that is no change, by kind of :data:`bench.comparison.kinds.TOLERANCES`
            or by metric, over what the later side's suite states.
        paces: metric to the share by which whole nights differ by chance, of :func:`bench.comparison.paces.paces`: less
            is neither worse nor better, and if it is more than is tolerated it cannot be told from no change.
    """
    suites = [side.info.get("suite") for side in (base, new) if not side.info.get("imported")]
    if len(suites) == 2 and all(suites) and len(set(suites)) == 2:
        raise ResultsError(
            f"{base.path} is a run of {suites[0]}, {new.path} of {suites[1]}; name two runs of one suite"
        )
    pairs, ends = pair(base, new), endings.compare(base, new)
    if not len(pairs.rows) and not ends.ended:  # else all is lost, and that is what is said
        raise ResultsError(
            f"{base.path} and {new.path}: no cell has a score of one metric on both sides; name two runs of one suite"
        )
    allowed = _allowed(tolerances or {}, base, new)
    other = "" if base.machine and base.machine == new.machine else _machines(base, new)
    rows = _judged(pairs, allowed, paces or {}, other)
    return Findings(
        rows=rows,
        drifts=_drifts(pairs, allowed, paces or {}, rows, other),
        ended=ends.ended,
        gone=ends.gone,
        added=ends.added,
        dropped=ends.dropped,
        unfinished=len(new.unfinished),
        unjudged=pairs.unjudged,
        paces={} if other else _larger(paces or {}, rows),
    )


def _larger(paces: dict[str, float], rows: "pd.DataFrame") -> dict[str, float]:
    tolerated = dict(zip(rows["metric"], rows["tolerance"], strict=True))
    return {metric: pace for metric, pace in paces.items() if pace > tolerated.get(metric, math.inf)}


def _allowed(tolerances: dict[str, float], base: Side, new: Side) -> dict[str, float]:
    """Of each kind, and of the metrics that have one of their own: the suite's, and what is said over it."""
    stated = (new.info.get("definition") or {}).get("tolerances") or {}
    known = list(dict.fromkeys([*TOLERANCES, *base.frame["metric"], *new.frame["metric"]]))
    for name, value in {**(stated if isinstance(stated, dict) else {"": stated}), **tolerances}.items():
        if name not in known or not name:
            near = suggest(name, known)
            raise ResultsError(
                f"tolerances: {name}: {new.name} has no such metric; {near}or one of {', '.join(TOLERANCES)}"
            )
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ResultsError(f"{new.path}: tolerances: {name}: {shown(value)} is no share; write one such as 0.01")
    return TOLERANCES | stated | tolerances


def _machines(base: Side, new: Side) -> str:
    return "measured on another machine" if base.machine and new.machine else "which machine measured it is not known"


def _judged(pairs: Pairs, allowed: dict[str, float], paces: dict[str, float], other_machine: str) -> "pd.DataFrame":
    """Rows with their verdicts; metrics borrow no variance from each other."""
    rows = pairs.rows
    of_kind = {kind: value for kind, value in allowed.items() if kind in TOLERANCES}
    margin = np.array(
        [allowed.get(metric, of_kind[kind]) for metric, kind in zip(rows["metric"], rows["kind"], strict=True)]
    )
    pace = np.array([paces.get(metric, 0.0) for metric in rows["metric"]])
    beyond = np.maximum(margin, pace)
    left_out = rows["kind"].isin(MEASURED).to_numpy() & bool(other_machine)
    found = {name: np.full(len(rows), math.nan) for name in changes.Changes._fields}
    for _, at in rows.groupby("metric", sort=False).indices.items():
        told = changes.compare(
            pairs.changes[at], beyond[at], pairs.errors[at], tests=int((~left_out).sum()), level=LEVEL
        )
        for name, values in told._asdict().items():
            found[name][at] = values
    p_values = np.minimum(1.0, 2 * np.fmin(found["worse"], found["better"]))
    p_values[left_out] = math.nan
    sure = changes.discoveries(p_values, LEVEL)
    change, half = found["difference"], found["half_width"]
    equal = np.isfinite(change) & (np.nan_to_num(pairs.changes) == 0).all(axis=1)
    inside = (np.abs(change) + half <= margin) | equal
    verdict = np.where(sure, np.where(change > 0, WORSE, BETTER), np.where(inside & ~left_out, SAME, UNKNOWN))
    few = np.where(
        np.isfinite(half),
        "the noise is larger than what is tolerated",
        "one pair, and too few others to know its noise",
    )
    few = np.where((pace > margin) & np.isfinite(half), "nights on this machine differ by more than is tolerated", few)
    reason = np.where(left_out, other_machine, np.where(verdict == UNKNOWN, few, ""))
    reason = np.where(rows["reason"] != "", rows["reason"], reason)
    return rows.assign(
        change=change, half_width=half, tolerance=margin, seen=found["seen"], verdict=verdict, reason=reason
    )


def _drifts(
    pairs: Pairs, allowed: dict[str, float], paces: dict[str, float], rows: "pd.DataFrame", other_machine: str
) -> list[Drift]:
    """Each metric's cells together: of quality against ``drift``, of all else against the tolerance of its kind."""
    found: list[tuple[str, str, int, changes.Drift]] = []
    for metric, at in rows.groupby("metric", sort=False).indices.items():
        kind = str(rows["kind"].iloc[at[0]])
        if kind in MEASURED and other_machine:
            continue
        margin = allowed[DRIFT] if kind == QUALITY else float(rows["tolerance"].iloc[at[0]])
        margin = max(margin, paces.get(str(metric), 0.0))
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
