"""A family's step and the same by hand, in turn."""

import statistics
from typing import Any

import torch

from tests.benchmarks.test_steps import known, side_by_side


def compared(family: str, steps: int, warm: int) -> dict[str, Any]:
    times, ends = side_by_side(family, steps)
    counted = times[warm:] or times
    ours, by_hand = (1000 * statistics.median(pair[side][0] for pair in counted) for side in range(2))
    off = max(float((value - ends[1][name]).abs().max()) for name, value in ends[0].items() if value.numel())
    model, _, recipe = known(family)
    return {
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "batch": recipe.batch_size,
        "N": len(counted),
        "ours [ms]": ours,
        "by hand [ms]": by_hand,
        "ours / by hand": statistics.median(mine[0] / other[0] for mine, other in counted),
        "weights differ by": off,
        "on": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }
