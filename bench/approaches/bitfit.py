"""Biases and norms train, and little else."""

import torch
from torch import Tensor, nn

from bench.approaches._blocks import called, on_leaving, train_only
from bench.errors import NotApplicable
from bench.transfer import Transfer

DECIDES = ("weights",)


def bitfit(transfer: Transfer) -> None:
    """Biases and the weights of norms train on; all other pretrained weights are frozen.

    A network without biases trains its norms alone. An image model also learns to scale the features that each block
    hands to the next, by a factor that starts at 1 (DiffFit).

    Paper: Ben Zaken et al. 2022, BitFit: Simple Parameter-efficient Fine-tuning for Transformer-based Masked
    Language-models; Xie et al. 2023, DiffFit: Unlocking Transferability of Large Diffusion Models via Simple
    Parameter-Efficient Fine-Tuning
    """
    model = transfer.model
    chosen = [
        weight
        for module in model.network.modules()
        for name, weight in module.named_parameters(recurse=False)
        if name.endswith("bias") or "norm" in type(module).__name__.lower()
    ]
    if not chosen:
        raise NotApplicable(f"{type(model.network).__name__} has neither biases nor norms with weights")
    train_only(transfer, chosen)
    if "image" in model.offers:
        for block in called(model):
            block.register_parameter("output_scale", nn.Parameter(torch.ones((), device=model.device)))
            on_leaving(block, _scaled)


def _scaled(block: nn.Module, features: Tensor) -> Tensor:
    scale: Tensor = block.get_parameter("output_scale")
    return features * scale
