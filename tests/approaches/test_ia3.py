"""Keys, values and feed-forward activations times learned vectors."""

from typing import Any

import pytest
import torch

from bench.errors import NotApplicable
from tests.models import data_of, fitted, language_model, outputs, pictures, prepare, texts, transfer_of, unet

NO_ATTENTION: dict[str, Any] = {
    "down_block_types": ("DownBlock2D", "DownBlock2D"),
    "up_block_types": ("UpBlock2D", "UpBlock2D"),
    "add_attention": False,
}


def scaled(model: Any) -> tuple[set[str], set[str]]:
    """Names, without the numbers of their blocks, of layers whose outputs and whose inputs are scaled."""
    found: tuple[set[str], set[str]] = set(), set()
    for name, module in model.network.named_modules():
        if hasattr(module, "ia3_l"):
            found[module.is_feedforward].add(".".join(p for p in name.split(".")[1:] if not p.isdecimal()))
    return found


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "opt", "unet", "no attention"])
def test_it_starts_as_the_pretrained_model_and_changes_no_weight_of_it(kind: str) -> None:
    plain = NO_ATTENTION if kind == "no attention" else {}
    model: Any = unet(**plain) if kind in ("unet", "no attention") else language_model(kind)
    data = data_of("diffusion" if model.modality == "image" else "causal_lm")
    before, said = {weight: weight.detach().clone() for weight in model.parameters()}, outputs(model, data)
    transfer = prepare(transfer_of(model, data, weight_decay=0.1, learning_rate=0.01), "ia3")
    own = {weight for weight in model.parameters() if weight not in before}
    assert own == set(transfer.trainable())
    assert all(bool((weight == 1).all()) for weight in own)
    assert torch.equal(outputs(model, data), said)
    fitted(transfer)
    assert not torch.equal(outputs(model, data), said)
    assert all(torch.equal(weight, value) for weight, value in before.items())
    assert not any(bool((weight == 1).all()) for weight in own)


@pytest.mark.parametrize(
    ("kind", "outside", "inside"),
    [
        ("gpt2", {"h.attn.c_attn"}, {"h.mlp.c_proj"}),
        ("llama", {"layers.self_attn.k_proj", "layers.self_attn.v_proj"}, {"layers.mlp.down_proj"}),
        ("bert", {f"encoder.layer.attention.self.{part}" for part in ("key", "value")}, {"encoder.layer.output.dense"}),
        ("opt", {"decoder.layers.self_attn.k_proj", "decoder.layers.self_attn.v_proj"}, {"decoder.layers.fc2"}),
        ("gpt_neox", {"layers.attention.query_key_value"}, {"layers.mlp.dense_4h_to_h"}),
        ("mpt", {"blocks.attn.Wqkv"}, {"blocks.ffn.down_proj"}),
        ("mixtral", {"layers.self_attn.k_proj", "layers.self_attn.v_proj"}, set()),
    ],
)  # fmt: skip
def test_keys_values_and_what_goes_into_the_last_feed_forward_layer(
    kind: str, outside: set[str], inside: set[str]
) -> None:
    prepare(transfer_of(model := language_model(kind), texts()), "ia3")
    found = scaled(model)
    assert found == (outside, inside)


def test_a_u_net_scales_keys_values_and_what_its_residual_layers_bend() -> None:
    prepare(transfer_of(model := unet(), pictures()), "ia3")
    assert scaled(model) == (
        {"attentions.to_k", "attentions.to_v"},
        {"resnets.conv2"},
    )
    prepare(transfer_of(model := unet(**NO_ATTENTION), pictures()), "ia3")
    assert scaled(model) == (set(), {"resnets.conv2"})


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_the_vectors_do(kind: str) -> None:
    """Outputs are multiplied behind a layer, inputs before it: (l ⊙ Wx) and W(l ⊙ x)."""
    prepare(transfer_of(model := language_model(kind), texts()), "ia3")
    layers = [module for module in model.network.modules() if hasattr(module, "ia3_l")]
    assert {layer.is_feedforward for layer in layers} == {True, False}
    for layer in layers:
        vector = layer.ia3_l["default"]
        with torch.no_grad():
            vector.uniform_(0.5, 2)
            width = vector.numel() if layer.is_feedforward else 16
            given, scale = torch.randn(3, width), vector.flatten()
            base = layer.base_layer
            expected = base(given * scale) if layer.is_feedforward else base(given) * scale
            assert torch.allclose(layer(given), expected)


def test_a_network_without_keys_or_feed_forward_parts_says_so() -> None:
    with pytest.raises(NotApplicable, match="MambaForCausalLM has no keys, values or feed-forward parts to scale"):
        prepare(transfer_of(language_model("mamba"), texts()), "ia3")
