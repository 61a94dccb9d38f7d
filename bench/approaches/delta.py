"""Hidden features stay close to the pretrained ones."""

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.approaches._features import Tap, chosen, vectors
from bench.approaches._reference import pretrained
from bench.model import Batch
from bench.options import NonNegative
from bench.transfer import Transfer

KEEPS_PRETRAINED = True


def delta(
    transfer: Transfer, *, weight: NonNegative = 1.0, blocks: list[int] | Literal["all", "features"] = "all"
) -> None:
    """What blocks hand on is held to what the frozen pretrained model's blocks hand on for the same input and noise.

    The loss gains ``weight`` times the mean squared difference of the features, summed over the blocks; of texts only
    real positions count. All channels weigh the same: it is the paper's DELTA without attention. Its attention ranks
    channels by the loss of a classifier fitted to the target's labels, and there are no labels here. Its decay of new
    weights is ``l2_sp``'s beta.

    Paper: Li et al. 2019, DELTA: Deep Learning Transfer using Feature Map with Attention for Convolutional Networks

    Args:
        weight: of the difference.
        blocks: whose features are held: their numbers, 0 being what comes before the layers and negative ones counted
            from the output; ``all`` that features pass through; ``features``: the last before the generating end.
    """
    numbers, old = chosen(transfer, "delta", blocks), pretrained(transfer, "delta")
    ours, theirs = Tap(transfer.model, numbers), Tap(old, numbers, learning=False)

    def hold(batch: Batch, outputs: Tensor) -> Tensor:
        with torch.no_grad():
            features = theirs.take(old(batch))
        pairs = zip(ours.take(outputs), features, strict=True)
        apart = [F.mse_loss(vectors(batch, mine), vectors(batch, other)) for mine, other in pairs]
        return weight * torch.stack(apart).sum()

    transfer.terms.append(hold)
