"""Frozen features, a new end."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from bench.model import Model
from bench.transfer import Transfer
from tests.models import data_of, fitted, language_model, prepare, transfer_of, unet

MODELS: dict[str, Callable[[], Model]] = {
    "tied": language_model,
    "untied": lambda: language_model(sizes={"tie_word_embeddings": False}),
    "llama": lambda: language_model("llama"),
    "unet": unet,
}
ENDS = {"tied": ("network.lm_head",), "unet": ("network.up_blocks", "network.conv_norm_out", "network.conv_out")}


def trained(model: Model) -> tuple[dict[nn.Parameter, Tensor], set[str], Transfer]:
    """The pretrained parameters with their values, the names of those at the generating end, and what came of it."""
    before = {parameter: parameter.detach().clone() for parameter in model.parameters()}
    ends = {id(module) for part in model.generating_end() for module in part.modules()}
    end = {
        f"{name}.{leaf}"
        for name, module in model.named_modules()
        if id(module) in ends
        for leaf, _ in module.named_parameters(recurse=False)
    }
    data = data_of(model_family(model))
    return before, end, fitted(prepare(transfer_of(model, data, weight_decay=0.1), "feature_extraction"))


def model_family(model: Model) -> str:
    return "diffusion" if model.modality == "image" else "causal_lm"


@pytest.mark.parametrize("kind", MODELS)
def test_features_stay_and_the_end_is_new(kind: str) -> None:
    before, end, transfer = trained(MODELS[kind]())
    names = dict(transfer.model.named_parameters())
    assert {name for name, parameter in names.items() if parameter.requires_grad} == end
    for name, parameter in names.items():
        if name in end:
            assert parameter not in before, "no parameter of the pretrained model"
            assert not any(torch.equal(parameter, value) for value in before.values())
        else:
            assert torch.equal(parameter, before[parameter]), f"{name} has moved"
    assert all(torch.equal(parameter, value) for parameter, value in before.items())
    assert set(transfer.stored()) == end


def test_the_embeddings_do_not_move_with_a_head_they_were_tied_to() -> None:
    model = language_model()
    embeddings, head = model.network.get_input_embeddings(), model.network.get_output_embeddings()
    assert embeddings.weight is head.weight
    before = embeddings.weight.detach().clone()
    fitted(prepare(transfer_of(model, data_of("causal_lm"), learning_rate=0.1), "feature_extraction"))
    assert embeddings.weight is not head.weight
    assert torch.equal(embeddings.weight, before)
    assert not torch.equal(head.weight, before)


def test_the_new_end_starts_as_a_fresh_model_does() -> None:
    """Large or small as the architecture initialises it, and other numbers for another seed."""
    heads = []
    for seed in (0, 1):
        model = language_model()
        prepare(transfer_of(model, data_of("causal_lm"), seed=seed), "feature_extraction")
        heads.append(model.network.get_output_embeddings().weight)
    assert not torch.equal(*heads)
    wanted = model.network.config.initializer_range
    assert float(heads[0].detach().std()) == pytest.approx(wanted, rel=0.1)


@pytest.mark.parametrize("kind", ["tied", "unet"])
def test_what_was_added_before_is_no_part_of_the_new_end_and_trains_on(kind: str) -> None:
    model = MODELS[kind]()
    transfer = prepare(transfer_of(model, data_of(model_family(model))), "lora + feature_extraction")
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    fresh = {name for name in trained if ".lora_" not in name}
    assert trained - fresh
    assert fresh == {
        name for name, _ in model.named_parameters() if name.startswith(ENDS[kind]) and ".lora_" not in name
    }
    assert not any(transfer.is_pretrained(weight) for weight in transfer.trainable())
