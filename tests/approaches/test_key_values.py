"""Two libraries that call one thing by two names understand each other."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import nn
from transformers import DynamicCache

from bench.approaches import _key_values

NAMES = pytest.mark.parametrize("name", ["cache", "past_key_values"])


class Today(nn.Module):
    """A network of transformers 5.24."""

    def forward(self, input_ids: Any = None, cache: Any = None) -> dict[str, Any]:
        return {"input_ids": input_ids, "cache": cache}


class Before(nn.Module):
    """A network of older ones."""

    def forward(self, input_ids: Any = None, past_key_values: Any = None) -> dict[str, Any]:
        return {"input_ids": input_ids, "past_key_values": past_key_values}


NETWORKS = pytest.mark.parametrize("network", [Today, Before])


def wrapped(network: nn.Module) -> Any:
    """As PEFT wraps it: with the network's own preparation of a pass to start from."""

    def prepare(ids: Any, **given: Any) -> dict[str, Any]:
        return {"input_ids": ids} | given

    found = SimpleNamespace(base_model=network, base_model_prepare_inputs_for_generation=prepare)
    _key_values.reconcile(found)
    return found


@NAMES
@NETWORKS
def test_what_is_set_under_either_name_reaches_the_network(name: str, network: type[nn.Module]) -> None:
    model, own = network(), _key_values.name_in(network.forward)
    given = wrapped(model).base_model_prepare_inputs_for_generation(torch.ones(1))
    assert given.get(name) is None
    given[name] = "kept"
    assert {**given} == {"input_ids": given["input_ids"], own: "kept"}, "under the one name that it takes"
    assert model(**{name: "kept"})[own] == "kept", "in a plain pass too"


@NAMES
@NETWORKS
def test_what_generation_has_is_read_under_either_name(name: str, network: type[nn.Module]) -> None:
    own = _key_values.name_in(network.forward)
    given = wrapped(network()).base_model_prepare_inputs_for_generation(torch.ones(1), **{own: "kept"})
    assert name in given
    assert given[name] == given.get(name) == "kept"
    given[name] = "other"
    assert {**given}[own] == "other"
    assert given.pop(name) == "other"
    assert "cache" not in given
    assert "past_key_values" not in given


def test_a_name_that_stands_for_nothing_hides_no_cache() -> None:
    model = Today()
    wrapped(model)
    assert model(cache="kept", past_key_values=None)["cache"] == "kept"
    assert model(past_key_values=None, cache="kept")["cache"] == "kept"


@NAMES
def test_what_a_network_has_kept(name: str) -> None:
    kept = DynamicCache()
    assert _key_values.kept({"logits": 0, name: kept}) is kept
    assert _key_values.kept({"logits": 0}) is None
