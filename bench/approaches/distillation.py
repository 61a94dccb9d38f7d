"""Into a smaller network that also listens to the large one."""

import torch
from torch import Tensor

from bench.model import Batch
from bench.options import Fraction, Positive
from bench.transfer import Transfer, freeze

REPLACES_MODEL = True


def distillation(transfer: Transfer, *, weight: Fraction = 0.5, temperature: Positive = 2.0) -> None:
    """A smaller student learns the target while it stays close to what the pretrained teacher would say.

    The student is the one the family builds, started from the teacher's weights. The loss is the target's own plus
    ``weight`` times the divergence from the teacher, both for the same noise; for language models it is the KL
    divergence at a raised temperature, for image models the mean squared error of the outputs.

    Paper: Hinton et al. 2015, Distilling the Knowledge in a Neural Network

    Args:
        weight: of the divergence from the teacher.
        temperature: that softens both distributions, where the outputs are distributions.
    """
    teacher = transfer.model.eval()
    transfer.model = teacher.student().train()
    freeze([teacher])

    def listen(batch: Batch, outputs: Tensor) -> Tensor:
        with torch.no_grad():
            reference = teacher(batch)
        return weight * transfer.model.divergence(batch, outputs, reference, temperature)

    transfer.terms.append(listen)
