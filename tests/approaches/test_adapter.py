"""Bottlenecks behind the blocks."""

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from bench.errors import NotApplicable
from tests.metrics.doubles import NoisyPictures
from tests.models import (
    EXEMPLARS,
    data_of,
    fitted,
    language_model,
    model_of,
    outputs,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
)


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert", "bloom", "mamba", "unet"])
def test_it_starts_as_the_pretrained_model_and_changes_no_weight_of_it(kind: str) -> None:
    model: Any = unet() if kind == "unet" else language_model(kind)
    data = data_of("diffusion" if kind == "unet" else "causal_lm")
    before, said = {weight: weight.detach().clone() for weight in model.parameters()}, outputs(model, data)
    transfer = prepare(transfer_of(model, data, weight_decay=0.1, learning_rate=0.01), "adapter")
    own = {weight: weight.detach().clone() for weight in model.parameters() if weight not in before}
    assert set(transfer.trainable()) == own.keys()
    assert {name for name, weight in model.named_parameters() if weight in own} == set(transfer.stored())
    close = 1e-6  # a sum with zero lies otherwise in memory, and is multiplied in another order
    assert torch.allclose(outputs(model, data), said, rtol=0, atol=close)
    fitted(transfer)
    assert not torch.allclose(outputs(model, data), said, rtol=0, atol=close)
    assert all(torch.equal(weight, value) for weight, value in before.items())
    assert not any(torch.equal(weight, value) for weight, value in own.items())


@pytest.mark.parametrize("family", EXEMPLARS)
def test_one_behind_each_block_of_its_kind(family: str) -> None:
    """Linear layers behind a transformer's, pointwise convolutions behind a U-Net's; of the declared width."""
    model: Any = model_of(family)
    network = model.network
    text = family == "causal_lm"
    blocks = network.transformer.h if text else [*network.down_blocks, network.mid_block, *network.up_blocks]
    kind = nn.Linear if text else nn.Conv2d
    prepare(transfer_of(model, data_of(family)), "adapter", adapter={"bottleneck": 3})
    added = [block.get_submodule("adapter") for block in blocks]
    assert {type(part) for adapter in added for part in adapter.children()} == {kind}
    assert {adapter.down.weight.shape[0] for adapter in added} == {3}
    assert sum(name.endswith(".adapter") for name, _ in model.named_modules()) == len(blocks)


def test_what_an_adapter_does() -> None:
    """h + U gelu(D h + b) + c."""
    prepare(transfer_of(model := language_model(), texts()), "adapter", adapter={"bottleneck": 5})
    block = model.network.transformer.h[1]
    down, up = block.adapter.down, block.adapter.up
    with torch.no_grad():
        for weight in (up.weight, up.bias):
            weight.normal_()
    seen = dict[str, torch.Tensor]()
    block.mlp.register_forward_hook(lambda module, given, output: seen.update(mlp=output))
    block.ln_2.register_forward_pre_hook(lambda module, given: seen.update(residual=given[0]))
    model.network.transformer.h[2].register_forward_pre_hook(lambda module, given: seen.update(next=given[0]))
    outputs(model, texts())
    features = seen["mlp"] + seen["residual"]
    expected = features + F.gelu(features @ down.weight.T + down.bias) @ up.weight.T + up.bias
    assert torch.allclose(seen["next"], expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_new_end_trains_on_beside_it(family: str) -> None:
    transfer = prepare(transfer_of(model_of(family), data_of(family)), "feature_extraction + adapter")
    fresh = {weight for part in transfer.model.generating_end() for weight in part.parameters()}
    assert fresh <= set(transfer.trainable())
    assert not any(transfer.is_pretrained(weight) for weight in transfer.trainable())


def test_a_network_without_blocks_says_so() -> None:
    model = NoisyPictures()
    model.blocks = lambda: [nn.ModuleList(model.network.children())]  # type: ignore[method-assign]
    with pytest.raises(NotApplicable, match="no blocks that features pass through"):
        prepare(transfer_of(model, pictures()), "adapter")
