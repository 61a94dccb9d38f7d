"""Weights that mattered before are held more firmly."""

import time
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.approaches._mixing import source_of
from bench.approaches._samples import made_up
from bench.batches import rows_of
from bench.errors import NotApplicable
from bench.model import Batch
from bench.options import Count, NonNegative
from bench.transfer import Transfer

KEEPS_PRETRAINED = True

_SEED = 70_000  # of the examples and their noise


def ewc(
    transfer: Transfer,
    *,
    strength: NonNegative = 400.0,
    examples: Count = 64,
    on: Literal["samples", "source"] = "samples",
) -> None:
    """Elastic weight consolidation: the loss gains λ/2 Σ F (w - w⁰)² over the pretrained weights that train.

    F is the diagonal of the Fisher information: how much each weight matters for what the model knew, in the terms of
    its own loss, per thing that loss averages over (token, image). It is taken before the target is learned, from one
    gradient for each example; these count as steps, a batch of them as one, and take up to half of those that are left.

    Paper: Kirkpatrick et al. 2017, Overcoming catastrophic forgetting in neural networks

    Args:
        strength: λ, of the pull towards the start; the default is the paper's for Atari games.
        examples: that the Fisher information is estimated from.
        on: the model's own ``samples``, or training data of the ``source``.
    """
    source = source_of(transfer) if on == "source" else None
    _pretrained(transfer)
    held: dict[nn.Parameter, tuple[Tensor, Tensor]] = {}

    def consolidate(left: int) -> None:
        _pretrained(transfer)  # what follows in a composition may have frozen them
        count = min(examples, left // 2 * transfer.budget.batch_size)
        if not count:
            raise NotApplicable(f"of a budget of {left}, no step is left to take the Fisher information in")
        rows = transfer.encode(source.train) if source else made_up(transfer, count, _SEED)
        for weight, information in fisher(transfer, rows, count).items():
            root = information.sqrt()  # F (w - w⁰)² = (√F w - √F w⁰)²
            held[weight] = root, root * weight.detach()

    def hold(batch: Batch, outputs: Tensor) -> Tensor:
        loss = outputs.new_zeros((), dtype=torch.float32)
        for weight, (root, start) in held.items():
            loss = loss + F.mse_loss(root * weight, start, reduction="sum")
        return strength / 2 * loss

    transfer.stages.append(consolidate)
    transfer.terms.append(hold)


def fisher(transfer: Transfer, rows: Batch, count: int) -> dict[nn.Parameter, Tensor]:
    """The Fisher information's diagonal for each pretrained weight that trains, from ``count`` rows chosen at random.

    Of an example with n things the loss averages over, n times its gradient is that of its log-likelihood.
    """
    model, generator = transfer.model, torch.Generator().manual_seed(transfer.seed + _SEED)
    found, units = {weight: torch.zeros_like(weight) for weight in _pretrained(transfer)}, 0
    for index in torch.randperm(rows_of(rows), generator=generator)[:count]:
        batch = model.draw(model.collate(rows, index[None]), generator)
        size = model.units(batch)
        for weight, gradient in transfer.gradients("fisher", batch).items():
            if weight in found:
                found[weight] += (size * gradient).square()
        units += size
        if time.perf_counter() > transfer.deadline:
            break
    return {weight: value / max(units, 1) for weight, value in found.items()}


def _pretrained(transfer: Transfer) -> list[nn.Parameter]:
    found = [weight for weight in transfer.trainable() if transfer.is_pretrained(weight)]
    if not found:
        raise NotApplicable("no pretrained weight trains, so there is none to hold in its place")
    return found
