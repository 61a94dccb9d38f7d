"""The last block trains, and nothing else moves."""

import pytest
import torch

from bench.model import Model
from tests.models import data_of, fitted, language_model, outputs, prepare, transfer_of, unet

HEADS = {
    "gpt2": {"transformer.ln_f.weight", "transformer.ln_f.bias", "lm_head.weight"},
    "llama": {"model.norm.weight", "lm_head.weight"},
    "unet": {"conv_norm_out.weight", "conv_norm_out.bias", "conv_out.weight", "conv_out.bias"},
}
TIED = ["bart", "bert", "bloom", "gemma2", "gpt2", "mamba", "mpt", "opt", "qwen3"]


def known(kind: str) -> tuple[Model, str]:
    """A model and its family."""
    return (unet(), "diffusion") if kind == "unet" else (language_model(kind), "causal_lm")


@pytest.mark.parametrize("kind", HEADS)
def test_only_the_last_block_moves(kind: str) -> None:
    model, family = known(kind)
    before = {name: weight.detach().clone() for name, weight in model.network.named_parameters(remove_duplicate=False)}
    transfer = fitted(prepare(transfer_of(model, data_of(family), weight_decay=0.1), "head_only"))
    after = dict(model.network.named_parameters())
    assert {name for name, weight in after.items() if weight.requires_grad} == HEADS[kind]
    assert {name for name, weight in after.items() if not torch.equal(weight, before[name])} == HEADS[kind]
    assert {name.removeprefix("network.") for name in transfer.stored()} == HEADS[kind]


@pytest.mark.parametrize("kind", HEADS)
def test_it_starts_as_the_pretrained_model(kind: str) -> None:
    model, family = known(kind)
    data = data_of(family)
    expected = outputs(model, data)
    assert torch.equal(outputs(prepare(transfer_of(model, data), "head_only").model, data), expected)


@pytest.mark.parametrize("kind", TIED)
def test_embeddings_do_not_move_with_a_head_they_were_tied_to(kind: str) -> None:
    model = language_model(kind)
    embeddings, head = model.network.get_input_embeddings(), model.network.get_output_embeddings()
    before = embeddings.weight.detach().clone()
    assert head.weight is embeddings.weight
    fitted(prepare(transfer_of(model, data_of("causal_lm"), learning_rate=0.1), "head_only"))
    assert torch.equal(embeddings.weight, before)
    assert not embeddings.weight.requires_grad
    assert not torch.equal(head.weight, before)


def test_what_is_shared_within_the_head_stays_shared() -> None:
    """The bias of BERT's head is known under two names; one of them is in a module that has parts of its own."""
    model = language_model("bert")
    fitted(prepare(transfer_of(model, data_of("causal_lm")), "head_only"))
    predictions = model.network.cls.predictions
    assert predictions.bias is predictions.decoder.bias
    assert predictions.bias.requires_grad


def test_a_head_that_shares_nothing_keeps_its_parameters() -> None:
    model = language_model("llama")
    head = model.network.get_output_embeddings().weight
    transfer = prepare(transfer_of(model, data_of("causal_lm")), "head_only")
    assert model.network.get_output_embeddings().weight is head
    assert all(transfer.is_pretrained(weight) for weight in transfer.trainable())


@pytest.mark.parametrize("kind", ["gpt2", "unet"])
def test_a_student_s_head(kind: str) -> None:
    """No weight of a student is the pretrained model's; they are its own nevertheless."""
    model, family = known(kind)
    transfer = prepare(transfer_of(model, data_of(family)), "distillation + head_only")
    trained = {id(weight) for weight in transfer.trainable()}
    assert trained == {id(weight) for weight in transfer.model.blocks()[-1].parameters()}
