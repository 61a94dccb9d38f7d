"""What changed between two measurements of the same things, each with few repetitions: one by one, and all together.

Differences are relative and worse where positive. Nothing here knows what was measured.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy import stats

from bench.statistics.variances import PRIOR_FREEDOM

Floats = npt.NDArray[np.float64]

FEWEST = 6
"""Groups at least, so that how far their differences lie apart says how far one may lie from what is true."""

POWER = 0.8
"""With which a change is seen that is as large as the smallest that is said to have been seen."""

_FREEDOM_OF_SINGLE = 3.0
"""Where each group has one pair: differences of groups that vary unlike each other have heavy tails."""

_WILD = 100.0
"""Times the variance that most groups have at least half of: more is another kind of group, such as one near zero."""

NORMAL_MAD = 1.4826
"""Standard deviations of a normal law in one median absolute deviation."""


class Changes(NamedTuple):
    """Of each group of pairs, shape (G,); NaN where nothing is known.

    Attributes:
        difference: the mean of its pairs.
        half_width: of the interval of that mean, at the asked confidence.
        worse, better: p-values, of the difference being no more than the margin, and no less than minus the margin.
        seen: the smallest change beyond zero that would have been seen with :data:`POWER`, had it been the only one.
    """

    difference: Floats
    half_width: Floats
    worse: Floats
    better: Floats
    seen: Floats


def compare(
    pairs: npt.ArrayLike,
    margins: npt.ArrayLike,
    errors: npt.ArrayLike | None = None,
    *,
    tests: int | None = None,
    level: float = 0.05,
) -> Changes:
    """Each group's mean difference held against its margin.

    A group of a few pairs hardly knows its own variance, and of one pair none: it is drawn to the variance that is
    typical of all groups, which counts for :data:`bench.statistics.variances.PRIOR_FREEDOM` degrees of freedom (Smyth
    2004, there fitted, here fixed). A group that varies far more than all others (:data:`_WILD`) does not make these
    noisy. Where no group has two pairs, the typical one is how far the groups' differences lie from their median,
    robustly, as most groups have not changed; if most do not differ at all, of those that do. With fewer than
    :data:`FEWEST` such groups nothing is known.

    Args:
        pairs: shape (G, S), differences of each group's repetitions; NaN where there is none.
        margins: shape (G,), what is no change.
        errors: shape (G,), standard errors that the mean has by itself, which the variance over pairs may not show;
            NaN or 0 where there are none.
        tests: among how many such groups a change must stand out, for ``seen``; G by default.
        level: of the false discovery rate, for ``seen``, and one minus the confidence of the interval.

    Paper: Smyth, "Linear Models and Empirical Bayes Methods for Assessing Differential Expression in Microarray
    Experiments", Statistical Applications in Genetics and Molecular Biology 3(1), 2004.
    """
    values, margin = np.asarray(pairs, dtype=float), np.asarray(margins, dtype=float)
    held = np.isfinite(values)
    count = held.sum(axis=1)
    difference = np.divide(
        np.where(held, values, 0.0).sum(axis=1), count, out=np.full(len(values), np.nan), where=count > 0
    )
    variance, freedom = _variances(values, held, count, difference)
    known = np.nan_to_num(np.asarray(np.zeros(len(values)) if errors is None else errors, dtype=float))
    error = np.sqrt(np.maximum(variance / np.maximum(count, 1), known**2))
    with np.errstate(invalid="ignore", divide="ignore"):
        worse = stats.t.sf((difference - margin) / error, freedom)
        better = stats.t.cdf((difference + margin) / error, freedom)
    exact = error == 0
    worse = np.where(exact, np.where(difference > margin, 0.0, 1.0), worse)
    better = np.where(exact, np.where(difference < -margin, 0.0, 1.0), better)
    first = level / max(tests or len(values), 1) / 2
    seen = margin + error * (stats.t.isf(first, freedom) + stats.t.ppf(POWER, freedom))
    return Changes(difference, error * stats.t.isf(level / 2, freedom), worse, better, seen)


def _variances(values: Floats, held: npt.NDArray[np.bool_], count: Floats, means: Floats) -> tuple[Floats, Floats]:
    """Of one pair, moderated, and their degrees of freedom, shape (G,)."""
    own = np.maximum(count - 1, 0).astype(float)
    squares = (np.where(held, values - means[:, None], 0.0) ** 2).sum(axis=1)
    there = means[np.isfinite(means)]
    typical, prior = np.nan, PRIOR_FREEDOM
    if own.any():
        each, freedom = squares[own > 0] / own[own > 0], own[own > 0]
        middle = float(np.median(each))
        typical = float(np.average(np.minimum(each, _WILD * middle) if middle else each, weights=freedom))
    elif len(there) >= FEWEST:
        apart, prior = np.abs(there - np.median(there)), _FREEDOM_OF_SINGLE
        if apart.any() and not np.median(apart):
            apart = apart[apart > 0]
        typical = (NORMAL_MAD * float(np.median(apart))) ** 2 if len(apart) >= FEWEST else np.nan
    return np.asarray((prior * typical + squares) / (prior + own)), prior + own


def discoveries(p_values: npt.ArrayLike, level: float = 0.05) -> npt.NDArray[np.bool_]:
    """Which hypotheses are rejected at this false discovery rate; NaN is none. Shape as given.

    Paper: Benjamini and Hochberg, "Controlling the False Discovery Rate", JRSS B 57(1), 1995.
    """
    values = np.asarray(p_values, dtype=float)
    known = np.isfinite(values)
    found = np.zeros(values.shape, dtype=bool)
    if known.any():
        found[known] = stats.false_discovery_control(values[known]) <= level
    return found


class Drift(NamedTuple):
    """Of many differences together.

    Attributes:
        median: the Hodges-Lehmann estimate of their middle.
        worse, better: how many are, beyond rounding.
        p_worse, p_better: of their middle being no more than the margin, no less than minus the margin.
    """

    median: float
    worse: int
    better: int
    p_worse: float
    p_better: float


def drift(differences: npt.ArrayLike, margin: float) -> Drift | None:
    """Whether many differences go one way, each too small to show: Wilcoxon's signed-rank test.

    It holds exactly where the two measurements of each pair may be exchanged, whatever their laws, and pairs do not
    depend on each other.

    Args:
        differences: shape (N,); NaN is left out.
        margin: what is no drift.

    Returns:
        None for fewer than :data:`FEWEST` differences.

    Paper: Wilcoxon, "Individual Comparisons by Ranking Methods", Biometrics Bulletin 1(6), 1945; Hodges and Lehmann,
    "Estimates of Location Based on Rank Tests", Annals of Mathematical Statistics 34(2), 1963.
    """
    values = np.asarray(differences, dtype=float)
    values = values[np.isfinite(values)]
    if len(values) < FEWEST:
        return None

    def p_value(shifted: Floats) -> float:
        return float(stats.wilcoxon(shifted, alternative="greater").pvalue) if shifted.any() else 1.0

    worse, better = p_value(values - margin), p_value(-values - margin)
    return Drift(_middle(values), int((values > 0).sum()), int((values < 0).sum()), worse, better)


def _middle(values: Floats) -> float:
    """The median of the means of all pairs; of at most a thousand values, evenly of the sorted ones."""
    some = np.sort(values)[:: max(1, len(values) // 1000)]
    first, second = np.triu_indices(len(some))
    return float(np.median((some[first] + some[second]) / 2))
