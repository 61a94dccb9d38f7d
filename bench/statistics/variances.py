"""How approaches vary over seeds: an additive fit to a table with holes, and variances that borrow from each other."""

import functools
from collections import deque
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

PRIOR_FREEDOM = 4.0
"""Degrees of freedom that the pooled variance counts for beside an approach's own."""

ROUNDING = 1e-12
"""Differences below this share of the scores are those of summing in another order."""


def comparable(held: npt.ArrayLike) -> Mask:
    """Which approaches can be compared seed by seed: two shared seeds at least, and each linked to each through others.

    Args:
        held: shape (K, S), which approach has a value for which seed.

    Returns:
        Shape (K,); all False where no two approaches can be compared.
    """
    left = np.array(held, dtype=bool)
    if left.all() and min(left.shape) > 1:
        return np.ones(len(left), dtype=bool)
    while True:
        left[:, left.sum(axis=0) < 2] = False  # a seed of one approach alone says nothing of a difference
        short = left.any(axis=1) & (left.sum(axis=1) < 2)
        if not short.any():
            break
        left[short] = False
    best = np.zeros(len(left), dtype=bool)
    unseen = set(np.flatnonzero(left.any(axis=1)))
    while unseen:
        part, waiting = np.zeros(len(left), dtype=bool), deque([unseen.pop()])
        while waiting:
            one = waiting.popleft()
            part[one] = True
            linked = [other for other in unseen if (left[other] & left[one]).any()]
            unseen.difference_update(linked)
            waiting.extend(linked)
        best = max(best, part, key=lambda rows: int(left[rows].sum()))
    return best


