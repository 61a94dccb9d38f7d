"""What the pre-stage learns from, what is spoilt in it, and what it must restore."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import NotApplicable
from bench.model import Batch
from bench.transfer import Transfer
from tests.models import (
    EXEMPLARS,
    batch_of,
    data_of,
    fitted,
    language_model,
    model_of,
    pictures,
    pool_of,
    prepare,
    texts,
    transfer_of,
    unet,
    whole,
)


def transfer_with_pool(family: str, steps: int = 8, approach: str = "self_supervised", **options: Any) -> Transfer:
    transfer = transfer_of(model_of(family), data_of(family), steps=steps, pool=pool_of(family))
    return prepare(transfer, approach, self_supervised=options)


def spoilt(batch: Batch) -> bool:
    """Whether the loss asks for what is not in the input."""
    return "hidden" in batch or ("targets" in batch and not torch.equal(batch["targets"], batch["input_ids"]))


def watched(transfer: Transfer) -> list[tuple[int, Batch]]:
    """The batches of each step, with the number of items they were taken from."""
    seen: list[tuple[int, Batch]] = []
    draw = transfer.model.draw

    def look(batch: Batch, generator: torch.Generator) -> Batch:
        if transfer.model.training:
            seen.append((len(transfer.data.train), batch))
        return draw(batch, generator)

    transfer.model.draw = look  # type: ignore[method-assign]
    fitted(transfer)
    return seen


@pytest.mark.parametrize("family", EXEMPLARS)
def test_first_the_whole_pool_spoilt_then_the_cells_examples_clean(family: str) -> None:
    transfer = transfer_with_pool(family, share=0.75, corruption=0.5)
    data, seen = transfer.data, watched(transfer)
    assert [(items, spoilt(batch)) for items, batch in seen] == [(24, True)] * 6 + [(12, False)] * 2
    assert transfer.spent == {"self-supervised": 6, "": 2}
    assert transfer.data is data
    assert [row["stage"] for row in transfer.curve if "train_loss" in row] == ["self-supervised"] * 6 + [""] * 2


@pytest.mark.parametrize("family", EXEMPLARS)
@pytest.mark.parametrize("steps", [2, 4, 40])
def test_only_what_was_looked_at_beside_the_cells_examples_counts(family: str, steps: int) -> None:
    transfer = transfer_with_pool(family, steps=steps)
    indices = [batch["item"] for items, batch in watched(transfer) if items == 24]
    others = {item for item in torch.cat(indices).tolist() if item >= 12}  # the first twelve are the cell's
    assert transfer.looked == len(others) > 0
    assert steps < 40 or transfer.looked == 12


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_target_is_learned_however_large_the_share(family: str) -> None:
    assert fitted(transfer_with_pool(family, steps=3, share=1.0)).spent == {"self-supervised": 2, "": 1}
    assert fitted(transfer_with_pool(family, steps=1)).spent == {"": 1}


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_model_learns_to_restore(family: str) -> None:
    """What it has not seen, too."""
    transfer = transfer_of(model_of(family), data_of(family), steps=60, learning_rate=1e-2)
    (stage,) = prepare(transfer, "self_supervised").stages
    clean, generator = whole(transfer.model, transfer.data.test), torch.Generator().manual_seed(0)
    batch = transfer.model.draw(transfer.model.corrupted(clean, None, generator), generator)
    with torch.no_grad():
        before = float(transfer.model.eval().loss(batch, transfer.model(batch)))
        with torch.enable_grad():
            stage(60)
        assert float(transfer.model.loss(batch, transfer.model(batch))) < 0.9 * before


@pytest.mark.parametrize("family", EXEMPLARS)
def test_terms_and_transforms_of_a_composition_are_the_targets(family: str) -> None:
    transfer = transfer_with_pool(family, approach="augmentation + self_supervised + gradual_unfreezing")
    calls: list[str] = []

    def term(batch: Batch, outputs: Tensor) -> Tensor:
        calls.append("spoilt" if "hidden" in batch else "target")
        return outputs.new_zeros(())

    def transform(batch: Batch, generator: torch.Generator) -> Batch:
        calls.append("transform")
        return batch

    transfer.terms.append(term)
    transfer.transforms.append(transform)
    fitted(transfer)
    assert calls == ["transform", "target"] * 4


# Texts ----------------------------------------------------------------------------------------------------------------


def test_a_share_of_the_tokens_is_replaced_and_the_clean_ones_are_asked_for() -> None:
    model = language_model(context=30)
    batch = whole(model, texts(200).train)
    usual, half, most = (model.corrupted(batch, share, torch.Generator().manual_seed(0)) for share in (None, 0.5, 1.0))
    inside = (torch.arange(batch["input_ids"].shape[1]) < batch["length"][:, None])[:, 1:]
    shares = [
        float((noisy["input_ids"] != batch["input_ids"])[:, 1:][inside].float().mean()) for noisy in (usual, half, most)
    ]
    assert shares[0] / shares[2] == pytest.approx(0.15, abs=0.02)
    assert shares[1] / shares[2] == pytest.approx(0.5, abs=0.02)
    assert torch.equal(half["targets"], batch["input_ids"])
    again = model.corrupted(half, 0.5, torch.Generator().manual_seed(1))
    assert torch.equal(again["targets"], batch["input_ids"]), "spoilt twice, the clean ones are still asked for"


# Images ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "patches"), [(None, 48), (0.0, 1), (0.3, 19), (1.0, 64)])
def test_as_many_patches_are_hidden_as_asked(share: float | None, patches: int) -> None:
    """Of 8 by 8 patches, here of 2 by 3 pixels, in every image others."""
    model = unet((16, 24, 1))
    batch = model.corrupted(whole(model, pictures(shape=(16, 24, 1)).train), share, torch.Generator().manual_seed(0))
    hidden = batch["hidden"].float().unflatten(3, (8, 3)).unflatten(2, (8, 2)).mean((1, 3, 5))
    assert set(hidden.unique().tolist()) <= {0.0, 1.0}, "patches are hidden whole"
    assert hidden.sum((1, 2)).tolist() == [patches] * 12
    assert patches == 64 or len({tuple(mask.flatten().tolist()) for mask in hidden}) > 8


def test_hidden_patches_are_noised_and_the_others_clean() -> None:
    model = unet((8, 8, 1))
    batch = model.corrupted(batch_of(model, pictures()), 0.5, torch.Generator().manual_seed(0))
    inputs: list[Tensor] = []
    model.network.register_forward_pre_hook(lambda module, args: inputs.append(args[0]))
    with torch.no_grad():
        model(batch)
    noised = model.noise.add_noise(batch["images"], batch["noise"], batch["timesteps"])
    assert torch.equal(inputs[0][batch["hidden"]], noised[batch["hidden"]])
    assert torch.equal(inputs[0][~batch["hidden"]], batch["images"][~batch["hidden"]])


def test_the_loss_is_of_the_hidden_patches_alone() -> None:
    model = unet((8, 8, 3))
    batch = model.corrupted(batch_of(model, pictures(shape=(8, 8, 3))), 0.25, torch.Generator().manual_seed(0))
    hidden = batch["hidden"]
    assert float(model.loss(batch, batch["noise"] + 5.0 * ~hidden)) == 0
    assert float(model.loss(batch, batch["noise"] + 3.0 * hidden)) == pytest.approx(9)


def test_with_everything_hidden_it_is_the_models_own_loss() -> None:
    model = unet()
    batch = batch_of(model, pictures())
    all_hidden = model.corrupted(batch, 1.0, torch.Generator())
    with torch.no_grad():
        own, hidden = (float(model.loss(each, model(each))) for each in (batch, all_hidden))
    assert hidden == pytest.approx(own, rel=1e-6)


def test_parts_of_a_batch_add_up_where_patches_differ_in_size() -> None:
    """Ten pixels in eight patches: some are larger."""
    model = unet((10, 10, 1))
    batch = model.corrupted(batch_of(model, pictures(shape=(10, 10, 1))), 0.3, torch.Generator().manual_seed(0))
    outputs = torch.randn(batch["images"].shape, generator=torch.Generator().manual_seed(0))
    each = [
        float(model.loss({name: value[row : row + 1] for name, value in batch.items()}, outputs[row : row + 1]))
        for row in range(4)
    ]
    assert len({int(mask.sum()) for mask in batch["hidden"]}) > 1
    assert float(model.loss(batch, outputs)) == pytest.approx(sum(each) / 4, rel=1e-6)


def test_a_model_that_cannot_restore_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    model = unet()
    monkeypatch.setattr(type(model), "corrupted", type(model).__mro__[1].corrupted)  # type: ignore[attr-defined]
    with pytest.raises(NotApplicable, match="cannot restore what was spoilt"):
        prepare(transfer_of(model, pictures()), "self_supervised")
