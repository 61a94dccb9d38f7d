"""Low-rank updates beside frozen weights, through PEFT."""

from typing import Literal

from peft import LoraConfig

from bench.approaches._peft import put_beside
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

    def configure(names: list[str], transposed: bool) -> LoraConfig:
        fields = {"r": rank, "lora_alpha": alpha, "lora_dropout": dropout, "fan_in_fan_out": transposed}
        return LoraConfig(target_modules=names, **fields)

    put_beside(transfer, "lora", layers, configure)
