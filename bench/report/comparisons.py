"""What one column says of its approaches: who may be the best, how far others are behind, who is worse than a control.

A column is one metric at one data size on one model, target and data quality. Critical values are drawn once per
process for each pattern of seeds, by a fixed generator: a report made again is the same.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.statistics import against, best
from bench.statistics.variances import of_differences

Floats = npt.NDArray[np.float64]
Rows = npt.NDArray[np.int_]
Found = dict[str, npt.NDArray[Any]]

BEST, TIED, OUTDONE, AHEAD = "best", "tied", "outdone", "ahead"
"""Marks. The best over shared seeds of those that may be the best; the rest of that set, and controls that cannot be
told from it; a member of it that is worse than the untouched model; a control that is better than the best approach."""

SEEDS, ITEMS, BOTH = "seeds", "test items", "seeds and test items"
"""What an interval covers."""

HELD_AGAINST = {"zero_shot": "harm", "from_scratch": "negative_transfer"}
"""Controls that all approaches are held against, and what it is to be worse than them."""

AGAINST = ("zero_shot", "from_scratch", "baseline")
FLOATS = [f"behind{name}{end}" for name in ("", *(f"_{one}" for one in AGAINST)) for end in ("", "_low", "_high")]
"""Differences and their intervals, as a summary has them."""

Items = Callable[[tuple[object, ...], list[str]], "Floats | None"]
"""A column's key (model, target, data quality, metric, data size) and k names to the covariance of their means over
test items, shape (k, k) in the metric's squared unit, NaN where it is not known; None where nothing is."""


class Column(NamedTuple):
    """A column's scores.

    Attributes:
        losses: shape (K, S), lower is better; NaN where a seed has none.
        controls: of each row, which control it is; empty for an approach.
        items: covariance over test items, shape (K, K), or None.
        is_cost: of time, memory or size, for which the untouched model is no yardstick.
        baseline: row that all others are held against, or None.
    """

    losses: Floats
    controls: list[str]
    items: Floats | None = None
    is_cost: bool = False
    baseline: int | None = None


def unknown(rows: int) -> Found:
    """What :func:`judge` returns, for rows of which nothing can be said."""
    found: Found = {name: np.full(rows, np.nan) for name in FLOATS[:3]}
    found["behind_covers"] = np.full(rows, "", dtype=object)
    found["pairs"] = np.zeros(rows, dtype=np.int64)
    found["compared"] = np.zeros(rows, dtype=bool)
    found["mark"] = np.full(rows, "", dtype=object)
    found |= {name: np.full(rows, np.nan) for name in FLOATS[3:]}
    return found | {name: np.zeros(rows, dtype=bool) for name in HELD_AGAINST.values()}


def judge(column: Column, confidence: float = 0.95) -> Found:
    """Columns of :func:`bench.report.aggregate.summarise` from ``behind`` on, each of shape (K,)."""
    found = unknown(len(column.losses))
    approaches = np.array([not control for control in column.controls], dtype=bool)
    if not approaches.any():
        return found
    means = _means(column.losses)
    ours, of = np.flatnonzero(approaches), column.losses[approaches]
    items = _among(column, ours)
    judged = best.compare(of, _source(confidence), items, confidence)
    for name, values in zip(("behind", "behind_low", "behind_high"), judged[2:], strict=True):
        found[name][ours] = values
    leader = int(ours[_leader(judged, means[ours])])
    found["compared"][ours] = judged.compared | judged.members
    found["pairs"][ours] = (np.isfinite(of) & np.isfinite(column.losses[leader])).sum(axis=1)
    minus = {int(row): _minus(column, ours, int(row), confidence) for row in np.flatnonzero(~approaches)}
    for row, differences in minus.items():
        _against_best(found, row, leader, differences, ours)
    for control, mark in HELD_AGAINST.items():
        if control in column.controls:
            held = minus[column.controls.index(control)]
            _enter(found, f"behind_{control}", ours, held)
            found[mark][ours] = (held.low > 0) & (not column.is_cost)
    if column.baseline is not None:
        _against_baseline(found, column, column.baseline, minus, ours, confidence)
    _mark(found, column, ours[judged.members], leader, means)
    _cover(found, column, ours)
    return found


def _cover(found: Found, column: Column, ours: Rows) -> None:
    """What each interval of how far behind covers: test items, where all that it takes are known, a control's, too."""
    known = np.isfinite(found["behind_high"])
    found["behind_covers"][known] = SEEDS if _among(column, ours) is None else BOTH
    for row in np.flatnonzero(known & (np.array(column.controls) != "")):
        found["behind_covers"][row] = SEEDS if _among(column, np.append(ours, row)) is None else BOTH


