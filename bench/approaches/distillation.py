"""Into a smaller network that also listens to the large one."""

from typing import Literal

import torch
from torch import Tensor

from bench.approaches._prestage import steps_of
from bench.model import Batch
from bench.options import Fraction, Positive
from bench.transfer import Transfer, freeze

REPLACES_MODEL = True


def distillation(
    transfer: Transfer,
    *,
    weight: Fraction = 0.5,
    temperature: Positive = 2.0,
    teacher: Literal["pretrained", "finetuned"] = "pretrained",
    teacher_share: Fraction = 0.5,
) -> None:
    """A smaller student learns the target while it stays close to what its teacher would say.

    The student is the one the family builds, started from the pretrained weights. The loss is the target's own plus
    ``weight`` times the divergence from the teacher, both for the same noise; for language models it is the KL
    divergence at a raised temperature, for image models the mean squared error of the outputs.

    Paper: Hinton et al. 2015, Distilling the Knowledge in a Neural Network

    Args:
        weight: of the divergence from the teacher.
        temperature: that softens both distributions, where the outputs are distributions.
        teacher: the model as ``pretrained``, or ``finetuned``: all of it learns the target first, by its loss alone.
        teacher_share: of the steps, for a teacher that is fine-tuned; the student keeps at least one.
    """
    large = transfer.model.eval()
    transfer.model = large.student().train()

    def instruct(left: int) -> None:
        with transfer.having(model=large, terms=[], schedule=[]):  # the student's are about the student's weights
            transfer.practise("teacher", steps_of(teacher_share, left))
        freeze([large])

    def listen(batch: Batch, outputs: Tensor) -> Tensor:
        with torch.no_grad():
            reference = large(batch)
        return weight * transfer.model.divergence(batch, outputs, reference, temperature)

    if teacher == "finetuned":
        transfer.stages.append(instruct)
    else:
        freeze([large])
    transfer.terms.append(listen)
