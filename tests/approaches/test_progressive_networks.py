"""A frozen column, a new one, and laterals from one to the other."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench import plugins
from bench.approaches import _key_values
from bench.approaches._blocks import called
from bench.model import Model
from bench.transfer import Transfer
from tests.models import (
    ARCHITECTURES,
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
    weights,
)


def beside(pretrained: Model, **budget: Any) -> Transfer:
    of_its_kind = {plugins.find("families", name).constants["MODALITY"]: name for name in ("causal_lm", *EXEMPLARS)}
    data = data_of(of_its_kind[pretrained.modality])
    return prepare(transfer_of(pretrained, data, **budget), "progressive_networks")


def laterals(model: Model) -> dict[str, Any]:
    return {name: part for name, part in model.named_modules() if name.rpartition(".")[2].startswith("lateral_")}


@torch.no_grad()
def connected(model: Model) -> Model:
    """With laterals that pass something on."""
    for part in laterals(model).values():
        torch.nn.init.normal_(part.out.weight, std=0.5)
    return model


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_frozen_column_stays_and_the_new_one_and_its_laterals_learn(family: str) -> None:
    pretrained = model_of(family)
    before = weights(pretrained)
    transfer = beside(pretrained, learning_rate=0.01, steps=6)
    start = weights(transfer.model)
    fitted(transfer)
    assert same(weights(pretrained), before)
    assert not pretrained.training
    end = weights(transfer.model)
    learned = [part.out.weight for part in laterals(transfer.model).values()]
    assert all(weight.any() for weight in learned)
    assert not any(torch.equal(start[name], end[name]) for name in start if name.endswith("hidden.weight"))
    assert sum(not torch.equal(start[name], end[name]) for name in start) > 0.9 * len(start)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_new_column_and_its_laterals_are_stored_and_the_frozen_one_is_not(family: str) -> None:
    pretrained = model_of(family)
    transfer = beside(pretrained)
    assert set(transfer.stored()) == {name for name, _ in transfer.model.named_parameters()}
    frozen = {id(parameter) for parameter in pretrained.parameters()}
    assert frozen.isdisjoint(id(parameter) for parameter in transfer.model.parameters())
    added = {name for name in transfer.stored() if ".lateral_" in name}
    assert {name.removeprefix("network.") for name in transfer.stored()} - {
        name.removeprefix("network.") for name in added
    } == {name for name, _ in pretrained.network.named_parameters()}


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_starts_as_a_fresh_model(family: str) -> None:
    """Its laterals are zero, so nothing is heard of the frozen column."""
    pretrained, data = model_of(family), data_of(family)
    torch.manual_seed(5)
    fresh = pretrained.fresh()
    transfer = transfer_of(pretrained, data, seed=5)
    prepare(transfer, "progressive_networks")
    assert torch.equal(outputs(transfer.model, data), outputs(fresh, data))


@pytest.mark.parametrize("family", EXEMPLARS)
def test_there_is_a_lateral_from_each_frozen_block_into_the_next_new_one(family: str) -> None:
    """Whatever one of them passes on is heard, and what the frozen network knows is what is heard."""
    pretrained, data = model_of(family), data_of(family)
    model = beside(pretrained).model
    found = laterals(model)
    assert len(found) == len(called(model)) + 1
    silent = outputs(model, data)
    for part in found.values():
        torch.nn.init.normal_(part.out.weight)
        heard = outputs(model, data)
        assert not torch.allclose(heard, silent)
        torch.nn.init.zeros_(part.out.weight)
    assert torch.equal(outputs(model, data), silent)
    connected(model)
    heard = outputs(model, data)
    pretrained.load_state_dict({name: value + 0.1 for name, value in weights(pretrained).items()})
    assert not torch.allclose(outputs(model, data), heard)


def test_what_a_lateral_adds() -> None:
    """U relu(V αh) of what the frozen block hands on, to what the new block hands on, for every token alike."""
    pretrained = language_model()
    model = connected(beside(pretrained).model).eval()
    network: Any = model.network
    handed: dict[str, Tensor] = {}
    given: list[Tensor] = []
    pretrained.network.transformer.h[1].register_forward_hook(lambda *seen: handed.update(frozen=seen[2]))
    block = network.transformer.h[1]
    lateral = block.lateral_2
    block.mlp.register_forward_hook(lambda *seen: handed.update(mlp=seen[2]))
    block.ln_2.register_forward_pre_hook(lambda *seen: handed.update(residual=seen[1][0]))
    network.transformer.h[2].register_forward_pre_hook(lambda _, inputs: given.append(inputs[0]))
    with torch.no_grad():
        lateral.scale.fill_(0.7)
        model(batch_of(model, texts()))
        hidden = torch.relu(0.7 * handed["frozen"] @ lateral.hidden.weight.T)
        expected = handed["residual"] + handed["mlp"] + hidden @ lateral.out.weight.T
    torch.testing.assert_close(given[0], expected)


def test_the_frozen_column_drops_nothing_out_in_training() -> None:
    pretrained = language_model(sizes={"resid_pdrop": 0.5})
    seen = list[Tensor]()
    transfer = beside(pretrained)
    pretrained.network.register_forward_hook(lambda *passed: seen.append(passed[2].logits))
    transfer.model.train()
    batch = batch_of(transfer.model, texts())
    one, other = transfer.model(batch), transfer.model(batch)
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(one, other)
    assert not seen[0].requires_grad


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_text_is_generated_as_a_plain_pass_would(kind: str) -> None:
    """With a key-value cache, for both columns, and without."""
    network: Any = connected(beside(language_model(kind)).model).eval().network
    prompt = torch.tensor([[5, 6, 7], [8, 9, 10]])
    common = {"attention_mask": torch.ones_like(prompt), "do_sample": False, "max_new_tokens": 6, "min_new_tokens": 6}
    scores = {"output_logits": True, "return_dict_in_generate": True}
    cached = network.generate(prompt, use_cache=True, **common, **scores)
    plain = network.generate(prompt, use_cache=False, **common, **scores)
    assert torch.equal(cached.sequences, plain.sequences)
    with torch.no_grad():
        whole = network(input_ids=cached.sequences[:, :-1], use_cache=False).logits[:, 2:]
    torch.testing.assert_close(torch.stack(cached.logits, 1), whole, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(torch.stack(plain.logits, 1), whole, rtol=1e-3, atol=1e-4)


def test_a_cache_that_the_network_made_itself_has_a_twin_too() -> None:
    network = connected(beside(language_model()).model).eval().network
    ids = torch.tensor([[5, 6, 7, 8, 9]])
    with torch.no_grad():
        first = network(input_ids=ids[:, :3], use_cache=True)
        read = {_key_values.name_in(network.forward): _key_values.kept(first)}
        second = network(input_ids=ids[:, 3:], **read, use_cache=True)
        whole = network(input_ids=ids, use_cache=False).logits
    torch.testing.assert_close(torch.cat([first.logits, second.logits], 1), whole, rtol=1e-3, atol=1e-4)


def test_several_texts_at_once_have_a_cache_each() -> None:
    """What is generated does not depend on what was generated before."""
    model = connected(beside(language_model()).model).eval()
    batch = batch_of(model, texts())
    drawn = [model.sample(batch, torch.Generator().manual_seed(3))["input_ids"] for _ in range(2)]
    assert torch.equal(*drawn)
