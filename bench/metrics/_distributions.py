"""How two sets of features differ: closed forms on arrays of shape (N, D), float64.

Samples come first, references second; the sets may differ in size. Time and memory beyond the features themselves grow
with N × M and with N + M.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.evaluation import Evaluation, Score

_BLOCK = 1024  # rows of a pairwise matrix held at a time
_ROUNDING = 1e-13  # of a squared distance, relative to the points' squared lengths


def frechet_distance(samples: np.ndarray, references: np.ndarray) -> float:
    """Squared Fréchet distance between the Gaussians fitted to both sets (unbiased covariances).

    With A and B the centred features over √(N − 1), the term tr √(Σ₁Σ₂) is the sum of the singular values of A Bᵀ:
    their squares are the eigenvalues of Σ₁Σ₂, without a matrix square root and without its loss of digits.

    Paper: Dowson, Landau (1982), The Fréchet distance between multivariate normal distributions.
    """
    factors = []
    for features in (samples, references):
        centred = (features - features.mean(0)) / math.sqrt(len(features) - 1)
        factors.append(np.asarray(np.linalg.qr(centred, mode="r")))  # at most D rows, the same covariance
    shared = np.linalg.svd(factors[0] @ factors[1].T, compute_uv=False).sum()
    shift = samples.mean(0) - references.mean(0)
    return float(shift @ shift + sum((factor**2).sum() for factor in factors) - 2 * shared)


def frechet_error(samples: np.ndarray, references: np.ndarray) -> float:
    """Standard error of :func:`frechet_distance`, over both sets: of the influence of each of their rows.

    With c a centred row, δ the difference of means and A Bᵀ = U S Vᵀ (A, B as there) a sample's influence is
    2 c·δ + |c|² - N Σₖ Sₖ Uₖ² less its mean, and a reference's the same with -δ and V: the derivative of the distance
    by the row's weight. By simulation 1.0 to 1.35 times the spread over repeated draws, the more the fewer rows there
    are to a dimension.

    Paper: Jaeckel (1972), The infinitesimal jackknife.
    """
    centred = [features - features.mean(0) for features in (samples, references)]
    bases, factors = zip(*(np.linalg.qr(rows / math.sqrt(len(rows) - 1)) for rows in centred), strict=True)
    left, shared, right = np.linalg.svd(factors[0] @ factors[1].T, full_matrices=False)
    shift = samples.mean(0) - references.mean(0)
    variance = 0.0
    for rows, basis, turned, sign in zip(centred, bases, (left, right.T), (1, -1), strict=True):
        n = len(rows)
        influence = 2 * sign * rows @ shift + (rows**2).sum(1) - n * (basis @ turned) ** 2 @ shared
        variance += float(influence.var(ddof=1)) / n
    return math.sqrt(variance)


def frechet_score(
    name: str, evaluation: Evaluation, samples: np.ndarray, references: np.ndarray
) -> tuple[list[Score], str]:
    """The score of :func:`frechet_distance`, at the floor's size where there is one; or none, and why.

    There is one where both sets have more rows than features have dimensions. A covariance of fewer is singular
    whatever the law, and the distance mostly bias: for 64 dimensions, two sets of 64 of one law are 35 apart.

    Paper: Heusel et al. (2017), the notes on whose code (github.com/bioinf-jku/TTUR) ask for that, as the covariance is
    else of no full rank; Chong & Forsyth (2020), Effectively Unbiased FID and Inception Score (the bias).

    Args:
        name: of the score.
        samples, references: features of the evaluation's; of the samples, of those that are valid.
    """
    n, m, dimensions = len(samples), len(references), samples.shape[1]
    if min(n, m) > dimensions:
        distance, error = frechet_distance(samples, references), frechet_error(samples, references)
        shrinkage = evaluation.shrinkage
        return [Score(name, shrinkage * distance, "", "lower", n, shrinkage * error)], ""
    drawn = len(evaluation.samples)  # not how many are valid: a reason that cells share is told once
    found = f"{drawn} and {m}" + ", and too few of the samples are valid" * (min(drawn, m) > dimensions)
    needed = f"more than {dimensions} samples and test items, the dimensions of its features"
    return [], f"{name} needs {needed}; there are {found}"


class Discrepancy(NamedTuple):
    """A squared maximum mean discrepancy.

    Attributes:
        value: the unbiased estimate.
        error: its standard error over both sets.
        items: what each reference adds to it, shape (M,): jackknife pseudo-values, whose mean is the value.
    """

    value: float
    error: float
    items: np.ndarray


def kernel_distance(samples: np.ndarray, references: np.ndarray) -> Discrepancy:
    """Unbiased squared maximum mean discrepancy with the kernel (x·y/D + 1)³, and its standard error.

    All pairs of both sets are used rather than random subsets. The standard error is the delete-one jackknife's over
    both sets; where the two laws are equal it errs on the large side.

    Paper: Bińkowski et al. (2018), Demystifying MMD GANs; Gretton et al. (2012); Arvesen (1969) (jackknife).

    Args:
        samples, references: at least 3 rows each.
    """

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        likeness: np.ndarray = (x @ y.T / x.shape[1] + 1) ** 3
        return likeness

    return _discrepancy(samples, references, kernel, lambda x: ((x**2).sum(1) / x.shape[1] + 1) ** 3)


def gaussian_distance(samples: np.ndarray, references: np.ndarray) -> Discrepancy:
    """As :func:`kernel_distance` with the kernel exp(-|x - y|² / 2b²), b the median distance between two references.

    Paper: Chung et al. (2025), KAD: No More FAD! An Effective and Efficient Evaluation Metric for Audio Generation;
    Gretton et al. (2012), A Kernel Two-Sample Test.

    Args:
        samples, references: at least 3 rows each; of the references not most alike.
    """
    bandwidth = median_distance(references)

    def kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        likeness: np.ndarray = np.exp(-np.maximum(_distances(x, y), 0) / (2 * bandwidth**2))
        return likeness

    return _discrepancy(samples, references, kernel, lambda x: np.ones(len(x)))


def median_distance(points: np.ndarray) -> float:
    """Median of the distances between two different points."""
    squares = [_distances(points[:row], points[row : row + 1])[:, 0] for row in range(1, len(points))]
    return float(np.median(np.sqrt(np.maximum(np.concatenate(squares), 0))))


def _discrepancy(
    samples: np.ndarray,
    references: np.ndarray,
    kernel: Callable[[np.ndarray, np.ndarray], np.ndarray],
    own: Callable[[np.ndarray], np.ndarray],
) -> Discrepancy:
    """``own`` is the kernel of points with themselves."""
    n, m = len(samples), len(references)
    within_x, within_y = (_kernel_sums(x, x, kernel) - own(x) for x in (samples, references))
    across_x, across_y = _kernel_sums(samples, references, kernel), _kernel_sums(references, samples, kernel)
    own_x, own_y = within_x.sum() / (n * (n - 1)), within_y.sum() / (m * (m - 1))
    value = own_x + own_y - 2 * across_x.sum() / (n * m)
    without_x = _one_less(within_x) + own_y - 2 * (across_x.sum() - across_x) / ((n - 1) * m)
    without_y = own_x + _one_less(within_y) - 2 * (across_y.sum() - across_y) / (n * (m - 1))
    error = math.sqrt((n - 1) * without_x.var() + (m - 1) * without_y.var())
    return Discrepancy(float(value), error, value + (m - 1) * (without_y.mean() - without_y))


def _kernel_sums(x: np.ndarray, y: np.ndarray, kernel: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Sum of the kernel between each row of ``x`` and all rows of ``y``, shape (N,)."""
    return np.concatenate([kernel(x[rows], y).sum(1) for rows in _blocks(x)])


