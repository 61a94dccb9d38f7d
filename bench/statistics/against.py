"""All approaches against one, and all against all, over a few seeds."""

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.statistics import best
from bench.statistics.best import CHUNK, sidak
from bench.statistics.variances import PRIOR_FREEDOM, ROUNDING, Floats, Table, of_differences

_SHARED = (0.0, 0.7, 0.9, 0.95, 1.0)

Source = Callable[[int, int], float]
"""How many approaches, and over how many seeds, to the critical value of :func:`critical`."""


class Differences(NamedTuple):
    """Approaches minus one of them, or minus a control. All of shape (K,); NaN where there is no interval.

    Attributes:
        difference: mean over the seeds that both have, in the unit of the scores.
        low, high: simultaneous interval.
        pairs: number of those seeds.
    """

    difference: Floats
    low: Floats
    high: Floats
    pairs: npt.NDArray[np.int_]


class Pairs(NamedTuple):
    """All pairs of approaches that can be compared.

    Attributes:
        first, second: their rows, shape (pairs,).
        difference: first minus second.
        error: standard error of that.
        p: two-sided, of this pair alone.
        adjusted: after Holm, for all pairs together.
    """

    first: npt.NDArray[np.int_]
    second: npt.NDArray[np.int_]
    difference: Floats
    error: Floats
    p: Floats
    adjusted: Floats


