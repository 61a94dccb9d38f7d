"""Low-rank updates beside frozen weights, through PEFT."""

from typing import Literal

from peft import LoraConfig, inject_adapter_in_model
from torch import nn
from transformers.pytorch_utils import Conv1D

from bench.errors import NotApplicable
from bench.options import Count, Fraction, Positive
from bench.transfer import Transfer


def lora(
    transfer: Transfer,
    *,
    rank: Count = 8,
    alpha: Positive = 16.0,
    dropout: Fraction = 0.0,
    layers: Literal["all", "attention"] = "all",
) -> None:
    """Every linear and convolutional layer but the last gets a trainable low-rank update; its own weights are frozen.

    Paper: Hu et al. 2022, LoRA: Low-Rank Adaptation of Large Language Models

    Args:
        rank: of the update.
        alpha: the update is scaled by alpha / rank.
        dropout: on the update's input, in training.
        layers: ``all``, or those inside a module whose name says attention.
    """
    network = transfer.model.network
    end = {id(part) for part in transfer.model.generating_end()[-1].modules()}
    names = [
        name
        for name, module in network.named_modules()
        if _fits(module, rank) and id(module) not in end and (layers == "all" or "attn" in name or "attention" in name)
    ]
    if not names:
        raise NotApplicable(f"no linear or convolutional layer ({layers}) to add a low-rank update to")
    transposed = any(isinstance(network.get_submodule(name), Conv1D) for name in names)
    config = LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=names, fan_in_fan_out=transposed)
    inject_adapter_in_model(config, network)


def _fits(module: nn.Module, rank: int) -> bool:
    if isinstance(module, nn.Conv2d):
        return rank % module.groups == 0
    return isinstance(module, nn.Linear | Conv1D)
