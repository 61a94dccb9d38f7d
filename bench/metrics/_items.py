"""The test split batch by batch, and ratios of sums over its items."""

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


def standard_error(values: np.ndarray) -> float | None:
    """Of the mean of independent values, shape (N,); None where there is but one."""
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