class Design:
    """The additive fit ``score = approach + seed`` to a table in which cells may be missing.

    Args:
        held: shape (K, S), which cells are there; K ≥ 2 approaches that are :func:`comparable` with each other.

    Attributes:
        held: as given.
        weights: shape (K, K, S): an approach's effect is the sum of all scores times these. Only differences of effects
            mean something; in a complete table they are those of the means.
        freedom: of the residuals, (K - 1)(S - 1) in a complete table.
        own_freedom: shape (K,), what each approach's variance rests on, S - 1 in a complete table.
    """

    def __init__(self, held: npt.ArrayLike) -> None:
        self.held = np.asarray(held, dtype=bool)
        there, count = self.held.astype(float), len(self.held)
        normal = np.block([[np.diag(there.sum(1)), there], [there.T, np.diag(there.sum(0))]])
        inverse = np.linalg.pinv(normal, rcond=1e-10, hermitian=True)
        self.weights = (inverse[:count, :count, None] + inverse[:count, None, count:]) * there
        self._seed_weights = (inverse[count:, :count, None] + inverse[count:, None, count:]) * there
        row, column = np.nonzero(self.held)
        crossed = inverse[np.ix_(row, count + column)]
        hat = inverse[np.ix_(row, row)] + crossed + crossed.T + inverse[np.ix_(count + column, count + column)]
        maker = np.eye(len(row)) - hat  # scores to residuals
        of = np.zeros((count, len(row)))
        of[row, np.arange(len(row))] = 1.0
        free = of @ np.diag(maker)
        self.freedom = float(free.sum())
        self.own_freedom = np.maximum(free * count / (count - 1), 0.0)
        # Two approaches share their residuals, so that their variances cannot be told apart: each has the mean of both.
        self._unmix = np.linalg.pinv(of @ maker**2 @ of.T, rcond=0.02, hermitian=True)
        self._of_one: dict[int, Floats] = {}

    def fit(self, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
        """Effects of the approaches and their moderated variances, each of shape (..., K).

        An approach's residuals hold a part of all others' noise, by the seeds' means: linear equations tell what its
        own variance is (Grubbs 1948). With few seeds that is hardly known, so it is drawn to the pooled variance, which
        counts for :data:`PRIOR_FREEDOM` degrees of freedom (Smyth 2004, there fitted, here fixed).

        Args:
            scores: shape (..., K, S); what stands in cells that are not :attr:`held` is ignored.

        Paper: Grubbs, "On Estimating Precision of Measuring Instruments and Product Variability", JASA 43, 1948; Smyth,
        "Linear Models and Empirical Bayes Methods for Assessing Differential Expression in Microarray Experiments",
        Statistical Applications in Genetics and Molecular Biology 3(1), 2004.
        """
        known = np.where(self.held, np.asarray(scores, dtype=float), 0.0)
        count, seeds = self.held.shape
        flat = known.reshape(*known.shape[:-2], -1)
        effects: Floats = flat @ self.weights.reshape(count, -1).T
        of_seeds = flat @ self._seed_weights.reshape(seeds, -1).T
        squares = (((known - effects[..., None] - of_seeds[..., None, :]) * self.held) ** 2).sum(axis=-1)
        pooled = squares.sum(axis=-1, keepdims=True) / self.freedom
        own = np.maximum(squares @ self._unmix, 0.0)
        share = PRIOR_FREEDOM / (PRIOR_FREEDOM + self.own_freedom)
        return effects, share * pooled + (1 - share) * own

    def from_mean(self, members: npt.NDArray[np.int_]) -> Floats:
        """What the approaches' variances add to that of each member's difference from the members' mean.

        Shape (members, K): this, times the variances, is the squared standard error over seeds.
        """
        weights = self.weights[members]
        return np.asarray(((weights - weights.mean(axis=0)) ** 2).sum(axis=-1))

    def from_one(self, other: int) -> Floats:
        """The same of each approach's difference from one of them, shape (K, K)."""
        if other not in self._of_one:
            self._of_one[other] = ((self.weights - self.weights[other]) ** 2).sum(axis=-1)
        return self._of_one[other]


def design_of(held: npt.ArrayLike) -> Design:
    """The design of a table with these cells, made once for each pattern."""
    there = np.asarray(held, dtype=bool)
    return _design(there.tobytes(), there.shape)


@functools.lru_cache(maxsize=256)
def _design(held: bytes, shape: tuple[int, ...]) -> Design:
    return Design(np.frombuffer(held, dtype=bool).reshape(shape))


class Table(NamedTuple):
    """What a fit makes of those approaches of a table that can be compared.

    Attributes:
        rows: which they are, shape (k,).
        design: of these, over the seeds that more than one has.
        effects: shape (k,), 0 for the smallest. In units of ``scale``, as all that follows.
        variances: shape (k,), over seeds, moderated.
        items: shape (k, k), covariance over test items, or None.
        scale: what to multiply by.
    """

    rows: npt.NDArray[np.int_]
    design: Design
    effects: Floats
    variances: Floats
    items: Floats | None
    scale: float

    @classmethod
    def of(cls, scores: npt.ArrayLike, items: npt.ArrayLike | None = None) -> "Table | None":
        """Of scores, shape (K, S), NaN where there is none, and covariances, (K, K); None where none compare."""
        values = np.asarray(scores, dtype=float)
        held = np.isfinite(values)
        rows = np.flatnonzero(comparable(held))
        if not len(rows):
            return None
        seeds = held[rows].sum(axis=0) > 1
        part = values[np.ix_(rows, seeds)]
        middle = float(np.nanmean(part))
        scale = float(np.nanmax(np.abs(part - middle))) or 1.0
        design = design_of(held[np.ix_(rows, seeds)])
        effects, variances = design.fit((part - middle) / scale)
        rounding = ROUNDING * float(np.nanmax(np.abs(part))) / scale
        effects = effects - effects.min()
        effects[effects <= rounding] = 0.0
        variances[np.sqrt(variances) <= rounding] = 0.0
        known = None if items is None else np.asarray(items, dtype=float)[np.ix_(rows, rows)] / scale / scale
        return cls(rows, design, effects, variances, known, scale)


def of_deviations(covariance: Floats, members: npt.NDArray[np.int_]) -> Floats:
    """Variances of each member's difference from the members' mean, given all covariances, (K, K); shape (members,)."""
    among = covariance[np.ix_(members, members)]
    return np.asarray(np.maximum(np.diag(among) - 2 * among.mean(axis=0) + among.mean(), 0.0))


def of_differences(covariance: Floats, other: int) -> Floats:
    """Variances v_ii + v_jj - 2 v_ij of each one's difference from one of them, given all covariances; shape (K,)."""
    return np.asarray(np.maximum(np.diag(covariance) + covariance[other, other] - 2 * covariance[other], 0.0))
