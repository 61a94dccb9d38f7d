"""First restore spoilt examples of the whole unlabelled pool, then fine-tune."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor

from bench.approaches._prestage import practise_on, steps_of
from bench.batches import in_chance_order
from bench.model import Batch
from bench.options import Fraction
from bench.transfer import Transfer


def self_supervised(transfer: Transfer, *, share: Fraction = 0.5, corruption: Fraction | None = None) -> None:
    """The model learns to restore what was spoilt in examples of the target's whole training split, then fine-tunes.

    Of texts some input tokens are replaced, and it has to predict the clean ones; of images some patches are hidden
    under noise, and it has to restore them from the clean ones around (as a diffusion model: by removing the noise).
    The second part of the steps is ordinary training on the examples that other approaches are given. The items of the
    pool that were looked at beside these are counted. The pre-stage has none of the terms and transforms of a
    composition.

    Paper: Vincent et al. 2010, Stacked Denoising Autoencoders; Raffel et al. 2020, Exploring the Limits of Transfer
    Learning with a Unified Text-to-Text Transformer (texts); Wei et al. 2023, Diffusion Models as Masked Autoencoders
    (images)

    Args:
        share: of the steps that go into the pre-stage; at least one is left for the target.
        corruption: share of a text's tokens, or of an image's patches, that is spoilt; null for the papers' 0.15 of the
            tokens and 0.75 of the patches.
    """
    rows = transfer.encode(transfer.data.train)
    some = transfer.model.collate(rows, torch.arange(1))
    transfer.model.corrupted(some, corruption, torch.Generator())  # does not return where it cannot

    def spoil(batch: Batch, generator: torch.Generator) -> Batch:
        return transfer.model.corrupted(batch, corruption, generator)

    def restore(left: int) -> None:
        seen = set[int]()

        def sampler(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
            return _Noted(in_chance_order(rows, size, generator), rows["item"], seen)

        unlabelled = transfer.data.learning_from(transfer.pool)
        steps = steps_of(share, left)
        practise_on(transfer, "self-supervised", steps, unlabelled, transforms=[spoil], sampler=sampler)
        own = {_content(item) for item in transfer.data.train}
        transfer.look(sum(_content(transfer.pool[item]) not in own for item in seen))

    transfer.stages.append(restore)


class _Noted(Iterator[Tensor]):
    """Batches of row indices; the items that they are of are noted."""

    def __init__(self, batches: Iterator[Tensor], items: Tensor, seen: set[int]) -> None:
        self.batches, self.items, self.seen = batches, items, seen

    def __next__(self) -> Tensor:
        indices = next(self.batches)
        self.seen.update(self.items[indices].tolist())
        return indices


def _content(item: Any) -> Any:
    """An item as something that is equal where it is: images are arrays, and some items have several parts."""
    if isinstance(item, dict):
        return tuple(_content(part) for part in item.values())
    return item.tobytes() if isinstance(item, np.ndarray) else item
