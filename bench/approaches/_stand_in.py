"""Real items in the place of samples."""

import itertools

import torch

from bench.batches import rows_of
from bench.dataset import Items
from bench.model import Batch
from bench.transfer import Transfer

_OF_SAMPLES = {"samples", "text", "image", "audio", "molecule"}  # and they answer no caption and no source


def stand_in(transfer: Transfer, items: Items) -> None:
    """What the model samples are these items, each once and in this order; nothing of it is the network's doing.

    Of a text that takes several rows a later one is drawn only when the first of all others have been: a model's
    samples begin where texts do. The transfer's ``samples`` become as many as there are, where these are fewer.
    """
    model, rows = transfer.model, transfer.encode(items)
    place = torch.arange(rows_of(rows)) - torch.searchsorted(rows["item"], rows["item"])  # among those of its item
    order = torch.argsort(place, stable=True)
    transfer.steps, transfer.samples = 0, min(transfer.samples, len(order))
    following = itertools.cycle(order[: transfer.samples].tolist())

    def draw(batch: Batch, generator: torch.Generator) -> Batch:
        real = model.collate(rows, torch.tensor(list(itertools.islice(following, rows_of(batch)))))
        return real | {"item": torch.arange(rows_of(real), device=model.device)}

    model.sample = draw  # type: ignore[method-assign]  # this one model's, the rest of it is needed as it is
    model.offers = model.offers & _OF_SAMPLES  # type: ignore[misc]