def critical(
    approaches: int, seeds: int, generator: np.random.Generator, confidence: float = 0.95, tables: int = 20_000
) -> float:
    """The value that the largest |difference from a control| / standard error exceeds with probability 1 - confidence.

    What the control and the seeds do is common to all differences, and nobody knows how much that is: the value is the
    largest of those for shares of the variance from none to all. The own part has log-normal variances.

    Args:
        approaches: how many are held against the control.
        seeds: that each difference is taken over, two or more.
        generator: of the tables of noise that go through :func:`moderate`.
        confidence: of all intervals together.
        tables: how many are drawn.
    """
    shares = _SHARED if approaches > 1 else (0.0,)
    largest = np.empty((tables, len(shares)))
    step = max(1, CHUNK // (approaches * seeds))
    for start in range(0, tables, step):
        here = slice(start, min(start + step, tables))
        own = generator.standard_normal((here.stop - start, approaches, seeds))
        own *= np.exp(best.SPREAD / 2 * generator.standard_normal((len(own), approaches, 1)))
        common = generator.standard_normal((len(own), 1, seeds))
        for index, share in enumerate(shares):
            noise = math.sqrt(share) * common + math.sqrt(1 - share) * own
            largest[here, index] = (noise.mean(axis=-1) ** 2 * seeds / moderate(noise)).max(axis=-1)
    return math.sqrt(np.quantile(largest, confidence, axis=0).max())


def moderate(differences: Floats) -> Floats:
    """Variances over seeds of differences from a control, each drawn to the mean of all as in Smyth 2004.

    Args:
        differences: shape (..., K, S), NaN where there is none; two or more in each row.

    Returns:
        Shape (..., K).
    """
    held = np.isfinite(differences)
    freedom = held.sum(axis=-1) - 1.0
    mean = np.where(held, differences, 0.0).sum(axis=-1) / (freedom + 1)
    squares = (np.where(held, differences - mean[..., None], 0.0) ** 2).sum(axis=-1)
    pooled = squares.sum(axis=-1, keepdims=True) / freedom.sum(axis=-1, keepdims=True)
    return np.asarray((PRIOR_FREEDOM * pooled + squares) / (PRIOR_FREEDOM + freedom))


def control(
    losses: npt.ArrayLike,
    of_control: npt.ArrayLike,
    source: Source,
    items: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Differences:
    """Simultaneous two-sided intervals of all approaches minus one control, in the manner of Dunnett 1955.

    Differences are taken seed by seed, so that it does not matter whether the control varies over seeds, and whether it
    shares what seeds do to the approaches.

    Args:
        losses: shape (K, S), NaN where there is none.
        of_control: shape (S,), NaN where there is none.
        source: critical values, such as :func:`critical` with a generator; asked for by number of approaches and seeds.
        items: shape (K,), variances over test items of the differences from the control; the squared half-width gains
            (Šidák's z)² times it, and the intervals then cover seeds and test items.
        confidence: of the part for items; that for seeds is the critical value's.

    Paper: Dunnett, "A Multiple Comparison Procedure for Comparing Several Treatments with a Control", JASA 50, 1955.
    """
    table = np.asarray(losses, dtype=float)
    apart = table - np.asarray(of_control, dtype=float)
    held = np.isfinite(apart)
    pairs = held.sum(axis=1)
    total = np.where(held, apart, 0.0).sum(axis=1)
    difference = np.divide(total, pairs, out=np.full(len(table), np.nan), where=pairs > 0)
    rows = pairs > 1
    width = np.full(len(table), np.nan)
    if rows.any():
        size = float(np.nanmax(np.abs(np.where(held, table, 0.0))) + np.nanmax(np.abs(apart[rows])))
        scale = float(np.nanmax(np.abs(apart[rows]))) or 1.0
        variances = moderate(apart[rows] / scale)
        variances[np.sqrt(variances) <= ROUNDING * size / scale] = 0.0
        by_count = {int(count): source(int(rows.sum()), int(count)) for count in set(pairs[rows].tolist())}
        values = np.array([by_count[count] for count in pairs[rows].tolist()])
        squared = values**2 * variances / pairs[rows]
        if items is not None:
            squared += sidak(int(rows.sum()), confidence) ** 2 * np.asarray(items, dtype=float)[rows] / scale**2
        width[rows] = np.sqrt(squared) * scale
        difference[np.abs(difference) <= ROUNDING * size] = 0.0
    return Differences(difference, difference - width, difference + width, pairs)


def baseline(
    losses: npt.ArrayLike, row: int, source: best.Source, items: npt.ArrayLike | None = None, confidence: float = 0.95
) -> Differences:
    """Simultaneous two-sided intervals of all approaches minus one of them (Dunnett 1955), with moderated variances.

    Args:
        losses: shape (K, S), NaN where there is none.
        row: of the one that all others are held against.
        source: critical values, as :func:`bench.statistics.best.compare` takes them.
        items: shape (K, K), covariance over test items of the approaches' means.
        confidence: of the part for items; that for seeds is the critical value's.
    """
    values = np.asarray(losses, dtype=float)
    shared = np.isfinite(values) & np.isfinite(values[row])
    count = shared.sum(axis=1)
    apart = np.where(shared, values - values[row], 0.0).sum(axis=1)
    difference = np.divide(apart, count, out=np.full(len(values), np.nan), where=count > 0)
    found = Differences(difference, np.full(len(values), np.nan), np.full(len(values), np.nan), count)
    table = Table.of(values, items)
    if table is None or row not in table.rows:
        return found
    at = int(np.flatnonzero(table.rows == row)[0])
    squared = source(table.design.held).difference ** 2 * (table.design.from_one(at) @ table.variances)
    if table.items is not None:
        squared += sidak(len(table.rows) - 1, confidence) ** 2 * of_differences(table.items, at)
    width, middle = np.sqrt(squared) * table.scale, (table.effects - table.effects[at]) * table.scale
    found.difference[table.rows] = middle
    found.low[table.rows], found.high[table.rows] = middle - width, middle + width
    return found


def holm(p: npt.ArrayLike) -> Floats:
    """p-values, shape (n,), adjusted so that all tests together err with the probability that one would.

    Paper: Holm, "A Simple Sequentially Rejective Multiple Test Procedure", Scandinavian J. of Statistics 6(2), 1979.
    """
    values = np.asarray(p, dtype=float)
    order = np.argsort(values, kind="stable")
    steps = values[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def pairs(losses: npt.ArrayLike, items: npt.ArrayLike | None = None) -> Pairs:
    """Every approach against every other: moderated variances, degrees of freedom after Welch and Satterthwaite.

    No variance rests on more degrees of freedom than all residuals have, so that two approaches make a paired t test.

    Args:
        losses: shape (K, S), NaN where there is none; approaches without two shared seeds are left out.
        items: shape (K, K), covariance over test items of the approaches' means, with no limit to its freedom.

    Paper: Welch, "The Generalization of 'Student's' Problem", Biometrika 34, 1947; Satterthwaite, Biometrics Bulletin
    2(6), 1946; Holm 1979.
    """
    from scipy.special import stdtr

    table = Table.of(losses, items)
    if table is None:
        nobody, nothing = np.empty(0, dtype=np.int_), np.empty(0)
        return Pairs(nobody, nobody, nothing, nothing, nothing, nothing)
    first, second = np.triu_indices(len(table.rows), 1)
    difference = table.effects[first] - table.effects[second]
    freedom = np.minimum(table.design.own_freedom + PRIOR_FREEDOM, table.design.freedom)
    squared, degrees = np.empty(len(first)), np.empty(len(first))
    for other in range(1, len(table.rows)):
        mine = second == other
        parts = (table.design.from_one(other) * table.variances)[first[mine]]
        over_seeds, spread = parts.sum(axis=1), (parts**2 / freedom).sum(axis=1)
        own = np.divide(over_seeds**2, spread, out=np.ones(len(spread)), where=spread > 0)
        squared[mine], degrees[mine] = over_seeds, np.minimum(own, table.design.freedom)
        if table.items is not None:  # known to the last digit: freedom without end
            squared[mine] += of_differences(table.items, other)[first[mine]]
            share = np.divide(over_seeds, squared[mine], out=np.ones(len(spread)), where=squared[mine] > 0)
            degrees[mine] /= np.maximum(share, 1e-4) ** 2
    error = np.sqrt(squared)
    t = np.divide(np.abs(difference), error, out=np.where(difference == 0, 0.0, np.inf), where=error > 0)
    p = np.asarray(2 * stdtr(degrees, -t))
    rows = table.rows
    return Pairs(rows[first], rows[second], difference * table.scale, error * table.scale, p, holm(p))
