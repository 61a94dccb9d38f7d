"""Source and target look alike from within."""

from typing import Literal

import torch
from torch import Tensor

from bench.approaches._features import Tap, chosen, pooled
from bench.approaches._mixing import source_of
from bench.batches import rows_of
from bench.errors import NotApplicable
from bench.model import Batch
from bench.options import NonNegative
from bench.transfer import Transfer

NEEDS = ("source",)

_SEED = 60_000  # of the source's order and noise
_WIDTHS = (0.25, 0.5, 1.0, 2.0, 4.0)  # of the kernels, in median squared distances


def domain_adaptation(
    transfer: Transfer,
    *,
    method: Literal["mmd", "coral"] = "mmd",
    weight: NonNegative = 1.0,
    blocks: list[int] | Literal["all", "features"] = "features",
) -> None:
    """Hidden features of the target are brought into the same distribution as those of the source.

    Each batch comes with as many examples of the source, which are counted among those that gradients were taken of.
    An example's features are their mean over its positions. The loss gains ``weight`` times the distance between the
    two sets of features, summed over the blocks: the squared maximum mean discrepancy under an equal mixture of
    Gaussian kernels, whose widths are multiples of the median distance, or the squared difference of the covariances.

    Paper: Long et al. 2015, Learning Transferable Features with Deep Adaptation Networks (mmd); Sun & Saenko 2016,
    Deep CORAL: Correlation Alignment for Deep Domain Adaptation (coral)

    Args:
        method: ``mmd`` or ``coral``.
        weight: of the distance.
        blocks: whose features are aligned: their numbers, 0 being what comes before the layers and negative ones
            counted from the output; ``all`` that features pass through; ``features``: the last before the generating
            end.
    """
    source = source_of(transfer)
    if min(transfer.budget.micro_batch_size or 2, transfer.budget.batch_size) < 2:
        raise NotApplicable("one example at a time has no distribution to align; it takes 2")
    tap = Tap(transfer.model, chosen(transfer, "domain_adaptation", blocks))
    distance = {"mmd": mmd, "coral": coral}[method]
    generator, rows = torch.Generator().manual_seed(transfer.seed + _SEED), Batch()
    drawn: list[Batch] = []  # from the source for this step, however often and in what parts it is computed
    size = 0

    def begin(batch: Batch, _: torch.Generator) -> Batch:
        nonlocal size
        size = rows_of(batch)
        drawn.clear()
        return batch

    def draw() -> Batch:
        if not rows:  # when all approaches are set up: some of them leave less room in a row
            rows.update(transfer.encode(source.train))
        indices = torch.randint(rows_of(rows), (size,), generator=generator)
        transfer.count("", size, steps=0)
        return transfer.model.draw(transfer.model.collate(rows, indices), generator)

    def align(batch: Batch, outputs: Tensor) -> Tensor:
        if not drawn:
            drawn.append(draw())
        other = {name: value[batch["row"]] for name, value in drawn[0].items()}
        pairs = zip(tap.take(outputs), tap.take(transfer.model(other)), strict=True)
        return weight * torch.stack([distance(pooled(batch, a), pooled(other, b)) for a, b in pairs]).sum()

    transfer.transforms.append(begin)
    transfer.terms.append(align)


def coral(ours: Tensor, theirs: Tensor) -> Tensor:
    """‖C - C'‖² / 4d² of the covariances of two sets of shape (rows, d)."""
    return (_covariance(ours) - _covariance(theirs)).square().sum() / (4 * ours.shape[1] ** 2)


def _covariance(rows: Tensor) -> Tensor:
    centred = rows - rows.mean(0)
    with torch.autocast(rows.device.type, enabled=False):
        return centred.T @ centred / max(len(rows) - 1, 1)


def mmd(ours: Tensor, theirs: Tensor) -> Tensor:
    """Squared maximum mean discrepancy of two sets of shape (rows, d): never negative, zero of a set with itself.

    Kernels are exp(-‖x - y‖² / width), their widths multiples of the median over all pairs of different rows.
    """
    rows = torch.cat([ours, theirs])
    squares = torch.cdist(rows, rows, compute_mode="donot_use_mm_for_euclid_dist").square()
    pairs = torch.triu_indices(len(rows), len(rows), 1, device=rows.device)
    median = squares.detach()[*pairs].median().clamp_min(torch.finfo(rows.dtype).tiny)
    kernel = torch.stack([torch.exp(-squares / (median * width)) for width in _WIDTHS]).mean(0)
    n = len(ours)
    return kernel[:n, :n].mean() + kernel[n:, n:].mean() - 2 * kernel[:n, n:].mean()
