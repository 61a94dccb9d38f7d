"""Finds the parts of a language model from its architecture, not from a list of names."""

from collections import Counter
from typing import Any

import torch
from torch import nn

from bench.errors import NotApplicable
from bench.families._errors import one_line


def layers(network: Any, token: int) -> tuple[str, nn.ModuleList]:
    """Name and list of the repeated layers: of the lists that a pass goes through, and that are not part of another
    list, the one with the most weights.

    Args:
        network: a causal language model of transformers.
        token: any token id, to see which parts are called.
    """
    called, found = _call_order(network, token), dict[str, nn.ModuleList]()
    for name, module in network.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.ModuleList) and not inside and any(id(part) in called for part in module):
            found[name] = module
    if not found:
        raise NotApplicable(f"no list of layers found in {type(network).__name__}")
    return max(found.items(), key=lambda pair: sum(parameter.numel() for parameter in pair[1].parameters()))


def blocks(network: Any, token: int) -> list[nn.Module]:
    """What comes before the layers, each layer, and what comes after them: together, every weight of the network."""
    _, repeated = layers(network, token)
    inside = {id(part) for layer in repeated for part in layer.modules()}
    called = _call_order(network, token)
    first = min(called[id(layer)] for layer in repeated if id(layer) in called)
    before, after = nn.ModuleList(), nn.ModuleList()
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and id(module) not in inside:
            part = nn.ParameterList(own) if any(True for _ in module.children()) else module
            (after if called.get(id(module), 0) > first else before).append(part)
    return [before, *repeated, after]


def looks_ahead(network: Any, token: int) -> bool:
    """Whether what the network says of a token depends on that token: such a network is no causal language model."""
    last = network.config.get_text_config().vocab_size - 1
    ids = torch.tensor([[token, last, last], [token, last, last - 1]], device=next(network.parameters()).device)
    with torch.no_grad():
        one, other = network.eval()(input_ids=ids, use_cache=False).logits[:, :2].float()
    return not torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def halve(network: Any, token: int) -> None:
    """Keep every other layer of each kind, and all that is not a layer; the configuration and the cache follow."""
    name, repeated = layers(network, token)
    config, depth = network.config.get_text_config(), len(repeated)
    lists = {  # such as layer_types, which says of each layer what it is
        attribute: value
        for attribute, value in vars(config).items()
        if isinstance(value, list | tuple) and len(value) == depth
    }
    kept = _every_other([_kind(layer, [value[i] for value in lists.values()]) for i, layer in enumerate(repeated)])
    if len(kept) == depth:
        raise NotApplicable(f"a model of {depth} layer{'s' * (depth > 1)} has no smaller student")
    for new, old in enumerate(kept):
        for part in repeated[old].modules():  # each layer finds its place in the key-value cache by its index
            for attribute, value in vars(part).items():
                if "layer" in attribute and type(value) is int and value == old:
                    setattr(part, attribute, new)
    for attribute, value in lists.items():
        setattr(config, attribute, [value[i] for i in kept])
    network.set_submodule(name, nn.ModuleList(repeated[i] for i in kept))
    try:
        config.num_hidden_layers = len(kept)
        start = torch.tensor([[token]], device=next(network.parameters()).device)
        network.eval().generate(start, attention_mask=torch.ones_like(start), max_new_tokens=2, do_sample=False)
    except Exception as error:  # whatever an architecture says when its layers do not stand each on its own
        said = f"{type(network).__name__} does not run with every other layer left out: {one_line(error)}"
        raise NotApplicable(said) from error


def _kind(layer: nn.Module, described: list[Any]) -> str:
    """What layers of one kind have in common: the shapes of their weights, and what the configuration says of them."""
    return repr(([(name, tuple(weight.shape)) for name, weight in layer.named_parameters()], described))


def _every_other(kinds: list[str]) -> list[int]:
    """Indices of every other item of each kind, or of every other item where no kind comes twice."""
    seen, kept = Counter[str](), []
    for index, kind in enumerate(kinds):
        if seen[kind] % 2 == 0:
            kept.append(index)
        seen[kind] += 1
    return kept if len(kept) < len(kinds) else list(range(0, len(kinds), 2))


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
