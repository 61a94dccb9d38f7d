"""Pure functions on arrays: what may be concluded from a few seeds. Imports no torch and no other part of bench."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def half_width(deviation: npt.ArrayLike, n: npt.ArrayLike, confidence: float = 0.95) -> Floats:
    """Half the width of Student's t interval for a mean.

    Args:
        deviation: sample standard deviations (divisor n - 1), any shape.
        n: number of observations behind each, broadcastable with ``deviation``.
        confidence: coverage of the interval, in (0, 1).

    Returns:
        Half-widths of the broadcast shape; NaN where fewer than two observations give no interval.

    Paper: Student, "The Probable Error of a Mean", Biometrika 6(1), 1908.
    """
    from scipy.special import stdtrit  # 0.1 s to import: only those pay who ask for an interval

    deviation, n = np.broadcast_arrays(np.asarray(deviation, dtype=float), np.asarray(n, dtype=float))
    enough = n > 1
    freedom = np.where(enough, n - 1, 1.0)
    width = stdtrit(freedom, 0.5 + confidence / 2) * deviation / np.sqrt(freedom + 1)
    return np.asarray(np.where(enough, width, np.nan))


def interval(values: npt.ArrayLike, confidence: float = 0.95) -> tuple[float, float]:
    """Mean of ``values``, shape (n,), and half the width of its Student's t interval.

    For a comparison of two approaches over the same seeds pass their differences, seed by seed: what the seeds have
    in common cancels. One value gives a NaN half-width, none gives NaN for both.
    """
    found: Any = np.asarray(values, dtype=float)
    if found.size == 0:
        return float("nan"), float("nan")
    deviation = found.std(ddof=1) if found.size > 1 else 0.0
    return float(found.mean()), float(half_width(deviation, found.size, confidence))


def pareto_front(costs: npt.ArrayLike, losses: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points no other point beats: none is at most as costly and at most as bad, and less so in one of the two.

    Args:
        costs: shape (n,), lower is better.
        losses: shape (n,), lower is better; a NaN in either coordinate keeps a point off the front.

    Returns:
        Mask of shape (n,); equal points are on the front together.
    """
    cost, loss = np.asarray(costs, dtype=float), np.asarray(losses, dtype=float)
    front = np.zeros(cost.shape, dtype=bool)
    order = np.lexsort((loss, cost))
    best, last = np.inf, (np.nan, np.nan)
    for index in order:
        point = (cost[index], loss[index])
        if np.isnan(point).any():
            continue
        if point[1] < best or point == last:
            front[index] = True
            best, last = point[1], point
    return front


def probability_of_improvement(ours: Sequence[npt.ArrayLike], theirs: Sequence[npt.ArrayLike]) -> Floats:
    """How probable it is that a run of ours scores higher than one of theirs, task by task; a tie counts half.

    Their mean is the average probability of improvement of rliable.

    Args:
        ours, theirs: for each task the scores of its runs, shapes (n,) and (m,); higher is better.

    Returns:
        Shape (tasks,); NaN for a task without runs on both sides.

    Paper: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021;
    Mann & Whitney, Annals of Mathematical Statistics 18(1), 1947.
    """
    found = []
    for mine, other in zip(ours, theirs, strict=True):
        difference = np.subtract.outer(np.asarray(mine, dtype=float), np.asarray(other, dtype=float))
        found.append(float(np.mean((np.sign(difference) + 1) / 2)) if difference.size else np.nan)
    return np.array(found)
