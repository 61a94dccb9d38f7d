"""Images that were alike stay alike."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.approaches._features import Tap, chosen
from bench.approaches._reference import pretrained
from bench.errors import NotApplicable
from bench.model import Batch
from bench.options import NonNegative
from bench.transfer import Transfer

NEEDS = ("image",)
KEEPS_PRETRAINED = True


def cross_domain_correspondence(
    transfer: Transfer, *, weight: NonNegative = 1000.0, blocks: list[int] | Literal["all", "features"] = "all"
) -> None:
    """How alike the images of a batch are to each other, in hidden features, stays as the pretrained model has it.

    In each block, the cosine similarities of an image with all others of the batch become a distribution by a softmax.
    The loss gains ``weight`` times its KL divergence from the frozen pretrained model's, for the same noise: the mean
    over images and blocks. This is the paper's distance consistency; its patch discriminator belongs to a GAN. Of a
    batch that memory only holds in parts, each part is compared within itself.

    Paper: Ojha et al. 2021, Few-shot Image Generation via Cross-domain Correspondence

    Args:
        weight: of the divergence.
        blocks: whose features are compared: their numbers, 0 being what comes before the layers and negative ones
            counted from the output; ``all`` that features pass through; ``features``: the last before the generating
            end.
    """
    rows = min(transfer.budget.micro_batch_size or transfer.budget.batch_size, transfer.budget.batch_size)
    if rows < 3:
        raise NotApplicable(f"of {rows} at a time, no image is more alike to one than to another; it takes 3")
    approach = "cross_domain_correspondence"
    numbers, old = chosen(transfer, approach, blocks), pretrained(transfer, approach)
    ours, theirs = Tap(transfer.model, numbers), Tap(old, numbers, learning=False)

    def correspond(batch: Batch, outputs: Tensor) -> Tensor:
        with torch.no_grad():
            features = theirs.take(old(batch))
        pairs = zip(ours.take(outputs), features, strict=True)
        return weight * torch.stack([apart(mine, other) for mine, other in pairs]).mean()

    transfer.terms.append(correspond)


def apart(ours: Tensor, theirs: Tensor) -> Tensor:
    """Mean over rows of KL(ours ‖ theirs) between the distributions of :func:`likeness`; zero of a single row."""
    mine, other = likeness(ours), likeness(theirs)
    return F.kl_div(other, mine, reduction="sum", log_target=True) / len(ours)


def likeness(features: Tensor) -> Tensor:
    """Log-softmax over each row's cosine similarities with the other rows, shape (rows, rows - 1)."""
    unit = F.normalize(features.float().flatten(1))
    others = ~torch.eye(len(unit), dtype=torch.bool, device=unit.device)
    with torch.autocast(unit.device.type, enabled=False):  # what matters of a cosine are its last digits
        cosines = unit @ unit.T
    return F.log_softmax(cosines[others].reshape(len(unit), -1), dim=1)
