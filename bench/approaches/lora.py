"""Low-rank updates beside frozen weights, through PEFT."""

from typing import Literal

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
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
        if _fits(network, name, rank)
        and id(module) not in end
        and (layers == "all" or "attn" in name or "attention" in name)
    ]
    if not names:
        raise NotApplicable(f"no linear or convolutional layer ({layers}) to add a low-rank update to")
    transposed = any(isinstance(network.get_submodule(name), Conv1D) for name in names)
    targets = [f"network.{name}" for name in names]
    config = LoraConfig(
        r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, fan_in_fan_out=transposed
    )
    added = [parameter for parameter in transfer.trainable() if not transfer.is_pretrained(parameter)]
    # in a plain container: of models whose configuration it knows, PEFT would take other targets than those named
    inject_adapter_in_model(config, nn.ModuleDict({"network": network}))
    if any(transfer.is_pretrained(parameter) for parameter in network.parameters()):
        for parameter in added:  # such as a new head: it knows nothing yet, so it trains on
            parameter.requires_grad_(True)


def _fits(network: nn.Module, name: str, rank: int) -> bool:
    """Whether PEFT knows how to put an update beside this module, and the module is called when the network runs."""
    module, around = network.get_submodule(name), network.get_submodule(name.rpartition(".")[0])
    if name.endswith("out_proj") and hasattr(around, "A_log") and hasattr(around, "D"):
        return False  # of a state-space layer: its kernel reads the weight and passes the module by
    if isinstance(module, nn.Conv2d):
        return rank % module.groups == 0
    return isinstance(module, Conv1D) or (isinstance(module, nn.Linear) and _is_linear(module))


@torch.no_grad()
def _is_linear(module: nn.Linear) -> bool:
    """False for what inherits from a linear layer and computes something else: a router, many small layers at once."""
    try:
        output = module(module.weight.new_zeros(2, module.in_features))
    except Exception:
        return False
    return isinstance(output, Tensor) and output.shape == (2, module.out_features)
