"""Pretrained weights are pulled back to where they started."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.model import Batch
from bench.options import NonNegative
from bench.transfer import Transfer

KEEPS_PRETRAINED = True


def l2_sp(transfer: Transfer, *, alpha: NonNegative = 0.1, beta: NonNegative = 0.01) -> None:
    """The loss gains α/2 ‖w - w⁰‖² over the pretrained weights that train, and β/2 ‖w‖² over new ones.

    The starting point w⁰ is what a weight is before anything is learned, in a pre-stage too. Where all that trains is
    new, such as with lora, that is a pull towards zero. It comes beside the budget's weight decay, which it is meant to
    replace.

    Paper: Li et al. 2018, Explicit Inductive Bias for Transfer Learning with Convolutional Networks

    Args:
        alpha: of the pull towards the start.
        beta: of the pull towards zero.
    """
    start: dict[nn.Parameter, Tensor] = {}

    def note(weight: nn.Parameter) -> Tensor:
        if weight not in start:
            start[weight] = weight.detach().clone()
        return start[weight]

    def begin(left: int) -> None:
        for weight in filter(transfer.is_pretrained, transfer.trainable()):
            note(weight)

    def pull(batch: Batch, outputs: Tensor) -> Tensor:
        old = new = outputs.new_zeros((), dtype=torch.float32)
        for weight in transfer.trainable():
            if transfer.is_pretrained(weight):  # one that slept until now has not moved
                old = old + F.mse_loss(weight, note(weight), reduction="sum")
            else:
                new = new + weight.square().sum()
        return alpha / 2 * old + beta / 2 * new

    transfer.stages.insert(0, begin)
    transfer.terms.append(pull)
