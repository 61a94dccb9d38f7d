"""Features stay close to the pretrained ones."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.approaches._features import Tap, vectors
from bench.model import Batch, Model
from bench.transfer import Transfer
from tests.models import EXEMPLARS, batch_of, data_of, language_model, prepare, source_of, transfer_of, unet

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def no_dropout(family: str) -> Model:
    return language_model(sizes=NO_DROPOUT) if family == "causal_lm" else unet()


def prepared(family: str, approach: str = "delta", **options: Any) -> Transfer:
    transfer = transfer_of(no_dropout(family), data_of(family), steps=10, decay="constant")
    return prepare(transfer, approach, delta=options)


def held(transfer: Transfer, batch: Batch) -> Tensor:
    (term,) = transfer.terms
    return term(batch, transfer.model(batch))


@torch.no_grad()
def hidden(model: Model, family: str) -> list[Tensor]:
    """All that the blocks between the first and the last hand on."""
    batch, tap = batch_of(model, data_of(family)), Tap(model, [*range(1, len(model.blocks()) - 1)], learning=False)
    return [vectors(batch, features) for features in tap.take(model.eval()(batch))]


@torch.no_grad()
def disturb(model: Model) -> None:
    noise = torch.Generator().manual_seed(1)
    for weight in model.parameters():
        weight.add_(0.05 * torch.randn(weight.shape, generator=noise))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_is_the_mean_square_of_what_the_features_moved_by(family: str) -> None:
    transfer, pretrained = prepared(family, weight=0.5), no_dropout(family)
    batch = batch_of(transfer.model, transfer.data)
    assert held(transfer, batch).item() == 0
    disturb(transfer.model)
    pairs = zip(hidden(transfer.model, family), hidden(pretrained, family), strict=True)
    expected = 0.5 * sum(float((one - other).square().mean()) for one, other in pairs)
    assert expected > 0
    assert held(transfer, batch).item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_blocks_say_which_features(family: str) -> None:
    parts = []
    for blocks in ([1], [2, 3], [1, 2, 3], "all"):
        transfer = prepared(family, blocks=blocks)
        batch = batch_of(transfer.model, transfer.data)
        disturb(transfer.model)
        parts.append(held(transfer, batch).item())
    assert parts[0] + parts[1] == pytest.approx(parts[2], rel=1e-5)
    assert parts[2] < parts[3]


@pytest.mark.parametrize("family", EXEMPLARS)
def test_gradients_reach_what_stands_before_a_held_block_and_not_what_comes_after(family: str) -> None:
    transfer = prepared(family, blocks=[2])
    disturb(transfer.model)
    held(transfer, batch_of(transfer.model, transfer.data)).backward()
    blocks = [list(block.parameters()) for block in transfer.model.blocks()]
    assert any(weight.grad is not None and weight.grad.any() for weight in blocks[1])
    assert all(weight.grad is None for weight in blocks[3])


@pytest.mark.parametrize("family", EXEMPLARS)
def test_parts_of_a_batch_add_up_to_the_whole(family: str) -> None:
    ends = []
    for micro in (None, 2):
        transfer = transfer_of(no_dropout(family), data_of(family), steps=2, micro_batch_size=micro)
        prepare(transfer, "delta", delta={"weight": 10.0})
        disturb(transfer.model)
        transfer.fit(1)
        ends.append(next(row["train_loss"] for row in transfer.curve if "train_loss" in row))
    assert ends[0] == pytest.approx(ends[1], rel=1e-4)


@pytest.mark.parametrize("approach", ["domain_adaptation + delta", "delta + domain_adaptation"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_no_other_terms_pass_is_taken_for_the_losss(family: str, approach: str) -> None:
    """The features of the source rows, which the other term sends through the model, are nobody else's."""
    model = no_dropout(family)
    transfer = prepare(transfer_of(model, data_of(family), source=source_of(family)), approach)
    batch = batch_of(model, transfer.data) | {"row": torch.arange(4)}
    for transform in transfer.transforms:
        transform(batch, torch.Generator())
    outputs = model(batch)
    losses = {term.__qualname__.partition(".")[0]: term(batch, outputs).item() for term in transfer.terms}
    assert losses["delta"] == 0
    assert losses["domain_adaptation"] > 0


@pytest.mark.parametrize("approach", ["delta", "lora + delta", "delta + lora"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_more_weight_keeps_the_features_closer(family: str, approach: str) -> None:
    apart = []
    for weight in (0.0, 100.0):
        transfer = prepared(family, approach, weight=weight)
        transfer.practise("without validation", 10)
        features = hidden(transfer.model, family), hidden(no_dropout(family), family)
        apart.append(sum(float((one - other).square().mean()) for one, other in zip(*features, strict=True)))
    assert apart[1] < apart[0] / 2
