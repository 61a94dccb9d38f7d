"""What an approach is worth in data: how many examples training from scratch would need for the same score.

Scores are losses throughout: lower is better; who has scores of which higher is better hands in their negatives.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from bench.statistics.intervals import interval

Floats = npt.NDArray[np.float64]
Key = tuple[str, int]
"""A name and how many target examples it was given; 0 for none."""

INSIDE, AT_LEAST, AT_MOST, UNKNOWN = "inside", "at_least", "at_most", "unknown"
"""Where an effective size lies: within what was measured, at its upper or its lower end or beyond, or nowhere that can
be told, because the curve is as high at both ends."""


@dataclass(frozen=True)
class Worth:
    """How many from-scratch examples stand for an approach, D_E in the paper.

    Attributes:
        effective: the estimate, always between the smallest and the largest size; NaN where there is none.
        side: :data:`INSIDE`; or :data:`AT_LEAST` or :data:`AT_MOST`, where ``effective`` is a bound; or
            :data:`UNKNOWN`.
        low, high: ends of the interval; 0 and infinite where it reaches an end of what was measured, beyond which
            nothing is said; NaN where there are fewer than two seeds to pair.
        pairs: seeds that the interval rests on.
    """

    effective: float
    side: str
    low: float
    high: float
    pairs: int

    def transferred(self, size: int) -> float:
        """D_T = D_E - D_F: examples that pretraining saves an approach that was given ``size`` of them."""
        return self.effective - size

    def multiplier(self, size: int) -> tuple[float, float, float]:
        """D_E / D_F with the ends of its interval; NaN for what uses no target data (``size`` 0)."""
        if not size:
            return (float("nan"),) * 3
        return self.effective / size, self.low / size, self.high / size


def monotone(losses: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats:
    """The non-increasing sequence nearest to ``losses`` in squares: isotonic regression by pooling adjacent violators.

    Args:
        losses: shape (n,).
        weights: shape (n,), positive; of each square. All alike by default.

    Returns:
        Shape (n,).

    Paper: Ayer et al., "An Empirical Distribution Function for Sampling with Incomplete Information", Annals of
    Mathematical Statistics 26(4), 1955.
    """
    values = np.asarray(losses, dtype=float)
    each = np.ones_like(values) if weights is None else np.asarray(weights, dtype=float)
    blocks: list[tuple[float, float, int]] = []  # mean, weight, how many
    for value, weight in zip(values, each, strict=True):
        block = (float(value), float(weight), 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, heavy, count = blocks.pop()
            total = heavy + block[1]
            block = ((mean * heavy + block[0] * block[1]) / total, total, count + block[2])
        blocks.append(block)
    return np.repeat([mean for mean, _, _ in blocks], [count for _, _, count in blocks])


def inverted(sizes: npt.ArrayLike, fit: npt.ArrayLike, loss: float) -> tuple[float, str]:
    """The fewest examples with which a fitted curve is as low as ``loss``, and where that lies (:class:`Worth`).

    The curve is linear in the logarithm of the size between its points. It is not extended: a loss below all of it
    gives the largest size, :data:`AT_LEAST`, one above all of it the smallest, :data:`AT_MOST`.

    Args:
        sizes: shape (n,), ascending, positive.
        fit: shape (n,), non-increasing.
        loss: what to look for.
    """
    known, curve = np.asarray(sizes, dtype=float), np.asarray(fit, dtype=float)
    if not np.isfinite(loss) or not len(curve):
        return float("nan"), UNKNOWN
    if loss < curve[-1]:
        return float(known[-1]), AT_LEAST
    if loss > curve[0]:
        return float(known[0]), AT_MOST
    if curve[0] == curve[-1]:
        return float("nan"), UNKNOWN
    right = int(np.argmax(curve <= loss))
    if right == 0:
        return float(known[0]), INSIDE
    share = (curve[right - 1] - loss) / (curve[right - 1] - curve[right])
    return float(known[right - 1] * (known[right] / known[right - 1]) ** share), INSIDE


def worth(sizes: npt.ArrayLike, scratch: npt.ArrayLike, losses: npt.ArrayLike, confidence: float = 0.95) -> Worth:
    """Effective data of an approach, by inverting a monotone fit of the from-scratch curve.

    The estimate inverts the isotonic regression of the from-scratch means (each weighted by its number of seeds), which
    is linear in log size between measured sizes, at the approach's mean. The interval holds every size that is not
    refuted: where a paired t test over seeds does not tell the approach's losses from those of the from-scratch curve,
    taken linear in log size seed by seed (Fieller 1954). So its coverage is exact for normal scores, where the true
    curve is linear between the sizes. Where it reaches the smallest or the largest size it is open there.

    Args:
        sizes: shape (n,), ascending, positive; n ≥ 2.
        scratch: shape (n, seeds), losses; NaN where there is none.
        losses: shape (seeds,), of the approach, for the same seeds; NaN where there is none.
        confidence: of the interval.

    Paper: Hernandez et al., "Scaling Laws for Transfer", arXiv 2102.01293, 2021 (what is estimated); Fieller, "Some
    Problems in Interval Estimation", JRSS B 16(2), 1954 (the interval).
    """
    at, curve, mine = (np.asarray(array, dtype=float) for array in (sizes, scratch, losses))
    held = np.isfinite(curve)
    known = held.any(axis=1)
    if known.sum() < 2 or not np.isfinite(mine).any():
        return Worth(float("nan"), UNKNOWN, float("nan"), float("nan"), 0)
    at, curve, counts = at[known], curve[known], held[known].sum(axis=1)
    means = np.nansum(curve, axis=1) / counts
    effective, side = inverted(at, monotone(means, counts), float(np.nanmean(mine)))
    low, high, pairs = _interval(at, curve, mine, confidence)
    if side == INSIDE and pairs > 1:
        low, high = min(low, effective), max(high, effective)
    return Worth(effective, side, low, high, pairs)


def marks(
    sizes: npt.ArrayLike, scratch: npt.ArrayLike, losses: Mapping[Key, npt.ArrayLike], error: float = 0.05
) -> dict[Key, int]:
    """Which entries of a table are surely worth more than they were given, 1, and which surely less, -1.

    All together: with probability 1 - ``error`` none of a table is marked falsely, however its entries depend on each
    other through the curve they share (Bonferroni).

    Args:
        sizes, scratch: as of :func:`worth`.
        losses: (name, examples) to losses, shape (seeds,); what was given no examples, 0, has nothing to compare with.
        error: the share of tables that may have a false mark.
    """
    entries = {key: mine for key, mine in losses.items() if key[1]}
    found = {}
    for key, mine in entries.items():
        _, low, high = worth(sizes, scratch, mine, 1 - error / len(entries)).multiplier(key[1])
        if low > 1 or high < 1:
            found[key] = 1 if low > 1 else -1
    return found


def _interval(sizes: Floats, curve: Floats, mine: Floats, confidence: float) -> tuple[float, float, int]:
    """Ends of the interval of :func:`worth`, and the fewest pairs that a part of it rests on.

    Args:
        sizes: shape (n,).
        curve: shape (n, seeds).
        mine: shape (seeds,).
    """
    pieces: list[tuple[float, float, int]] = []
    at = np.log(sizes)
    paired = [np.isfinite(mine) & np.isfinite(pair).all(axis=0) for pair in pairwise(curve)]
    for left, seeds in enumerate(paired):
        ahead, step = mine[seeds] - curve[left, seeds], curve[left + 1, seeds] - curve[left, seeds]
        reach = at[left + 1] - at[left]
        pieces += [(at[left] + a * reach, at[left] + b * reach, told) for a, b, told in _told(ahead, step, confidence)]
    counts = [int(seeds.sum()) for seeds in paired if seeds.sum() > 1]
    if not counts:
        return float("nan"), float("nan"), max(int(seeds.sum()) for seeds in paired)
    first = next((piece for piece in pieces if piece[2] >= 0), None)  # the first part that is not surely too small
    last = next((piece for piece in reversed(pieces) if piece[2] <= 0), None)
    low = float(sizes[-1]) if first is None else 0.0 if first is pieces[0] else float(np.exp(first[0]))
    high = float(sizes[0]) if last is None else float("inf") if last is pieces[-1] else float(np.exp(last[1]))
    return low, high, min(counts)


def _told(ahead: Floats, step: Floats, confidence: float) -> list[tuple[float, float, int]]:
    """What a paired t test says of each place w between two sizes, in parts of [0, 1] with one answer each.

    Args:
        ahead: shape (seeds,), the approach's loss less that of the smaller size.
        step: shape (seeds,), the larger size's loss less that of the smaller one.

    Returns:
        (from, to, answer): -1 where the approach is surely better than the curve at w, 1 where it is surely worse, 0
        where neither is sure. Both ends of a part are solutions of a quadratic equation in w.
    """
    from scipy.special import stdtrit  # 0.1 s to import: only those pay who ask for an interval

    seeds = len(ahead)
    if seeds < 2:
        return [(0.0, 1.0, 0)]
    scale = max(float(np.abs(ahead).max()), float(np.abs(step).max())) or 1.0
    ahead, step = ahead / scale, step / scale
    a, b, factor = ahead.mean(), step.mean(), stdtrit(seeds - 1, 0.5 + confidence / 2) ** 2 / seeds
    spread = np.cov(ahead, step)
    square, half, rest = b**2 - factor * spread[1, 1], a * b - factor * spread[0, 1], a**2 - factor * spread[0, 0]
    ends = {0.0, 1.0, *(w for w in _roots(square, half, rest) if 0 < w < 1)}
    if b and 0 < a / b < 1:
        ends.add(float(a / b))  # where the means cross, nothing is sure, however small the variance
    edges, found = sorted(ends), []
    for low, high in pairwise(edges):
        w = (low + high) / 2
        sure = square * w**2 - 2 * half * w + rest > 0
        found.append((low, high, int(np.sign(a - w * b)) if sure else 0))
    return found


def _roots(square: float, half: float, rest: float) -> list[float]:
    """Real solutions of square·w² - 2·half·w + rest = 0."""
    inner = half**2 - square * rest
    if inner < 0:
        return []
    far = half + np.copysign(np.sqrt(inner), half)
    return [float(over / under) for over, under in ((far, square), (rest, far)) if under]


def improves(scratch: npt.ArrayLike, confidence: float = 0.95) -> bool:
    """Whether the from-scratch curve ends surely lower than it begins: paired t, shape (n, seeds) of losses."""
    curve = np.asarray(scratch, dtype=float)
    mean, half_width = interval(_differences(curve[0], curve[-1]), confidence)
    return bool(mean > half_width)


def rises(scratch: npt.ArrayLike, confidence: float = 0.95) -> list[int]:
    """The steps, by index of the larger size, at which the curve surely gets worse, all held together (Bonferroni).

    Args:
        scratch: shape (n, seeds), losses; NaN where there is none.
        confidence: that none of a curve which never rises is named.
    """
    curve = np.asarray(scratch, dtype=float)
    each = 1 - (1 - confidence) / max(1, len(curve) - 1)
    found = []
    for right in range(1, len(curve)):
        mean, half_width = interval(_differences(curve[right], curve[right - 1]), each)
        if mean > half_width:
            found.append(right)
    return found


def _differences(ours: Floats, theirs: Floats) -> Floats:
    differences = ours - theirs
    return np.asarray(differences[np.isfinite(differences)])


def area(sizes: npt.ArrayLike, scores: npt.ArrayLike) -> Floats:
    """Area under each seed's data-efficiency curve, as a mean score over the logarithm of the size.

    A = ∫ s(log n) d(log n) / (log n_max - log n_min), s linear between measured sizes: in the score's own unit, and
    what a user whose number of examples may equally be of any order of magnitude in the range has on average.

    Args:
        sizes: shape (n,), ascending, positive; n ≥ 2.
        scores: shape (n, seeds).

    Returns:
        Shape (seeds,); NaN for a seed that lacks a size.
    """
    at = np.log(np.asarray(sizes, dtype=float))
    return np.asarray(np.trapezoid(np.asarray(scores, dtype=float), at, axis=0) / (at[-1] - at[0]))


def typical(reached: npt.ArrayLike) -> tuple[float, float, float]:
    """Median, least and most of what it took to reach a target; infinite for seeds that did not.

    The median of an even number is the mean of the middle two; it is infinite where half the seeds did not get there.
    Least and most hold the median of all seeds there might be with probability 1 - 2^(1 - n), whatever the law: 0.75
    for three seeds, 0.94 for five.

    Args:
        reached: shape (n,).
    """
    values = np.sort(np.asarray(reached, dtype=float))
    if not len(values):
        return (float("nan"),) * 3
    middle = (values[(len(values) - 1) // 2], values[len(values) // 2])
    return float(middle[0] / 2 + middle[1] / 2), float(values[0]), float(values[-1])
