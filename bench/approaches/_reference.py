"""The pretrained model as it was, for approaches that hold to it."""

import copy

from bench.errors import NotApplicable
from bench.model import Model
from bench.transfer import Transfer, freeze


def pretrained(transfer: Transfer, approach: str) -> Model:
    """A frozen copy in evaluation mode. It is no part of the model that learns, so it is neither trained nor stored."""
    if gone := transfer.replaced():
        raise NotApplicable(f"{approach} needs the pretrained model, and new weights stand in place of its {gone[0]}")
    model = copy.deepcopy(transfer.model).eval()
    freeze([model])
    return model
