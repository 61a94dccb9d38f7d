"""A rare word for the new domain, while what the pretrained model makes of the caption without it is kept."""

import torch
from torch import Tensor

from bench.approaches import _samples
from bench.approaches._reference import pretrained
from bench.batches import rows_of
from bench.dataset import Columns
from bench.errors import PluginError
from bench.model import Batch, Model
from bench.options import Count, NonNegative
from bench.transfer import Transfer

NEEDS = ("caption",)
KEEPS_PRETRAINED = True

_SEED = 70_000  # of the samples that are to be preserved, of their order and noise


def dreambooth(
    transfer: Transfer,
    *,
    identifier: str = "sks",
    class_caption: str = "",
    prior_weight: NonNegative = 1.0,
    class_images: Count = 100,
) -> None:
    """A rare word before every caption comes to mean the target; without it, captions keep what they meant.

    Before it learns, the pretrained model makes pictures of the class caption. Each batch comes with as many of these,
    which are counted among the examples that gradients were taken of, and the loss gains ``prior_weight`` times that of
    them (prior preservation). All weights train, unless the composition says otherwise: ``lora + dreambooth``.

    Paper: Ruiz et al. 2023, DreamBooth: Fine Tuning Text-to-Image Diffusion Models for Subject-Driven Generation

    Args:
        identifier: the rare word.
        class_caption: what the preserved pictures show, such as "a photo of a dog" in the paper; by default each is of
            the caption of one of the target's examples, without the identifier.
        prior_weight: of the loss of the preserved pictures; 0 for none of them.
        class_images: how many pictures are preserved; the paper has about a thousand, diffusers' example 100.
    """
    model, rare = transfer.model, transfer.model.tokens(identifier)
    if not rare:
        problem = f"approach dreambooth: option 'identifier': {identifier!r} will not do"
        raise PluginError(f"{problem}; name a word that the model's tokenizer knows, such as sks")
    if not prior_weight:
        model.begin_captions(rare)
        return
    old = [pretrained(transfer, "dreambooth")]
    model.begin_captions(rare)
    size, rows, drawn, counter = 0, Batch(), list[Batch](), torch.Generator().manual_seed(transfer.seed + _SEED)

    def make(left: int) -> None:
        rows.update(_pictures(transfer, old.pop(), class_caption, class_images))

    def begin(batch: Batch, _: torch.Generator) -> Batch:
        nonlocal size
        size = rows_of(batch)
        drawn.clear()
        return batch

    def preserve(batch: Batch, outputs: Tensor) -> Tensor:
        if not rows:  # what learns before there are pictures does without
            return outputs.new_zeros(())
        if not drawn:
            indices = torch.randint(rows_of(rows), (size,), generator=counter)
            transfer.count("", size, steps=0)
            drawn.append(transfer.model.draw(transfer.model.collate(rows, indices), counter))
        other = {name: value[batch["row"]] for name, value in drawn[0].items()}
        return prior_weight * transfer.model.loss(other, transfer.model(other))

    transfer.stages.append(make)
    transfer.transforms.append(begin)
    transfer.terms.append(preserve)


def _pictures(transfer: Transfer, model: Model, caption: str, count: int) -> Batch:
    """What the pretrained model makes of class captions, as encoded rows of its own, on the CPU."""
    examples = transfer.data.train
    assert isinstance(examples, Columns)
    captions = [caption] if caption else list(examples["caption"])
    asked = model.encode(Columns({"caption": captions, "images": examples["images"][: len(captions)]}))
    generator = torch.Generator().manual_seed(transfer.seed + _SEED)
    return model.encode(_samples.drawn(transfer, model, asked, count, generator))
