"""What is cut or made smaller, when, and what stays in full."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import NotApplicable
from bench.model import Batch, Model
from tests.models import (
    batch_of,
    data_of,
    fitted,
    language_model,
    pictures,
    prepare,
    source_pictures,
    texts,
    transfer_of,
    unet,
    whole,
)

STEPS = 8


def seen(model: Model, approach: str = "progressive_training", stage: int = 0, **options: Any) -> list[Batch]:
    """The batches of each step, validation aside."""
    batches: list[Batch] = []

    def look(batch: Batch, outputs: Tensor) -> Tensor:
        batches.append(batch)
        return outputs.new_zeros(())

    transfer = transfer_of(model, data_of("diffusion" if model.modality == "image" else "causal_lm"), steps=STEPS)
    prepare(transfer, approach, progressive_training=options)
    if stage:
        transfer.stages.append(lambda left: transfer.practise("before", stage))
    transfer.terms.append(look)
    fitted(transfer)
    return batches


def sides(batches: list[Batch]) -> list[int]:
    return [batch["images"].shape[-1] for batch in batches]


def widths(batches: list[Batch]) -> list[int]:
    """Predicted tokens of the longest row."""
    return [batch["input_ids"].shape[1] - 1 for batch in batches]


def test_images_grow_by_the_same_factor_in_stages_of_the_same_length() -> None:
    assert sides(seen(unet())) == [2, 2, 4, 4, 8, 8, 8, 8]
    assert sides(seen(unet(), start=0.5, stages=1, until=0.75)) == [4] * 6 + [8] * 2
    assert sides(seen(unet(), until=0.0)) == [8] * 8


def test_texts_grow_to_the_context() -> None:
    at_once = seen(language_model(context=8), start=0.0, stages=1)
    for batches, grown in ((seen(language_model(context=8)), [2, 2, 4, 4]), (at_once, [1] * 4)):
        found = widths(batches)
        assert found[:4] == grown
        assert min(found[4:]) > 4
        assert max(found[4:]) == 8


@pytest.mark.parametrize("make", [unet, language_model])
def test_noise_and_targets_have_the_size_of_the_batch(make: Any) -> None:
    for batch in seen(make(), "progressive_training + augmentation"):
        for one, other in (("images", "noise"), ("input_ids", "targets")):
            assert one not in batch or batch[one].shape == batch[other].shape


def test_all_of_a_pre_stage_is_in_full() -> None:
    assert sides(seen(unet(), stage=4)) == [8] * 4 + [2, 4, 8, 8]


def test_a_smaller_image_is_the_mean_of_its_pixels() -> None:
    model = unet((8, 16, 1))
    batch = whole(model, pictures(shape=(8, 16, 1)).train)
    small = model.coarser(batch, 0.5)["images"]
    assert small.shape[2:] == (4, 8)
    means = batch["images"].unflatten(3, (8, 2)).unflatten(2, (4, 2)).mean((3, 5))
    assert torch.allclose(small, means, atol=1e-6)


@pytest.mark.parametrize(
    ("share", "size"), [(0.0, (2, 2)), (0.2, (2, 4)), (0.6, (4, 10)), (0.9, (8, 14)), (1.0, (8, 16))]
)
def test_a_smaller_image_has_a_size_the_network_can_process(share: float, size: tuple[int, int]) -> None:
    model = unet((8, 16, 1))
    batch = model.coarser(whole(model, pictures(shape=(8, 16, 1)).train), share)
    assert tuple(batch["images"].shape[2:]) == size
    drawn = model.draw(batch, torch.Generator())
    assert model(drawn).shape == batch["images"].shape


def test_a_cut_row_has_the_first_of_its_tokens_and_counts_them() -> None:
    model = language_model()
    batch = batch_of(model, texts(), rows=6)
    cut = model.coarser(batch | {"targets": batch["input_ids"] + 1}, 0.5)
    assert torch.equal(cut["input_ids"], batch["input_ids"][:, :7])
    assert torch.equal(cut["targets"], batch["input_ids"][:, :7] + 1)
    assert cut["length"].tolist() == [min(length, 7) for length in batch["length"].tolist()]
    assert cut["text"].tolist() == [min(text, 6) for text in batch["text"].tolist()]
    assert model.units(cut) == sum(min(length, 7) - 1 for length in batch["length"].tolist()) < model.units(batch)
    with torch.no_grad():
        assert torch.allclose(model(cut), model(batch)[:, :6], atol=1e-5), "what is read of a prefix is the same"


def test_a_network_of_one_size_says_so() -> None:
    shape = (2, 2, 1)
    with pytest.raises(NotApplicable, match="takes no smaller ones"):
        prepare(transfer_of(unet(shape), source_pictures(shape=shape)), "progressive_training")