def _one_less(within: np.ndarray) -> np.ndarray:
    """Mean of the kernel over pairs of a set that lacks one row, for each row."""
    n = len(within)
    less: np.ndarray = (within.sum() - 2 * within) / ((n - 1) * (n - 2))
    return less


@dataclass(frozen=True)
class Neighbourhoods:
    """Which points lie in the balls around the other set's points.

    Attributes:
        inside: for each sample, whether a reference's ball holds it (precision), shape (N,).
        reached: for each reference, whether a sample's ball holds it (recall), shape (M,).
        crowd: for each sample, how many references' balls hold it, over k (density), shape (N,).
        covered: for each reference, whether its ball holds a sample (coverage), shape (M,).
    """

    inside: np.ndarray
    reached: np.ndarray
    crowd: np.ndarray
    covered: np.ndarray


def neighbourhoods(samples: np.ndarray, references: np.ndarray, manifold_k: int, density_k: int) -> Neighbourhoods:
    """Membership in balls that reach to the k-th nearest neighbour of their centre in its own set.

    Args:
        samples, references: more rows than either k.
        manifold_k: k of precision and recall.
        density_k: k of density and coverage.
    """
    (sample_radii,) = _radii(samples, manifold_k)
    reference_radii, density_radii = _radii(references, manifold_k, density_k)
    inside, crowd = [], []
    reached, covered = np.zeros(len(references), dtype=bool), np.zeros(len(references), dtype=bool)
    for rows in _blocks(samples):
        distances = _distances(samples[rows], references)
        inside.append((distances <= reference_radii).any(1))
        crowd.append((distances <= density_radii).sum(1) / density_k)
        reached |= (distances <= sample_radii[rows, None]).any(0)
        covered |= (distances <= density_radii).any(0)
    return Neighbourhoods(np.concatenate(inside), reached, np.concatenate(crowd), covered)


