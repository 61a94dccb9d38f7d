"""Encoded rows by item, how hard a model finds them, and which of them lie far from each other."""

from typing import NamedTuple

import torch
from torch import Tensor

from bench.approaches._features import pooled
from bench.batches import rows_of
from bench.device import accelerator
from bench.model import Batch, Model
from bench.transfer import Transfer

_SEED = 30_000  # of the noise rows are looked at with: the same for every row, so that only the rows differ
_DRAWS = 8  # of that noise, for each row


def of_items(rows: Batch, items: Tensor) -> Batch:
    """The rows of some items, in the order of ``items``, which are numbered anew: as if they alone were encoded."""
    place = torch.full((int(rows["item"].max()) + 1,), -1)
    place[items] = torch.arange(len(items))
    place = place[rows["item"]]
    kept = place.argsort(stable=True)[int((place < 0).sum()) :]
    return {name: value[kept] for name, value in rows.items()} | {"item": place[kept]}


class Impression(NamedTuple):
    """What a model makes of encoded rows; on the CPU.

    Attributes:
        sums: each row's loss summed over its units: float64, shape (rows,).
        units: how many these are: float64, shape (rows,).
        features: what the row becomes before it is turned into data again, the generating end's input, averaged over
            a text's tokens or an image's places: float32, shape (rows, D).
    """

    sums: Tensor
    units: Tensor
    features: Tensor

    def difficulty(self) -> Tensor:
        """The loss per unit."""
        return self.sums / self.units.clamp(min=1)

    def by_item(self, rows: Batch) -> "Impression":
        """The same for items: sums of the losses and units of their rows, means of their features."""

        def total(values: Tensor) -> Tensor:
            return values.new_zeros(int(rows["item"].max()) + 1, *values.shape[1:]).index_add(0, rows["item"], values)

        counts = total(torch.ones_like(self.units)).clamp(min=1)
        return Impression(total(self.sums), total(self.units), total(self.features) / counts[:, None].float())


@torch.no_grad()
def impression(transfer: Transfer, rows: Batch) -> Impression:
    """One look at each row, in evaluation mode; nothing is learned.

    The loss is the likelihood where the model has one. Else it is the model's own, and all is the mean over a few
    draws of noise, the same for each row.
    """
    model, training, given = transfer.model, transfer.model.training, list[Tensor]()
    size = transfer.budget.micro_batch_size or transfer.budget.batch_size
    hook = model.generating_end()[0].register_forward_pre_hook(
        lambda module, args, named: given.append(next(iter([*args, *named.values()]))), with_kwargs=True
    )
    model.eval()
    try:
        with accelerator(transfer.budget).autocast():
            if "likelihood" in model.offers:
                looks = [_likelihood(model, rows, part, given) for part in torch.arange(rows_of(rows)).split(size)]
            else:
                parts = torch.arange(rows_of(rows)).split(max(1, size // _DRAWS))
                looks = [_losses(model, rows, part, given) for part in parts]
    finally:
        hook.remove()
        model.train(training)
    sums, units, features = (torch.cat(column).cpu() for column in zip(*looks, strict=True))
    return Impression(sums.double(), units.double(), features)


def _likelihood(model: Model, rows: Batch, part: Tensor, given: list[Tensor]) -> Impression:
    batch = model.collate(rows, part)
    return Impression(*model.nll(batch), pooled(batch, given.pop()))


def _losses(model: Model, rows: Batch, part: Tensor, given: list[Tensor]) -> Impression:
    """Each row stands in the batch once for each draw of noise, which is that of the first row for all."""
    batch = model.collate(rows, part.repeat_interleave(_DRAWS))
    first = {name: value[:_DRAWS] for name, value in batch.items()}
    for name, value in model.draw(first, torch.Generator().manual_seed(_SEED)).items():
        if name not in batch:
            batch[name] = torch.cat([value] * len(part))
    outputs = model(batch)
    each = [
        ({name: value[start : start + _DRAWS] for name, value in batch.items()}, outputs[start : start + _DRAWS])
        for start in range(0, len(outputs), _DRAWS)
    ]
    units = torch.tensor([model.units(own) / _DRAWS for own, _ in each], device=model.device)
    sums = torch.stack([model.loss(own, said) for own, said in each]) * units
    return Impression(sums, units, pooled(batch, given.pop()).view(len(part), _DRAWS, -1).mean(1))


def farthest(points: Tensor, centres: Tensor, count: int) -> Tensor:
    """Greedy k-centre: indices of ``count`` points, each the one farthest from all centres and points before it.

    Paper: Sener & Savarese 2018, Active Learning for Convolutional Neural Networks: A Core-Set Approach (algorithm 1)

    Args:
        points: shape (N, D).
        centres: indices of those that are chosen already; without any the first point is the first choice.
        count: how many to choose.
    """
    nearest, chosen = points.new_full((len(points),), torch.inf), list[int]()
    for centre in centres.tolist():
        nearest = nearest.minimum((points - points[centre]).norm(dim=1))
    nearest[centres] = -1  # also where points coincide, none is chosen twice
    for _ in range(count):
        chosen.append(int(nearest.argmax()))
        nearest = nearest.minimum((points - points[chosen[-1]]).norm(dim=1))
        nearest[chosen[-1]] = -1
    return torch.tensor(chosen, dtype=torch.int64)
