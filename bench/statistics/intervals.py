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


def with_items(deviation: npt.ArrayLike, n: npt.ArrayLike, error: npt.ArrayLike, confidence: float = 0.95) -> Floats:
    """Half the width of an interval for a mean over seeds, all of which are scored on the same test items.

    Both parts are added in squares, each with its own critical value: Student's t over seeds, and the normal one for
    the score's own standard error over test items, which is the mean's, too, whatever the number of seeds.

    Args:
        deviation, n, confidence: over seeds, as of :func:`half_width`.
        error: standard errors over test items, broadcastable; NaN where that is not known, and nothing is added.
    """
    from scipy.special import ndtri

    error = np.asarray(error, dtype=float)
    over_items = np.where(np.isfinite(error), error, 0.0) * ndtri((1 + confidence) / 2)
    return np.asarray(np.hypot(half_width(deviation, n, confidence), over_items))


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
