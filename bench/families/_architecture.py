"""Finds the parts of a language model from its architecture, not from a list of names."""

from typing import Any

import torch
from torch import nn

from bench.errors import NotApplicable


def layers(network: Any) -> tuple[str, nn.ModuleList]:
    """Name and list of the repeated layers: the first list as long as the configuration says the model is deep."""
    depth = network.config.get_text_config().num_hidden_layers
    for name, module in network.named_modules():
        if isinstance(module, nn.ModuleList) and len(module) == depth:
            return name, module
    raise NotApplicable(f"no list of {depth} layers found in {type(network).__name__}")


def blocks(network: Any, token: int) -> list[nn.Module]:
    """What comes before the layers, each layer, and what comes after them: together, every weight of the network.

    Args:
        network: a causal language model of transformers.
        token: any token id, to see in which order the parts are called.
    """
    _, repeated = layers(network)
    inside = {id(part) for layer in repeated for part in layer.modules()}
    called = _call_order(network, token)
    before, after = nn.ModuleList(), nn.ModuleList()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and id(module) not in inside:
            late = called.get(id(module), 0) > called[id(repeated[0])]
            (after if late else before).append(nn.ParameterList(own) if any(module.children()) else module)
    return [before, *repeated, after]


@torch.no_grad()
def _call_order(network: Any, token: int) -> dict[int, int]:
    """Identity of each module to its place in the order of first calls.

    Neither names nor the order in which a class lists its parts tell what comes before the layers and what after.
    """
    order: dict[int, int] = {}

    def note(module: nn.Module, _: Any) -> None:
        order.setdefault(id(module), len(order))

    hooks = [module.register_forward_pre_hook(note) for module in network.modules()]
    training = network.training
    try:
        network.eval()(input_ids=torch.tensor([[token]], device=next(network.parameters()).device), use_cache=False)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return order
