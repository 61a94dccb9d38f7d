"""A magnitude that trains, times a direction that gets a low-rank update."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import PluginError
from bench.transfer import Transfer
from tests.models import EXEMPLARS, data_of, fitted, language_model, model_of, outputs, prepare, texts, transfer_of


def with_dora(model: Any, family: str, **options: Any) -> Transfer:
    return prepare(transfer_of(model, data_of(family), weight_decay=0.1, learning_rate=0.01), "dora", dora=options)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_starts_as_the_pretrained_model_and_changes_no_weight_of_it(family: str) -> None:
    model, data = model_of(family), data_of(family)
    before, said = {weight: weight.detach().clone() for weight in model.parameters()}, outputs(model, data)
    transfer = with_dora(model, family)
    assert torch.allclose(outputs(model, data), said, rtol=1e-4, atol=1e-6)
    fitted(transfer)
    assert not torch.allclose(outputs(model, data), said, rtol=1e-4, atol=1e-6)
    assert all(torch.equal(weight, value) for weight, value in before.items())
    own = {name for name, weight in model.named_parameters() if weight not in before}
    assert own == {name for name, weight in model.named_parameters() if weight.requires_grad}
    assert {name.split(".lora_")[1].partition(".")[0] for name in own} == {"A", "B", "magnitude_vector"}


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_a_layer_is_its_magnitude_times_a_direction(kind: str) -> None:
    """W' = m (W + BA) / ‖W + BA‖, the norm being taken over the inputs of each output."""
    model = language_model(kind)
    transfer = with_dora(model, "causal_lm", rank=2, alpha=6.0)
    layer = next(module for module in model.network.modules() if hasattr(module, "lora_magnitude_vector"))
    weight: Tensor = layer.base_layer.weight.detach()
    weight = weight.T if kind == "gpt2" else weight
    magnitude = layer.lora_magnitude_vector["default"].weight
    assert torch.allclose(magnitude.detach(), weight.norm(dim=1), rtol=1e-5)
    fitted(transfer)
    assert not torch.allclose(magnitude.detach(), weight.norm(dim=1), rtol=1e-5)

    down, up = layer.lora_A["default"].weight.detach(), layer.lora_B["default"].weight.detach()
    adapted = weight + 6 / 2 * up @ down
    expected = magnitude.detach()[:, None] * adapted / adapted.norm(dim=1, keepdim=True)
    given = torch.randn(3, weight.shape[1])
    with torch.no_grad():
        bias = 0 if layer.base_layer.bias is None else layer.base_layer.bias
        assert torch.allclose(layer(given), given @ expected.T + bias, rtol=1e-4, atol=1e-6)


def test_layers_are_chosen_by_name() -> None:
    with_dora(model := language_model(), "causal_lm", layers=["h.1", "mlp.c_fc"])
    adapted = {name for name, module in model.network.named_modules() if hasattr(module, "lora_magnitude_vector")}
    assert adapted == {
        *(f"transformer.h.{layer}.mlp.c_fc" for layer in range(4)),
        *(f"transformer.h.1.{part}" for part in ("attn.c_attn", "attn.c_proj", "mlp.c_proj")),
    }
    with pytest.raises(
        PluginError, match=r"^approach dora: option 'layers': 'c_fx' will not do; did you mean 'c_fc'\?"
    ):
        prepare(transfer_of(language_model(), texts()), "dora", dora={"layers": ["mlp", "c_fx"]})