def neighbourhood_errors(
    samples: np.ndarray, references: np.ndarray, manifold_k: int, density_k: int, resamples: int = 16
) -> np.ndarray | None:
    """Standard errors of precision, recall, density and coverage, shape (4,): their spread over random halves of both
    sets, which is the delete-half jackknife. A bootstrap would put copies of points into their own balls.

    By simulation 0.9 to 1.35 times the spread over repeated draws of both sets. The halves are the same ones whenever
    the sets have the same sizes. None where halves have no k neighbours.

    Paper: Shao & Wu (1989), A General Theory for Jackknife Variance Estimation.
    """
    random, found = np.random.default_rng(0), list[list[float]]()
    if min(len(samples), len(references)) // 2 <= max(manifold_k, density_k):
        return None
    for _ in range(resamples):
        halves = [rows[random.permutation(len(rows))[: len(rows) // 2]] for rows in (samples, references)]
        near = neighbourhoods(halves[0], halves[1], manifold_k, density_k)
        found.append([part.mean() for part in (near.inside, near.reached, near.crowd, near.covered)])
    spread: np.ndarray = np.std(found, axis=0, ddof=1)
    return spread


def uncovered(samples: int, references: int, k: int) -> float:
    """Mean share of references whose ball, which holds k others, holds none of the samples, if all are of one law.

    Of the samples and all other references together, the k that are nearest are then references.

    Paper: Naeem et al. (2020), Reliable Fidelity and Diversity Metrics for Generative Models (equation 8).
    """
    return math.prod((references - i) / (samples + references - i) for i in range(1, k + 1))


def _radii(points: np.ndarray, *neighbours: int) -> list[np.ndarray]:
    """Squared distance of each point to its k-th nearest other point, for each k."""
    nearest = []
    for rows in _blocks(points):
        distances = _distances(points[rows], points)
        distances[np.arange(len(distances)), np.arange(len(points))[rows]] = math.inf
        nearest.append(np.partition(distances, [k - 1 for k in neighbours], axis=1)[:, [k - 1 for k in neighbours]])
    return list(np.concatenate(nearest).T)


def _distances(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Squared Euclidean distances, shape (N, M)."""
    sizes = (x**2).sum(1)[:, None] + (y**2).sum(1)
    squared: np.ndarray = sizes - 2 * x @ y.T
    squared[squared < _ROUNDING * sizes] = 0  # equal points, of which rounding would make near ones
    return squared


def _blocks(points: np.ndarray) -> Iterator[slice]:
    return (slice(start, start + _BLOCK) for start in range(0, len(points), _BLOCK))
