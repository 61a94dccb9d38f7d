"""Low-rank updates of the direction of frozen weights, whose magnitude trains too; through PEFT."""

from typing import Literal

from bench.approaches._peft import low_rank
from bench.options import Count, Fraction, Positive
from bench.transfer import Transfer

DECIDES = ("weights",)


def dora(
    transfer: Transfer,
    *,
    rank: Count = 8,
    alpha: Positive = 16.0,
    dropout: Fraction = 0.0,
    layers: Literal["all", "attention"] | list[str] = "all",
) -> None:
    """As ``lora``, but each layer's weight is a magnitude, which trains, times a direction, which gets the update.

    The magnitude has one value for each output of the layer, and starts as the norm of the weights that lead to it.

    Paper: Liu et al. 2024, DoRA: Weight-Decomposed Low-Rank Adaptation

    Args:
        rank: of the update.
        alpha: the update is scaled by alpha / rank.
        dropout: on the update's input, in training.
        layers: ``all``, or those inside a module whose name says ``attention``, or a list of names or parts of names
            between dots, such as ``mlp`` or ``attn.c_proj``.
    """
    low_rank(transfer, "dora", layers, r=rank, lora_alpha=alpha, lora_dropout=dropout, use_dora=True)
