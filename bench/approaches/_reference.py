"""The pretrained model as it was, for approaches that hold to it."""

from bench.errors import NotApplicable
from bench.model import Model
from bench.transfer import Transfer


def pretrained(transfer: Transfer, approach: str) -> Model:
    """:meth:`Transfer.original`, where the model that learns is still made of its weights."""
    if gone := transfer.replaced():
        raise NotApplicable(f"{approach} needs the pretrained model, and new weights stand in place of its {gone[0]}")
    return transfer.original()
