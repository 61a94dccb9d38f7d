"""Low-rank updates beside frozen weights, through PEFT."""

from typing import Literal

from bench.approaches._peft import low_rank
from bench.options import Count, Fraction, Positive
from bench.transfer import Transfer

DECIDES = ("weights",)


def lora(
    transfer: Transfer,
    *,
    rank: Count = 8,
    alpha: Positive = 16.0,
    dropout: Fraction = 0.0,
    layers: Literal["all", "attention"] | list[str] = "all",
) -> None:
    """Every linear and convolutional layer but the last gets a trainable low-rank update; its own weights are frozen.

    Paper: Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models

    Args:
        rank: of the update.
        alpha: the update is scaled by alpha / rank.
        dropout: on the update's input, in training.
        layers: ``all``, or those inside a module whose name says ``attention``, or a list of names or parts of names
            between dots, such as ``mlp`` or ``attn.c_proj``.
    """
    low_rank(transfer, "lora", layers, r=rank, lora_alpha=alpha, lora_dropout=dropout)
