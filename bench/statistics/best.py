"""Who may be the best of several approaches, and how far each is behind, over a few seeds that all share."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from bench.statistics.variances import Floats, Mask, Table, design_of, of_deviations, of_differences

CHUNK = 4_000_000  # scores that are drawn at a time
_SPREAD_OF_SETS = 0.7
SPREAD = 0.5
"""Standard deviation of the logarithm of the approaches' variances in tables that are drawn. A set is to err as rarely
as it says where variances differ much; intervals would then be too wide where they hardly differ."""
_SIZES = 40  # set sizes whose critical value is drawn; those between have the next larger one's


@dataclass(frozen=True)
class Constants:
    """Critical values for tables of one pattern.

    Attributes:
        deviation: by number m of members, shape (K + 1,): of the largest |difference from the members' mean| / standard
            error; infinite below two.
        difference: of the largest |difference from one approach| / standard error.
    """

    deviation: Floats
    difference: float


Source = Callable[[Mask], Constants]
"""Which cells a table has, shape (K, S), to its :class:`Constants`."""


class Best(NamedTuple):
    """What a table says of the best approach. All of shape (K,), in the unit of the losses.

    Attributes:
        compared: which approaches took part: those with two shared seeds at least.
        members: the set of those that may be the best. It holds the best one with the confidence of the constants, and
            decides who is called worse.
        behind: by how much an approach is worse than the one with the smallest loss over shared seeds.
        low, high: simultaneous interval of how much it is behind the true best, whichever that is; NaN where it was not
            compared.
    """

    compared: Mask
    members: Mask
    behind: Floats
    low: Floats
    high: Floats


def constants(
    held: npt.ArrayLike, generator: np.random.Generator, confidence: float = 0.95, tables: int = 20_000
) -> Constants:
    """Critical values by Monte Carlo: tables of pure noise go through the code that judges results.

    Scores are normal; approaches differ in their variances, which are log-normal. Approaches with the fewest seeds come
    first into the sets that are drawn. Of two approaches the value is Student's.

    Args:
        held: shape (K, S), which cells are there; the approaches are comparable.
        generator: of the tables.
        confidence: one minus the share of tables that exceed a value.
        tables: how many are drawn; 20,000 give the values to about one per cent.
    """
    from scipy.special import stdtrit  # 0.1 s to import: only those pay who ask

    design = design_of(held)
    count = len(design.held)
    if count == 2:
        exact = float(stdtrit(design.freedom, (1 + confidence) / 2))
        return Constants(np.array([np.inf, np.inf, exact]), exact)
    order = np.argsort(design.held.sum(axis=1), kind="stable")
    first, others = int(order[0]), order[1:]
    sizes = np.arange(2, count + 1)
    if len(sizes) > _SIZES:
        sizes = np.unique(np.geomspace(2, count, _SIZES).round().astype(int))
    shapes, shape = [design.from_mean(order[:size]).T for size in sizes], design.from_one(first)[others].T
    deviations, differences = np.empty((tables, len(sizes))), np.empty(tables)
    step = max(1, CHUNK // design.held.size)
    for start in range(0, tables, step):
        here = slice(start, min(start + step, tables))
        noise = generator.standard_normal((here.stop - start, *design.held.shape))
        spread = generator.standard_normal((len(noise), count, 1))
        effects, variances = design.fit(noise * np.exp(_SPREAD_OF_SETS / 2 * spread))
        for index, size in enumerate(sizes):
            away = effects[:, order[:size]]
            away = away - away.mean(axis=1, keepdims=True)
            deviations[here, index] = (away**2 / (variances @ shapes[index])).max(axis=1)
        effects, variances = design.fit(noise * np.exp(SPREAD / 2 * spread))
        away = effects[:, others] - effects[:, [first]]
        differences[here] = (away**2 / (variances @ shape)).max(axis=1)
    found = np.sqrt(np.maximum.accumulate(np.quantile(deviations, confidence, axis=0)))
    by_size = np.full(count + 1, np.inf)
    by_size[2:] = found[np.searchsorted(sizes, np.arange(2, count + 1))]
    return Constants(by_size, math.sqrt(np.quantile(differences, confidence)))


def compare(
    losses: npt.ArrayLike, source: Source, items: npt.ArrayLike | None = None, confidence: float = 0.95
) -> Best:
    """The model confidence set, and how far each approach is behind the best.

    The set begins with all; as long as the largest difference from its members' mean exceeds the critical value, the
    worst leaves (Hansen et al. 2011, the statistic T_max, two-sided; of two approaches it is the paired t test). The
    intervals are those of Edwards & Hsu 1983: whichever approach is the best, its differences from all others lie in
    two-sided Dunnett intervals with the confidence asked for, and the best is one of those that no other is surely
    better than.

    These are two procedures, and the set leads: where all are equal it leaves one out in as many tables as it may,
    while the intervals, which hold whichever is the best, cover more (``docs/calibration.md``). So the lower ends are 0
    for members of the set, and may be 0 for one that the set leaves out: it is worse, by how little nobody can say.

    Args:
        losses: shape (K, S), lower is better, paired by seed; NaN where there is none. Approaches without two seeds
            that others have too are not compared.
        source: critical values, such as ``functools.partial(constants, generator=...)``.
        items: shape (K, K), covariance over test items of the approaches' means. The squared bounds then gain that of a
            known variance, (Šidák's z)² times it, so that what is said covers seeds and test items.
        confidence: of the part for items; that for seeds is the constants'.

    Paper: Hansen, Lunde & Nason, "The Model Confidence Set", Econometrica 79(2), 2011; Edwards & Hsu, "Multiple
    Comparisons With the Best Treatment", JASA 78, 1983; Hsu, "Simultaneous Confidence Intervals for all Distances from
    the 'Best'", Annals of Statistics 9(5), 1981.
    """
    values = np.asarray(losses, dtype=float)
    nothing = np.full((3, len(values)), np.nan)
    found = Best(np.zeros(len(values), bool), np.zeros(len(values), bool), *nothing)
    table = Table.of(values, items)
    if table is None:
        _alone(found, values)
        return found
    rows, critical = table.rows, source(table.design.held)
    members = _confidence_set(table, critical.deviation, confidence)
    low, high = _behind(table, critical.difference, confidence)
    low[members] = 0.0
    found.compared[rows] = True
    found.members[rows[members]] = True
    for into, of in ((found.behind, table.effects), (found.low, low), (found.high, high)):
        into[rows] = of * table.scale
    _beside(found, values, int(rows[table.effects.argmin()]))
    return found


def _confidence_set(table: Table, critical: Floats, confidence: float) -> npt.NDArray[np.int_]:
    members = np.arange(len(table.rows))
    while len(members) > 1:
        effects = table.effects[members]
        bound = critical[len(members)] ** 2 * (table.design.from_mean(members) @ table.variances)
        if table.items is not None:
            bound += sidak(len(members), confidence) ** 2 * of_deviations(table.items, members)
        if not ((effects - effects.mean()) ** 2 > bound).any() or not effects.any():
            break
        members = np.delete(members, effects.argmax())
    return members


def _behind(table: Table, critical: float, confidence: float) -> tuple[Floats, Floats]:
    z = sidak(len(table.rows) - 1, confidence)

    def width(other: int) -> Floats:
        squared = critical**2 * (table.design.from_one(other) @ table.variances)
        if table.items is not None:
            squared += z**2 * of_differences(table.items, other)
        return np.asarray(np.sqrt(squared))

    low, high = np.full(len(table.rows), np.inf), np.zeros(len(table.rows))
    for candidate in np.flatnonzero(table.effects <= width(int(table.effects.argmin()))):
        ahead, bound = table.effects - table.effects[candidate], width(int(candidate))
        if (-ahead <= bound).all():  # nothing is surely better
            low, high = np.minimum(low, ahead - bound), np.maximum(high, ahead + bound)
    return np.maximum(low, 0.0), high


def sidak(comparisons: int, confidence: float) -> float:
    """The critical value of so many normal differences of known variance, however they are correlated.

    Paper: Šidák, "Rectangular Confidence Regions for the Means of Multivariate Normal Distributions", JASA 62, 1967.
    """
    from scipy.special import ndtri

    return float(ndtri((1 + confidence ** (1 / comparisons)) / 2))


def _alone(found: Best, values: Floats) -> None:
    """Where nothing can be compared: one approach of several seeds is the best of one; else only differences."""
    held = np.isfinite(values)
    if len(values) == 1 and held.sum() > 1:
        for array in found:
            array[0] = array.dtype == bool
        return
    known = np.flatnonzero(held.any(axis=1))
    if len(known):
        means = np.where(held, values, 0.0).sum(axis=1)[known] / held.sum(axis=1)[known]
        _beside(found, values, int(known[means.argmin()]))


def _beside(found: Best, values: Floats, leader: int) -> None:
    """Differences of those that were not compared, over the seeds that they share with the leader."""
    for row in np.flatnonzero(~found.compared):
        apart = values[row] - values[leader]
        if np.isfinite(apart).any():
            found.behind[row] = np.nanmean(apart)
