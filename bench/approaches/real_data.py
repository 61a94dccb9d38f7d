"""Control: real examples in place of samples."""

import torch

from bench.batches import rows_of
from bench.model import Batch
from bench.training import order
from bench.transfer import Transfer

TRAINS = False
USES_DATA = False

_OF_SAMPLES = {"samples", "text", "image", "audio", "molecule"}  # and they answer no caption and no source


def real_data(transfer: Transfer) -> None:
    """Real training examples stand in for samples and are scored against the test split: the floor of each metric.

    No model can be expected to come closer to the test split than other real examples do.

    Paper: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule (the distance between two real sets)
    """
    transfer.steps = 0
    model, rows = transfer.model, transfer.encode(transfer.data.train)
    shuffled = order(rows_of(rows), 1, torch.Generator().manual_seed(transfer.seed))

    def draw(batch: Batch, generator: torch.Generator) -> Batch:
        real = model.collate(rows, torch.cat([next(shuffled) for _ in range(rows_of(batch))]))
        return real | {"item": torch.arange(rows_of(real), device=model.device)}

    model.sample = draw  # type: ignore[method-assign]  # this one model's, the rest of it is needed as it is
    model.offers = model.offers & _OF_SAMPLES  # type: ignore[misc]  # nothing else here is the network's doing
