"""How much of a comparison is owed to which items happen to be in the test split."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def covariance(scores: npt.ArrayLike) -> Floats:
    """Covariance of the means of K approaches, as far as it comes from the test items being a sample.

    Of the two-way layout y = mean + seed + item + seed × item it estimates the items' part alone, from mean squares:
    the covariance over items of the seeds' means, less what is left of seed × item in these, over the number of items.
    What varies over seeds is in the variance over seeds, and counted there. With one seed nothing can be taken off, and
    it is all counted here. v_ii + v_jj - 2 v_ij is the variance of the difference of two approaches over the same
    items, and v_ii that of one alone.

    Args:
        scores: shape (K, S, N): of each approach, seed and test item; NaN where an approach has not run with a seed or
            an item has no part in its score. Seeds and items are the same ones for all approaches.

    Returns:
        Shape (K, K), positive semidefinite; NaN in the rows and columns of an approach with fewer than two items.

    Paper: Searle, Casella & McCulloch 1992, Variance Components (mean squares); Miller 2024, Adding Error Bars
    to Evals (paired differences over items)
    """
    given = np.asarray(scores, dtype=float)
    enough = (~np.isnan(given)).any(1).sum(1) > 1
    found = np.full((len(given),) * 2, np.nan)
    if enough.any():
        found[np.ix_(enough, enough)] = _semidefinite(_covariance(given[enough]))
    return found


def _covariance(given: Floats) -> Floats:
    there = ~np.isnan(given)
    has_seed, has_item = there.any(2), there.any(1)
    counts = there.sum(1)
    means = np.divide(np.where(there, given, 0).sum(1), counts, out=np.zeros(counts.shape), where=counts > 0)
    centred = np.where(has_item, means - (means.sum(1) / has_item.sum(1))[:, None], 0)
    common = has_item.astype(float) @ has_item.T
    own = has_item.sum(1).astype(float)
    between = centred @ centred.T / np.maximum(common - 1, 1)

    # seed × item: what is left when each seed's and each item's mean is taken off
    per_seed, seeds = there.sum(2), has_seed.sum(1).astype(float)
    levels = np.divide(np.where(there, given, 0).sum(2), per_seed, out=np.zeros(per_seed.shape), where=per_seed > 0)
    overall = levels.sum(1) / seeds
    rest = given - means[:, None] - levels[:, :, None] + overall[:, None, None]
    flat = np.where(there, rest, 0).reshape(len(given), -1)
    shared = has_seed.astype(float) @ has_seed.T
    freedom = np.maximum(shared - 1, 0) * np.maximum(common - 1, 0)
    noise = np.divide(flat @ flat.T, freedom, out=np.zeros_like(freedom), where=freedom > 0)
    between = between - noise * shared / np.outer(seeds, seeds)
    covered: Floats = between * common / np.outer(own, own)
    return covered


def _semidefinite(matrix: Floats) -> Floats:
    """The nearest matrix without negative eigenvalues (Higham 1988)."""
    values, vectors = np.linalg.eigh((matrix + matrix.T) / 2)
    nearest: Floats = (vectors * np.maximum(values, 0)) @ vectors.T
    return nearest
