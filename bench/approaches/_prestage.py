"""What is learned before the target."""

from typing import Any

import numpy as np

from bench import dataset, plugins
from bench.batches import in_chance_order
from bench.dataset import Dataset
from bench.transfer import Transfer

_SIDES = 8, 128  # of the pictures that can be drawn, in pixels


def load(transfer: Transfer, name: str, options: dict[str, Any] | None = None) -> Dataset:
    """The dataset of that name; pictures that can be drawn in any size are as large as the target's."""
    fitting = {}
    if "size" in plugins.find("datasets", name).annotations and transfer.data.modality == "image":
        fitting["size"] = min(max(*np.shape(transfer.data.train[0])[:2], _SIDES[0]), _SIDES[1])
    return dataset.load(name, fitting | (options or {}))


def practise_on(transfer: Transfer, stage: str, steps: int, data: Dataset, **changes: Any) -> None:
    """Take steps on another training split with the model's own loss alone, in chance order.

    What other approaches add to the loss, change in batches or schedule is meant for the target; what they froze stays
    frozen, and rates keep their course.

    Args:
        transfer: whose model learns.
        stage: name of the pre-stage in the curve.
        steps: to take.
        data: its training split is learned from.
        changes: of the transfer meanwhile, beside these.
    """
    plain: dict[str, Any] = {"terms": [], "transforms": [], "schedule": [], "sampler": in_chance_order}
    with transfer.having(data=data, **plain | changes):
        transfer.practise(stage, steps)


def steps_of(share: float, left: int) -> int:
    """That share of the steps that are left, and at least one less than all: the target is learned too."""
    return min(round(share * left), left - 1)
