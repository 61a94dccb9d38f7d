"""Intervals of means: Student's t."""

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
