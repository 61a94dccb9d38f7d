"""What nothing else beats in two respects at once."""

import numpy as np
import numpy.typing as npt


def pareto_front(costs: npt.ArrayLike, losses: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Which points no other point beats: none is at most as costly and at most as bad, and less so in one of the two.

    Args:
        costs: shape (n,), lower is better.
        losses: shape (n,), lower is better; a NaN in either coordinate keeps a point off the front.

    Returns:
        Mask of shape (n,); equal points are on the front together.
    """
    cost, loss = np.asarray(costs, dtype=float), np.asarray(losses, dtype=float)
    front = np.zeros(cost.shape, dtype=bool)
    order = np.lexsort((loss, cost))
    best, last = np.inf, (np.nan, np.nan)
    for index in order:
        point = (cost[index], loss[index])
        if np.isnan(point).any():
            continue
        if point[1] < best or point == last:
            front[index] = True
            best, last = point[1], point
    return front
