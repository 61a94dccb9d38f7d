"""What needs no training, or no pretraining."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from bench.model import Model
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


@pytest.mark.parametrize("family", EXEMPLARS)
def test_real_data_are_training_items(family: str) -> None:
    model, data = model_of(family), data_of(family)
    transfer = fitted(prepare(transfer_of(model, data), "real_data"))
    rows = model.encode(data.train)
    train = model.decode(rows | {"item": torch.arange(len(rows["item"]))})
    generator, drawn = torch.Generator().manual_seed(0), []
    for _ in range(3):
        drawn += list(model.decode(transfer.model.sample(batch_of(model, data), generator)))
    known = {np.asarray(item).tobytes() for item in train}
    assert {np.asarray(item).tobytes() for item in drawn} <= known
    assert len({np.asarray(item).tobytes() for item in drawn}) == 12, "no example again before all have been drawn"
    assert transfer.taken == 0


@pytest.mark.parametrize("family", EXEMPLARS)
def test_real_data_claim_nothing_for_the_network(family: str) -> None:
    model = model_of(family)
    prepare(transfer_of(model, data_of(family)), "real_data")
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
