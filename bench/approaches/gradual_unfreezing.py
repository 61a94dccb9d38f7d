"""Thaw from the output to the input."""

from torch import nn

from bench.options import Fraction
from bench.transfer import Transfer

DECIDES = ("thaw",)


def gradual_unfreezing(transfer: Transfer, *, until: Fraction = 0.5) -> None:
    """Training starts with the last block alone; one block after another thaws, from the output towards the input.

    What is no part of a block trains all along: a critic, or what another approach put before the network.

    Paper: Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification

    Args:
        until: share of the steps after which everything has thawed; the blocks thaw at equal distances before.
    """
    blocks: list[set[nn.Parameter]] = []

    def thaw(progress: float) -> None:
        if not blocks:  # when all approaches are set up: what any of them froze stays frozen
            trainable = set(transfer.trainable())
            blocks.extend(own for block in transfer.model.blocks() if (own := set(block.parameters()) & trainable))
        share = progress / until if until else 1.0
        count = min(len(blocks), 1 + int(share * (len(blocks) - 1)))
        awake = set().union(*blocks[-count:])
        for parameter in set().union(*blocks):  # a tied weight is awake with the later of its places; a critic always
            parameter.requires_grad_(parameter in awake)

    transfer.schedule.append(thaw)
