"""Approaches over many tasks, in the terms of rliable."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]


def probability_of_improvement(ours: Sequence[npt.ArrayLike], theirs: Sequence[npt.ArrayLike]) -> Floats:
    """How probable it is that a run of ours scores higher than one of theirs, task by task; a tie counts half.

    Their mean is the average probability of improvement of rliable.

    Args:
        ours, theirs: for each task the scores of its runs, shapes (n,) and (m,); higher is better.

    Returns:
        Shape (tasks,); NaN for a task without runs on both sides.

    Paper: Agarwal et al., "Deep Reinforcement Learning at the Edge of the Statistical Precipice", NeurIPS 2021;
    Mann & Whitney, Annals of Mathematical Statistics 18(1), 1947.
    """
    found = []
    for mine, other in zip(ours, theirs, strict=True):
        difference = np.subtract.outer(np.asarray(mine, dtype=float), np.asarray(other, dtype=float))
        found.append(float(np.mean((np.sign(difference) + 1) / 2)) if difference.size else np.nan)
    return np.array(found)
