"""Where series change their level: one after another, in many series at once."""

import functools
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

from bench.statistics.changes import discoveries

Floats = npt.NDArray[np.float64]

FEWEST = 8
"""Values of a series at least, before it is looked at."""

SHORTEST = 3
"""Values of a level at least: fewer may be nights that were odd."""

_DRAWS = 50_000
_EVERY = 40  # lengths up to which each has its own law; of longer ones those a tenth apart
_ROUNDING = 1e-12
_BY_RANKS = 0.01


def change_points(series: list[Floats], level: float = 0.05) -> list[list[int]]:
    """Of each series, the indices of the values with which a new level begins, ascending.

    Each series is cut in two where :func:`split` says so, and each part is looked at again (binary segmentation). In
    each round the tests of all series together have this false discovery rate.

    Args:
        series: arrays of values in the order of time, without holes; they need not be of one length.
        level: the false discovery rate.

    Paper: Scott and Knott, "A Cluster Analysis Method for Grouping Means in the Analysis of Variance", Biometrics
    30(3), 1974.
    """
    found: list[list[int]] = [[] for _ in series]
    parts = [(which, 0, len(values)) for which, values in enumerate(series)]
    while parts := [part for part in parts if part[2] - part[1] >= FEWEST]:
        tested = [split(series[which][start:end]) for which, start, end in parts]
        cut = discoveries([p_value for _, p_value in tested], level)
        halves = []
        for (which, start, end), (at, _), is_cut in zip(parts, tested, cut, strict=True):
            if is_cut:
                found[which].append(start + at)
                halves += [(which, start, start + at), (which, start + at, end)]
        parts = halves
    return [sorted(points) for points in found]


def split(values: npt.ArrayLike) -> tuple[int, float]:
    """Where the second part begins if there are two, and the p-value of there being one; shape of ``values`` (N,).

    The largest Student's t of all places to cut, with :data:`SHORTEST` values at least on each side; its law is drawn
    from normal noise. As a few odd values may do that too, a cut must also be likely by ranks (Pettitt's test, at
    :data:`_BY_RANKS`), whose p-value alone counts where many values are the same, as the noise is not normal then.

    Paper: Worsley, "On the Likelihood Ratio Test for a Shift in Location of Normal Populations", Journal of the
    American Statistical Association 74, 1979; Pettitt, "A Non-Parametric Approach to the Change-Point Problem",
    Journal of the Royal Statistical Society C 28(2), 1979.
    """
    known = np.asarray(values, dtype=float)
    if np.ptp(known) <= _ROUNDING * np.abs(known).max(initial=0.0):
        return SHORTEST, 1.0
    by_ranks = pettitt(known)
    if len(np.unique(known)) <= len(known) / 2:
        return by_ranks
    squares = _squares((known - known.mean()) / known.std())
    at = int(squares.argmax())
    drawn = _drawn(_length(len(known)))
    p_value = float((1 + (drawn >= squares[at]).sum()) / (1 + len(drawn)))
    return at + SHORTEST, p_value if by_ranks[1] <= _BY_RANKS else 1.0


def pettitt(values: npt.ArrayLike) -> tuple[int, float]:
    """The same by ranks alone, whatever the law, if values of one level may be exchanged.

    The p-value is Pettitt's approximation, which is too large with few values; of those it is the share of drawn orders
    that go as far, if that is less. With ties both are a little too large.
    """
    ranks = rankdata(np.asarray(values, dtype=float))
    n, sums = len(ranks), _sums(ranks)
    at = int(sums.argmax())
    p_value = min(1.0, 2 * np.exp(-6 * sums[at] ** 2 / (n**3 + n**2)))
    if n <= _EVERY:
        drawn = _orders(n)
        p_value = min(p_value, (1 + (drawn >= sums[at]).sum()) / (1 + len(drawn)))
    return at + 1, float(p_value)


def _sums(ranks: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Pettitt's |U_t| of each place t to cut, shape (..., N - 1)."""
    n = ranks.shape[-1]
    return np.asarray(np.abs(2 * np.cumsum(ranks, axis=-1)[..., :-1] - np.arange(1, n) * (n + 1)))


@functools.lru_cache
def _orders(n: int) -> npt.NDArray[Any]:
    """The largest of each of many orders of n ranks."""
    order = np.random.default_rng(0).random((_DRAWS, n)).argsort(axis=-1) + 1.0
    return np.asarray(_sums(order).max(axis=-1))


def _squares(standard: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The share of the sum of squares that is between both parts, for each place to cut: it grows with |t|.

    Args:
        standard: shape (..., N), with mean 0 and variance 1.

    Returns:
        Shape (..., N - 2 ``SHORTEST`` + 1).
    """
    n = standard.shape[-1]
    first = np.arange(SHORTEST, n - SHORTEST + 1)
    sums = np.cumsum(standard, axis=-1)[..., SHORTEST - 1 : n - SHORTEST]
    return np.asarray(sums**2 / (first * (n - first)))


def _length(n: int) -> int:
    """The next length whose law is drawn: the largest of more places is larger, so that it errs on the safe side."""
    length = n if n <= _EVERY else _EVERY
    while length < n:
        length += length // 10
    return length


@functools.lru_cache
def _drawn(n: int) -> Floats:
    """The largest share of each of many series of noise."""
    generator, largest = np.random.default_rng(0), []
    for _ in range(10):
        noise = generator.normal(size=(_DRAWS // 10, n))
        noise -= noise.mean(axis=-1, keepdims=True)
        largest.append(_squares(noise / noise.std(axis=-1, keepdims=True)).max(axis=-1))
    return np.concatenate(largest)
