"""What a model makes up, as data to learn from."""

import torch

from bench.batches import rows_of
from bench.dataset import Items
from bench.device import sampling
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.transfer import Transfer


def made_up(transfer: Transfer, count: int, seed: int, model: Model | None = None) -> Batch:
    """Samples as encoded rows of the transfer's model, ``count`` items; some may take several rows.

    Args:
        transfer: for whose model they are.
        count: how many items.
        seed: added to the transfer's.
        model: that makes them up: a copy of the pretrained one; by default the transfer's as it is, if that is whole.
    """
    if model is None and transfer.replaced():
        raise NotApplicable("part of the model is new, so its samples would tell nothing of what it knew")
    rows, model = transfer.encode(transfer.data.train), (model or transfer.model).eval()
    generator = torch.Generator().manual_seed(transfer.seed + seed)
    return transfer.model.encode(drawn(transfer, model, rows, count, generator))


def drawn(transfer: Transfer, model: Model, rows: Batch, count: int, generator: torch.Generator) -> Items:
    """``count`` samples of a model, each for one of the encoded rows in turn, as many at a time as the budget has."""
    size = transfer.budget.micro_batch_size or transfer.budget.batch_size
    batches = (model.collate(rows, part % rows_of(rows)) for part in torch.arange(count).split(size))
    with sampling(transfer.budget):
        samples = [{name: value.cpu() for name, value in model.sample(batch, generator).items()} for batch in batches]
        return model.decode(model.join(samples))
