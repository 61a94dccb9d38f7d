"""Biases and norms move; an image model's blocks also learn to scale what they hand on."""

import pytest
import torch
from torch import nn

from bench.errors import NotApplicable
from bench.transfer import Transfer
from tests.metrics.doubles import NoisyPictures
from tests.models import data_of, fitted, language_model, outputs, pictures, prepare, texts, transfer_of, unet


def bitfitted(kind: str) -> tuple[Transfer, dict[str, torch.Tensor]]:
    """A trained transfer, and its weights before any approach."""
    model, family = (unet(), "diffusion") if kind == "unet" else (language_model(kind), "causal_lm")
    before = {name: weight.detach().clone() for name, weight in model.network.named_parameters()}
    transfer = transfer_of(model, data_of(family), weight_decay=0.1, learning_rate=0.01)
    return fitted(prepare(transfer, "bitfit")), before


@pytest.mark.parametrize("kind", ["gpt2", "bloom", "bert", "gpt_oss", "mamba", "unet"])
def test_biases_and_norms_move_and_nothing_else(kind: str) -> None:
    transfer, before = bitfitted(kind)
    network = transfer.model.network
    around = {name: type(network.get_submodule(name.rpartition(".")[0])).__name__ for name in before}
    wanted = {name for name in before if name.endswith("bias") or "Norm" in around[name]}
    assert {name.endswith("bias") for name in wanted} == {True, False}
    assert {name for name in before if network.get_parameter(name).requires_grad} == wanted
    moved = {name for name in before if not torch.equal(network.get_parameter(name), before[name])}
    assert moved <= wanted
    assert {name.endswith("bias") for name in moved} == {True, False}
    added = {name for name, _ in network.named_parameters()} - before.keys()
    assert {name.removeprefix("network.") for name in transfer.stored()} == wanted | added


def test_a_network_without_biases_trains_its_norms() -> None:
    transfer, _ = bitfitted("llama")
    names = {name for name, weight in transfer.model.named_parameters() if weight.requires_grad}
    assert {name.rpartition(".")[0].rpartition(".")[2] for name in names} == {
        "input_layernorm",
        "post_attention_layernorm",
        "norm",
    }


def test_a_network_with_neither_says_so() -> None:
    model = NoisyPictures()
    model.network = nn.Sequential(nn.Conv2d(1, 1, 1, bias=False))
    with pytest.raises(NotApplicable, match="neither biases nor norms"):
        prepare(transfer_of(model, pictures()), "bitfit")


def test_each_block_of_an_image_model_scales_what_it_hands_on() -> None:
    model = unet()
    expected = outputs(model, pictures())
    transfer = prepare(transfer_of(model, pictures(), learning_rate=0.01), "bitfit")
    blocks = [*model.network.down_blocks, model.network.mid_block, *model.network.up_blocks]
    scales = [block.get_parameter("output_scale") for block in blocks]
    assert sum("output_scale" in name for name in transfer.stored()) == len(scales)
    assert [scale.item() for scale in scales] == [1.0] * len(scales)
    assert torch.equal(outputs(model, pictures()), expected), "it starts as the pretrained model"

    handed = list[torch.Tensor]()
    model.network.conv_norm_out.register_forward_pre_hook(lambda norm, given: handed.append(given[0]))
    outputs(model, pictures())
    with torch.no_grad():
        scales[-1].fill_(3)
    outputs(model, pictures())
    with torch.no_grad():
        scales[-1].fill_(1)
    assert torch.allclose(handed[1], 3 * handed[0])

    fitted(transfer)
    assert all(scale.item() != 1 for scale in scales)


def test_a_language_model_has_no_scales() -> None:
    transfer = prepare(transfer_of(language_model(), texts()), "bitfit")
    assert all(transfer.is_pretrained(weight) for weight in transfer.model.parameters())


@pytest.mark.parametrize("make", [language_model, unet])
def test_a_new_end_trains_on_beside_it(make: type) -> None:
    model = make()
    data = data_of("diffusion" if model.modality == "image" else "causal_lm")
    transfer = prepare(transfer_of(model, data), "feature_extraction + bitfit")
    end = {weight for part in model.generating_end() for weight in part.parameters()}
    assert end <= set(transfer.trainable())
    rest = [n for n, w in model.network.named_parameters() if w.requires_grad and w not in end and "norm" not in n]
    assert rest
    assert all(name.endswith(("bias", "output_scale")) or "ln_" in name for name in rest)
