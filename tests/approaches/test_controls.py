"""What needs no training, or no pretraining."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import NotApplicable
from bench.model import Model
from bench.transfer import Transfer
from tests.models import (
    EXEMPLARS,
    batch_of,
    data_of,
    fitted,
    language_model,
    model_of,
    outputs,
    prepare,
    same,
    texts,
    transfer_of,
    unet,
    weights,
)

MODELS: dict[str, Callable[[], Model]] = {
    "gpt2": language_model,
    "llama": lambda: language_model("llama"),
    "untied": lambda: language_model(sizes={"tie_word_embeddings": False}),
    "unet": unet,
}


@pytest.mark.parametrize("family", EXEMPLARS)
def test_zero_shot_changes_nothing(family: str) -> None:
    model, data = model_of(family), data_of(family)
    before, said = weights(model), outputs(model, data)
    transfer = fitted(prepare(transfer_of(model, data), "zero_shot"))
    assert transfer.model is model
    assert transfer.taken == transfer.steps == 0
    assert same(before, weights(model))
    assert torch.equal(said, outputs(model, data))


@pytest.mark.parametrize("kind", MODELS)
def test_from_scratch_has_no_weight_of_the_pretrained_model(kind: str) -> None:
    """Not one number of it: layers that know no ``reset_parameters``, such as GPT-2's Conv1D, start anew as well."""
    model = MODELS[kind]()
    transfer = prepare(transfer_of(model, data_of("diffusion" if kind == "unet" else "causal_lm")), "from_scratch")
    old, new = dict(model.named_parameters()), dict(transfer.model.named_parameters())
    assert {name: weight.shape for name, weight in old.items()} == {name: weight.shape for name, weight in new.items()}
    assert not any((old[name] == new[name]).any() for name in old)
    assert all(weight.requires_grad for weight in new.values())
    assert set(transfer.stored()) >= set(new), "all of it must be stored"


@pytest.mark.parametrize("kind", MODELS)
def test_from_scratch_leaves_the_pretrained_model_alone(kind: str) -> None:
    model = MODELS[kind]()
    before = weights(model)
    fitted(prepare(transfer_of(model, data_of("diffusion" if kind == "unet" else "causal_lm")), "from_scratch"))
    assert same(before, weights(model))


def test_from_scratch_keeps_the_tokenizer() -> None:
    model = language_model()
    transfer = prepare(transfer_of(model, texts()), "from_scratch")
    assert transfer.model.encoding() == model.encoding()


def rows_as_items(model: Model, items: Any) -> list[bytes]:
    """What a model's rows of these items decode to, one by one."""
    rows = model.encode(items)
    return [np.asarray(item).tobytes() for item in model.decode(rows | {"item": torch.arange(len(rows["item"]))})]


def drawn(transfer: Transfer, batches: int) -> list[bytes]:
    """Samples, four in a batch."""
    model, generator = transfer.model, torch.Generator().manual_seed(0)
    found = [model.decode(model.sample(batch_of(model, transfer.data), generator)) for _ in range(batches)]
    return [np.asarray(item).tobytes() for items in found for item in items]


@pytest.mark.parametrize("family", EXEMPLARS)
def test_real_data_are_test_items_scored_against_the_others(family: str) -> None:
    model, data = model_of(family), data_of(family)
    transfer = fitted(prepare(transfer_of(model, data), "real_data"))
    known, rest = rows_as_items(model, data.test), rows_as_items(model, transfer.data.test)
    found = drawn(transfer, 3)[: transfer.samples]
    assert len(transfer.data.test) == len(data.test) / 2 == 3, "there are fewer than samples wanted, so it is halves"
    assert len(set(found)) == transfer.samples
    assert sorted(found + rest) == sorted(known), "each row once, on one side or on the other"
    assert transfer.stands_for == (128, 6)
    assert transfer.taken == 0
    assert data.fingerprint != transfer.data.fingerprint


def test_real_data_are_as_many_as_samples_where_the_test_split_has_twice_as_many() -> None:
    model, data = model_of("diffusion"), data_of("diffusion")
    transfer = transfer_of(model, data)
    transfer.samples = 2
    assert len(prepare(transfer, "real_data").data.test) == 4
    assert (transfer.samples, transfer.stands_for) == (2, (2, 6))


@pytest.mark.parametrize("approach", ["real_data", "training_data"])
def test_each_seed_draws_others(approach: str) -> None:
    def of(seed: int) -> list[bytes]:
        return drawn(prepare(transfer_of(model_of("diffusion"), data_of("diffusion"), seed=seed), approach), 1)

    assert of(0) == of(0) != of(1)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_training_data_are_training_items(family: str) -> None:
    model, data = model_of(family), data_of(family)
    transfer = prepare(transfer_of(model, data), "training_data")
    found = drawn(transfer, 3)
    assert set(found) <= set(rows_as_items(model, data.train))
    assert len(set(found)) == 12, "no example again before all have been drawn"
    assert transfer.data is data
    assert transfer.stands_for is None


def test_a_text_begins_before_another_goes_on() -> None:
    """Where a text takes several rows, its first is drawn first, as samples begin where texts do."""
    model, data = language_model(context=4), data_of("causal_lm")
    rows = rows_as_items(model, data.train)
    beginnings = {rows_as_items(model, [text])[0] for text in data.train}
    assert len(beginnings) == len(data.train) == 12 < len(rows)
    transfer = prepare(transfer_of(model, data), "training_data")
    assert transfer.samples == len(rows)
    assert set(drawn(transfer, 3)) == beginnings


def test_a_single_test_item_has_no_two_parts() -> None:
    data = data_of("diffusion")
    with pytest.raises(NotApplicable, match="two parts of the test split"):
        prepare(transfer_of(model_of("diffusion"), replace(data, test=data.test[:1])), "real_data")


@pytest.mark.parametrize("approach", ["real_data", "training_data"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_real_items_claim_nothing_for_the_network(family: str, approach: str) -> None:
    model = model_of(family)
    prepare(transfer_of(model, data_of(family)), approach)
    assert not model.offers & {"network", "likelihood"}
    assert "samples" in model.offers
    assert "network" in type(model).offers, "it is this one model's lack"


@pytest.mark.parametrize("family", EXEMPLARS)
def test_full_finetuning_moves_every_weight(family: str) -> None:
    model, data = model_of(family), data_of(family)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}
    fitted(prepare(transfer_of(model, data, steps=5), "full_finetuning"))
    still = [name for name, weight in model.named_parameters() if torch.equal(weight, before[name])]
    assert still == []


def test_full_finetuning_leaves_tables_that_are_no_weights() -> None:
    """Fourier features of the time are drawn once, and made to stay."""
    model = unet(time_embedding_type="fourier")
    table = model.network.time_proj.weight
    before = table.detach().clone()
    fitted(prepare(transfer_of(model, data_of("diffusion")), "full_finetuning"))
    assert not table.requires_grad
    assert torch.equal(table, before)
