"""Mean places of approaches over pairs of model and target, 0 being the first and 1 the last: pairs are the sample."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

FEWEST = 5
"""Pairs below which nothing is concluded."""

_CHUNK = 2_000_000  # places that are drawn at once
_ROUNDING = 1e-12


def mean_places(shares: npt.ArrayLike, pairs: Sequence[int], critical: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Means, and half the widths of their intervals, each of shape (K,).

    Args:
        shares: shape (sections, K), places from 0 to 1; NaN where an approach has none.
        pairs: of each section the index of its pair; the mean over sections of a pair is one observation.
        critical: of :func:`critical_values`.

    Returns:
        Half-widths are NaN below :data:`FEWEST` pairs, where the places are all the same, and where the interval would
        hold everything.
    """
    mean, error, _ = _means(np.asarray(shares, dtype=float), pairs)
    half = np.asarray(critical, dtype=float) * error
    return mean, np.where(half < 1, half, np.nan)


def critical_values(
    present: npt.ArrayLike, pairs: Sequence[int], generator: np.random.Generator, confidence: float, draws: int = 20_000
) -> Floats:
    """How many standard errors make the intervals of :func:`mean_places` hold for all approaches together; shape (K,).

    Places on a few pairs fall together by chance, and the standard error is then too small: where all are equal,
    Student's intervals after Bonferroni leave out their mean place in one of eight tables of three approaches on five
    pairs, and in one of six of 36. So the value is what the largest of all approaches reaches where all are equal, in
    tables with these very holes, through the same code. It is no less than Student's after Bonferroni, as approaches
    that differ may vary more.

    Args:
        present: shape (sections, K), which approach has a place where.
        pairs: of each section the index of its pair. Its sections may be as one: they share what is drawn.
        generator: of the tables.
        confidence: of all intervals together.
        draws: how many tables.
    """
    from scipy.special import stdtrit

    there = np.asarray(present, dtype=bool)
    count = there.sum(axis=1, keepdims=True)
    none = np.where(there, 0.0, np.nan)
    expected, _, n = _means(np.where(count > 1, 0.5, 0.0) + none, pairs)
    enough = n >= FEWEST
    if not enough.any():
        return np.full(len(n), np.nan)
    largest = np.empty(draws)
    step = max(1, _CHUNK // there.size)
    for start in range(0, draws, step):
        here = slice(start, min(start + step, draws))
        keys = generator.random((here.stop - start, max(pairs) + 1, len(n)))[:, list(pairs)]
        order = np.where(there, keys, np.inf).argsort(axis=-1).argsort(axis=-1)
        mean, error, _ = _means(order / np.maximum(count - 1, 1) + none, pairs)
        apart = np.divide(np.abs(mean - expected), error, out=np.zeros_like(mean), where=np.isfinite(error))
        largest[here] = apart[:, enough].max(axis=-1)
    reached = float(np.quantile(largest, confidence, method="higher"))
    drawn = reached * (1 + 1e-9)  # equal ones, however they were summed
    student = stdtrit(np.maximum(n - 1, 1), 1 - (1 - confidence) / 2 / enough.sum())
    return np.asarray(np.where(enough, np.maximum(drawn, student), np.nan))


def _means(shares: Floats, pairs: Sequence[int]) -> tuple[Floats, Floats, Floats]:
    """Means over pairs, their standard errors (NaN where there is none), and how many pairs; shapes (..., K)."""
    of_pair = np.equal.outer(np.arange(max(pairs) + 1), np.asarray(pairs)).astype(float)
    held = np.isfinite(shares)
    sections = of_pair @ held
    seen = sections > 0
    each = np.divide(of_pair @ np.where(held, shares, 0.0), sections, out=np.zeros(sections.shape), where=seen)
    n = seen.sum(axis=-2).astype(float)
    mean = np.divide(each.sum(axis=-2), n, out=np.full(n.shape, np.nan), where=n > 0)
    squares = (np.where(seen, each - mean[..., None, :], 0.0) ** 2).sum(axis=-2)
    error = np.sqrt(np.divide(squares, n * (n - 1), out=np.full(n.shape, np.nan), where=n >= FEWEST))
    return mean, np.where(error > _ROUNDING, error, np.nan), n
