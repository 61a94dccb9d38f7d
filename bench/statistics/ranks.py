"""Approaches ranked on each of many tasks: the tasks are the sample here, each one observation."""

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


class Friedman(NamedTuple):
    """Friedman's chi-squared and the less conservative F of Iman and Davenport, each with its p value."""

    chi_squared: float
    chi_squared_p: float
    f: float
    f_p: float


def largest_complete(present: npt.ArrayLike) -> tuple[Mask, Mask]:
    """Which tasks and approaches to keep so that each of these has a value in each of those.

    Approaches are taken from the one with most tasks on, for as long as approaches × common tasks grows.

    Args:
        present: shape (tasks, approaches), whether there is a value.

    Returns:
        Masks of shapes (tasks,) and (approaches,).
    """
    known = np.asarray(present, dtype=bool)
    order = np.argsort(-known.sum(axis=0), kind="stable")
    common = np.logical_and.accumulate(known[:, order], axis=1)
    areas = common.sum(axis=0) * np.arange(1, len(order) + 1)
    taken = len(order) - int(np.argmax(areas[::-1])) if areas.size and areas.max() else 0
    chosen = np.zeros(known.shape[1], dtype=bool)
    chosen[order[:taken]] = True
    return np.logical_and(known[:, chosen].all(axis=1), taken > 0), chosen


def ranks(losses: npt.ArrayLike) -> Floats:
    """Ranks within each task, 1 for the lowest loss; ties share the mean of their places.

    Args:
        losses: shape (tasks, approaches), lower is better; without NaN (see :func:`largest_complete`).

    Returns:
        The same shape.
    """
    loss = np.asarray(losses, dtype=float)
    below = (loss[:, None, :] < loss[:, :, None]).sum(axis=2)
    equal = (loss[:, None, :] == loss[:, :, None]).sum(axis=2)
    return np.asarray(below + (equal + 1) / 2)


def friedman(ranked: npt.ArrayLike) -> Friedman:
    """Friedman's test that no approach tends to rank before another, corrected for ties.

    Args:
        ranked: of :func:`ranks`, shape (tasks, approaches).

    Returns:
        NaN where there are not two tasks and two approaches; p is 1 where all are tied everywhere. Chi-squared is an
        approximation for many tasks: at five it is conservative.

    Papers: Friedman, "A Comparison of Alternative Tests of Significance for the Problem of m Rankings", 1940; Iman &
    Davenport, "Approximations of the critical region of the Friedman statistic", 1980.
    """
    from scipy.special import chdtrc, fdtrc

    rank = np.asarray(ranked, dtype=float)
    n, k = rank.shape
    if min(n, k) < 2:
        return Friedman(*[float("nan")] * 4)
    spread = ((rank - (k + 1) / 2) ** 2).sum()
    if not spread:
        return Friedman(0.0, 1.0, 0.0, 1.0)
    chi = float(n * n * (k - 1) * ((rank.mean(axis=0) - (k + 1) / 2) ** 2).sum() / spread)
    left = n * (k - 1) - chi
    f = (n - 1) * chi / left if left > 1e-9 * chi else float("inf")
    return Friedman(chi, float(chdtrc(k - 1, chi)), f, float(fdtrc(k - 1, (k - 1) * (n - 1), f)) if left > 0 else 0.0)


def critical_difference(approaches: int, tasks: int, confidence: float = 0.95) -> float:
    """By how much two average ranks must differ at least for the approaches to differ, all pairs taken together.

    Nemenyi's test: q of the studentised range over sqrt(2), times sqrt(k (k + 1) / (6 N)). Few tasks make it
    conservative, but of two approaches it is a sign test whose p value is off by up to a factor of two either way.

    Paper: Demšar, "Statistical Comparisons of Classifiers over Multiple Data Sets", JMLR 7, 2006.
    """
    q = _studentised_range(confidence, approaches) / 2**0.5
    return q * float(np.sqrt(approaches * (approaches + 1) / (6 * tasks)))


def groups(average: npt.ArrayLike, distance: float) -> list[list[int]]:
    """Largest sets of approaches whose average ranks lie less than ``distance`` apart, the best first.

    Args:
        average: average ranks, shape (approaches,).
        distance: of :func:`critical_difference`.

    Returns:
        Indices, each set from its best to its worst; a set of one is an approach that differs from all others.
    """
    rank = np.asarray(average, dtype=float)
    order = np.argsort(rank, kind="stable")
    ends = np.searchsorted(rank[order], rank[order] + distance, side="left")
    starts = [place for place, end in enumerate(ends) if place == 0 or end > ends[place - 1]]
    return [order[start : ends[start]].tolist() for start in starts]


@cache
def _studentised_range(confidence: float, count: int) -> float:
    """The quantile of the range of so many standard normal values, as ``scipy.stats.studentized_range`` has it.

    From ∫ k φ(z) (Φ(z) - Φ(z - q))^(k - 1) dz; scipy.stats itself takes a second to import.
    """
    from scipy.special import ndtr

    z, step = np.linspace(-9, 9, 3601, retstep=True)
    density, below = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi), ndtr(z)
    low, high = 0.0, 50.0
    for _ in range(60):
        q = (low + high) / 2
        probability = step * float((count * density * (below - ndtr(z - q)) ** (count - 1)).sum())
        low, high = (q, high) if probability < confidence else (low, q)
    return low
