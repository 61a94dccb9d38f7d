"""How much of each batch comes from the source, and what is done to it."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.device import accelerator
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.models import data_of, model_of, prepare, source_of, transfer_of

FAMILIES = pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
KEYS = {"causal_lm": "input_ids", "diffusion": "images"}


def transfer_in(family: str, approach: str = "multitask", steps: int = 8, seed: int = 0, **options: Any) -> Transfer:
    budget = {"batch_size": options.pop("batch_size", 4), "learning_rate": options.pop("learning_rate", 1e-3)}
    transfer = transfer_of(
        model_of(family), data_of(family), source=source_of(family), steps=steps, seed=seed, validations=1, **budget
    )
    return prepare(transfer, approach, **{"multitask": options} if "multitask" in approach else {})


def batches(transfer: Transfer) -> list[Batch]:
    """Every batch of a training, as the loss sees it."""
    seen = list[Batch]()
    transfer.transforms.append(lambda batch, generator: seen.append(batch) or batch)  # type: ignore[func-returns-value]
    transfer.run()
    return seen


def rows_in(model: Model, items: Any, key: str) -> set[bytes]:
    rows = model.encode(items)
    whole = model.collate(rows, torch.arange(len(rows["item"])))
    return {unpadded(whole, row, key) for row in range(len(rows["item"]))}


def unpadded(batch: Batch, row: int, key: str) -> bytes:
    value: Tensor = batch[key][row]
    return (value[: int(batch["length"][row])] if "length" in batch else value).numpy().tobytes()


def shares(transfer: Transfer, family: str) -> list[tuple[int, int]]:
    """Rows of the source and of the target in each batch; together they are all."""
    key = KEYS[family]
    known, new = (rows_in(transfer.model, d.train, key) for d in (source_of(family), data_of(family)))
    assert not known & new
    found = []
    for batch in batches(transfer):
        rows = [unpadded(batch, row, key) for row in range(len(batch[key]))]
        assert all(row in known | new for row in rows)
        found.append((sum(row in known for row in rows), sum(row in new for row in rows)))
    return found


@FAMILIES
@pytest.mark.parametrize("ratio", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_the_mixing_ratio_is_the_declared_one(family: str, ratio: float) -> None:
    """Over all batches, and in each as far as whole rows can be; batches stay as large as they were."""
    found = shares(transfer_in(family, ratio=ratio, batch_size=5), family)
    assert len(found) == 8
    for steps in range(1, 9):
        assert abs(sum(old for old, _ in found[:steps]) - ratio * 5 * steps) <= 0.5 + 1e-9
    assert all(old + new == 5 for old, new in found)


@FAMILIES
def test_the_targets_rows_are_those_that_would_have_come_anyway(family: str) -> None:
    key = KEYS[family]
    mixed, alone = (batches(transfer_in(family, approach)) for approach in ("multitask", "full_finetuning"))
    for ours, plain in zip(mixed, alone, strict=True):
        assert [unpadded(ours, row, key) for row in (0, 1)] == [unpadded(plain, row, key) for row in (0, 1)]


@FAMILIES
def test_every_row_of_the_source_has_its_turn(family: str) -> None:
    transfer = transfer_in(family, steps=20, ratio=1.0, batch_size=4)
    rows = len(transfer.encode(source_of(family).train)["item"])
    key = KEYS[family]
    seen = [unpadded(batch, row, key) for batch in batches(transfer) for row in range(4)]
    assert len(seen) >= rows
    assert set(seen[:rows]) == rows_in(transfer.model, source_of(family).train, key)


@FAMILIES
def test_a_seed_gives_its_own_order_and_the_same_again(family: str) -> None:
    one, again, other = (
        [unpadded(batch, 3, KEYS[family]) for batch in batches(transfer_in(family, seed=seed))] for seed in (0, 0, 1)
    )
    assert one == again != other


@pytest.mark.parametrize(
    ("approach", "of_source"), [("multitask + augmentation", True), ("augmentation + multitask", False)]
)
def test_order_says_what_is_augmented(approach: str, of_source: bool) -> None:
    """Mirrored images of the target in either order; those of the source where augmentation comes second."""
    transfer = transfer_in("diffusion", "full_finetuning", steps=4)
    off = {"rotation": 0.0, "scaling": 0.0, "shift": 0.0}
    prepare(transfer, approach, augmentation=off | {"flip": 1.0})
    target, source = (
        transfer.model.collate(rows, torch.arange(len(rows["item"])))["images"]
        for rows in map(transfer.encode, (data_of("diffusion").train, source_of("diffusion").train))
    )
    seen = torch.stack([batch["images"] for batch in batches(transfer)])
    new, old = seen[:, :2].flatten(0, 1), seen[:, 2:].flatten(0, 1)
    assert nearest(new, target.flip(-1)) < 1e-4
    assert nearest(old, source.flip(-1) if of_source else source) < 1e-4
    assert nearest(old, source if of_source else source.flip(-1)) > 1e-2


def nearest(images: Tensor, among: Tensor) -> float:
    """The largest distance of any image from the nearest of others."""
    return float(torch.cdist(images.flatten(1), among.flatten(1)).amin(1).max())


@pytest.mark.parametrize(
    ("approach", "of_source"), [("multitask + augmentation", True), ("augmentation + multitask", False)]
)
def test_noise_on_tokens_goes_with_the_order_too(approach: str, of_source: bool) -> None:
    transfer = transfer_in("causal_lm", "full_finetuning", steps=6)
    prepare(transfer, approach, augmentation={"token_noise": 1.0})
    changed = torch.zeros(4, dtype=torch.int64)
    clean = [rows_in(transfer.model, d.train, "input_ids") for d in (data_of("causal_lm"), source_of("causal_lm"))]
    for batch in batches(transfer):
        for row in range(4):
            assert unpadded(batch, row, "targets") in clean[row >= 2]
            changed[row] += not torch.equal(batch["targets"][row], batch["input_ids"][row])
    assert changed[:2].min() == 6
    assert changed[2:].tolist() == [6, 6] if of_source else changed[2:].tolist() == [0, 0]


@FAMILIES
def test_what_it_knew_is_kept_better_than_without(family: str) -> None:
    ends = []
    for approach in ("multitask", "full_finetuning"):
        transfer = transfer_in(family, approach, steps=30, learning_rate=1e-2)
        transfer.run()
        held_out = transfer.encode(source_of(family).test)
        ends.append(mean_loss(transfer.model, held_out, 6, 6, accelerator(transfer.budget)))
    assert ends[0] < 0.9 * ends[1]


def test_without_a_known_source_there_is_nothing_to_mix_in() -> None:
    with pytest.raises(NotApplicable, match="pretrained on"):
        prepare(transfer_of(model_of("causal_lm"), data_of("causal_lm")), "multitask")
