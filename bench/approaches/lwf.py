"""Learning without forgetting: the old answers are kept on the new data."""

import torch
from torch import Tensor

from bench.approaches._reference import pretrained
from bench.model import Batch
from bench.options import NonNegative, Positive
from bench.transfer import Transfer

KEEPS_PRETRAINED = True


def lwf(transfer: Transfer, *, weight: NonNegative = 1.0, temperature: Positive = 2.0) -> None:
    """The model learns the target and still says of it what the pretrained model says, which needs no old data.

    The loss is the target's own plus ``weight`` times the divergence from a frozen copy of the pretrained model, both
    for the same noise; for language models it is the KL divergence at a raised temperature, for image models the mean
    squared error of the outputs. Old and new task share their outputs, so there is no new head to warm up.

    Paper: Li & Hoiem 2016, Learning without Forgetting

    Args:
        weight: of the old answers.
        temperature: that softens both distributions, where the outputs are distributions.
    """
    old = pretrained(transfer, "lwf")

    def keep(batch: Batch, outputs: Tensor) -> Tensor:
        with torch.no_grad():
            reference = old(batch)
        return weight * transfer.model.divergence(batch, outputs, reference, temperature)

    transfer.terms.append(keep)
