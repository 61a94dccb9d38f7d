"""The test split batch by batch, ratios of sums over its items, and what each item adds to a score."""

import math
from collections.abc import Iterator

import numpy as np
import torch

from bench.evaluation import Evaluation
from bench.model import Batch


def batches(evaluation: Evaluation, items: int | None = None) -> Iterator[Batch]:
    """The rows of the test split, or of its first ``items``, in order, as batches on the model's device."""
    rows = evaluation.encode("test")
    total = len(rows["item"]) if items is None else int((rows["item"] < items).sum())
    for start in range(0, total, evaluation.batch_size):
        yield evaluation.model.collate(rows, torch.arange(start, min(start + evaluation.batch_size, total)))


def per_item(evaluation: Evaluation, values: np.ndarray, items: int | None = None) -> np.ndarray:
    """Values of the rows of the test split, or of its first ``items``, added up for each item: shape (items,)."""
    found = evaluation.encode("test")["item"].numpy()[: len(values)]
    return np.bincount(found, values, len(evaluation.data.test) if items is None else items)


def ratio(numerators: np.ndarray, denominators: np.ndarray) -> tuple[float, float | None]:
    """Sum over sum, and its standard error with the items as clusters (linearised ratio estimator).

    Paper: Cochran (1977), Sampling Techniques, section 6.

    Args:
        numerators, denominators: what each item contributes, both of shape (items,).

    Returns:
        The ratio; its standard error, None for a single item.
    """
    total, n = float(denominators.sum()), len(denominators)
    value = float(numerators.sum()) / total
    if n < 2:
        return value, None
    residuals = numerators - value * denominators
    return value, math.sqrt(n / (n - 1) * float(residuals @ residuals)) / total


def shares(
    numerators: np.ndarray, denominators: np.ndarray, value: float | None = None, slope: float = 1.0
) -> np.ndarray:
    """What each item adds to a function f of a ratio R of sums: value + f'(R) (a_i - R b_i) / mean(b), float64.

    Their mean is the value, and the standard error of their mean that of :func:`ratio` times ``slope``.

    Paper: Cochran (1977), Sampling Techniques, section 6 (ratio); Oehlert (1992), A Note on the Delta Method.

    Args:
        numerators, denominators: what each item contributes, both of shape (items,).
        value: f(R); R itself where it is left out.
        slope: f'(R).
    """
    found = float(numerators.sum()) / float(denominators.sum())
    each: np.ndarray = slope * (numerators - found * denominators) / denominators.mean()
    return each + (found if value is None else value)


def by_condition(
    evaluation: Evaluation,
    values: np.ndarray,
    kept: np.ndarray | None = None,
    value: float | None = None,
    slope: float = 1.0,
) -> np.ndarray | None:
    """What each test item adds to a function of a mean over samples that were made for test items, one after another.

    Args:
        evaluation: whose samples they are.
        values: of the samples, shape (samples,).
        kept: which samples these are, ascending; all where it is left out.
        value, slope: as in :func:`shares`.

    Returns:
        Shape (test items,), NaN for those without a sample; None where samples have no condition.
    """
    if "condition" not in evaluation.model.offers:
        return None
    total = len(evaluation.data.test)
    item = (np.arange(len(values)) if kept is None else kept) % total
    counts = np.bincount(item, minlength=total)
    there = counts > 0
    found = np.full(total, np.nan)
    found[there] = shares(np.bincount(item, values, total)[there], counts[there], value, slope)
    return found


def jackknife(without: np.ndarray) -> float:
    """Standard error from the values that leave one item out, shape (N,).

    Paper: Arvesen (1969), Jackknifing U-Statistics.
    """
    return math.sqrt((len(without) - 1) * float(without.var()))


def standard_error(values: np.ndarray) -> float | None:
    """Of the mean of independent values, shape (N,); None where there is but one."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
