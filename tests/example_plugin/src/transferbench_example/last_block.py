"""Only the generating end trains."""

from bench.options import Positive
from bench.transfer import Transfer, freeze


def last_block(transfer: Transfer, *, factor: Positive = 1.0) -> None:
    """The features stay as they are; the part that turns them into data trains on.

    Paper: Yosinski et al. 2014, How transferable are features in deep neural networks?

    Args:
        factor: on the learning rate.
    """
    freeze([transfer.model])
    for module in transfer.model.generating_end():
        module.requires_grad_(True)
    transfer.rates |= dict.fromkeys(transfer.trainable(), factor)
