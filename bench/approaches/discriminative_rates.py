"""The nearer to the input, the slower."""

from torch import nn

from bench.approaches._blocks import own
from bench.options import Positive
from bench.transfer import Transfer


def discriminative_rates(transfer: Transfer, *, factor: Positive = 2.6) -> None:
    """The last block learns at the full rate, and each block before it at the rate of the next divided by ``factor``.

    A weight that lies in several blocks has the rate of the last of them; what other approaches added to the network
    learns at the full rate. What is frozen stays so.

    Paper: Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification

    Args:
        factor: between the rates of a block and the one before it.
    """
    shares: dict[nn.Parameter, float] = {}
    for distance, block in enumerate(reversed(transfer.model.blocks())):
        for weight in block.parameters():
            shares.setdefault(weight, factor**-distance)
    for weight in own(transfer) & shares.keys():
        transfer.rates[weight] = transfer.rates.get(weight, 1.0) * shares[weight]