def _leader(judged: best.Best, means: Floats) -> int:
    """The best of those that may be it, over the seeds that they share; the best mean where nothing was compared."""
    if judged.members.any():
        return int(np.where(judged.members, judged.behind, np.inf).argmin())
    return int(np.where(np.isfinite(means), means, np.inf).argmin())


def _among(column: Column, rows: Rows) -> Floats | None:
    """The covariance of some rows, where all of it is known."""
    items = None if column.items is None else column.items[np.ix_(rows, rows)]
    return items if items is not None and np.isfinite(items).all() else None


def _minus(column: Column, ours: Rows, control: int, confidence: float) -> against.Differences:
    """All approaches minus a control."""
    known = _among(column, np.append(ours, control))
    items = None if known is None else of_differences(known, len(ours))[:-1]
    critical = functools.partial(_critical, confidence=confidence)
    return against.control(column.losses[ours], column.losses[control], critical, items, confidence)


def _enter(found: Found, name: str, rows: Rows, differences: against.Differences) -> None:
    for end, values in (("", differences.difference), ("_low", differences.low), ("_high", differences.high)):
        found[name + end][rows] = values


def _against_best(found: Found, row: int, leader: int, minus: against.Differences, ours: Rows) -> None:
    """How far a control is behind the best approach: the intervals of all approaches minus it hold at once, and so
    bound the smallest of these differences, too."""
    at = int(np.flatnonzero(ours == leader)[0])
    found["behind"][row], found["pairs"][row] = -minus.difference[at], minus.pairs[at]
    if np.isfinite(minus.low[at]):
        found["behind_low"][row], found["behind_high"][row] = -np.nanmin(minus.high), -np.nanmin(minus.low)


def _against_baseline(
    found: Found, column: Column, row: int, minus: dict[int, against.Differences], ours: Rows, confidence: float
) -> None:
    if row in minus:
        _enter(found, "behind_baseline", ours, minus[row])
        return
    at = int(np.flatnonzero(ours == row)[0])
    held = against.baseline(column.losses[ours], at, _source(confidence), _among(column, ours), confidence)
    _enter(found, "behind_baseline", ours, held)
    for control, differences in minus.items():
        if column.controls[control] in HELD_AGAINST:
            ends = -differences.difference[at], -differences.high[at], -differences.low[at]
            for name, value in zip(("", "_low", "_high"), ends, strict=True):
                found["behind_baseline" + name][control] = value


def _mark(found: Found, column: Column, members: Rows, leader: int, means: Floats) -> None:
    """Real items are no competitors, and get none."""
    if len(members):
        found["mark"][members] = TIED
        found["mark"][leader] = BEST
        if "zero_shot" in column.controls and not column.is_cost:
            apart = found["behind_zero_shot"][members]  # over shared seeds, where there are any
            by_mean = means[members] - means[column.controls.index("zero_shot")]
            found["mark"][members[np.where(np.isfinite(apart), apart, by_mean) > 0]] = OUTDONE
    low, high = found["behind_low"], found["behind_high"]
    for row, control in enumerate(column.controls):
        if control in HELD_AGAINST and np.isfinite(high[row]):
            found["mark"][row] = AHEAD if high[row] < 0 else TIED if low[row] <= 0 else ""


def _means(losses: Floats) -> Floats:
    held = np.isfinite(losses)
    count = held.sum(axis=1)
    total = np.where(held, losses, 0.0).sum(axis=1)
    return np.asarray(np.divide(total, count, out=np.full(len(losses), np.nan), where=count > 0))


def _source(confidence: float) -> best.Source:
    """Critical values for a pattern of seeds; patterns that differ in the order of rows and seeds have the same."""

    def source(held: npt.NDArray[np.bool_]) -> best.Constants:
        for _ in range(0 if held.all() else 2):
            held = held[np.lexsort(held.T[::-1])]
            held = held[:, np.lexsort(held[::-1])]
        return _constants(held.tobytes(), held.shape, confidence)

    return source


@functools.lru_cache(maxsize=512)
def _constants(held: bytes, shape: tuple[int, ...], confidence: float) -> best.Constants:
    return best.constants(np.frombuffer(held, dtype=bool).reshape(shape), np.random.default_rng(0), confidence)


@functools.lru_cache(maxsize=512)
def _critical(approaches: int, seeds: int, confidence: float) -> float:
    return against.critical(approaches, seeds, np.random.default_rng(0), confidence)
