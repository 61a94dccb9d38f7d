"""Finds the parts of a language model from its architecture, not from a list of names."""

from collections import Counter
from typing import Any

import torch
from torch import nn

from bench.errors import Incompatible, NotApplicable
from bench.families._errors import one_line


def stacks(network: Any, token: int) -> list[tuple[str, nn.ModuleList]]:
    """Name and list of the repeated layers: of the encoder, where there is one, and of the decoder. Of the lists that
    a pass goes through, and that are not part of another list, each is the one with the most weights.

    Args:
        network: a causal, masked or sequence-to-sequence language model of transformers.
        token: any token id, to see which parts are called.
    """
    called, found = _call_order(network, token), dict[str, nn.ModuleList]()
    for name, module in network.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in found)
        if isinstance(module, nn.ModuleList) and not inside and any(id(part) in called for part in module):
            found[name] = module
    if not found:
        raise NotApplicable(f"no list of layers found in {type(network).__name__}")
    encoder = {id(part) for part in network.get_encoder().modules()} if reads_a_source(network) else set()
    sides = [[pair for pair in found.items() if (id(pair[1]) in encoder) is side] for side in (True, False)]
    return [max(lists, key=lambda pair: sum(w.numel() for w in pair[1].parameters())) for lists in sides if lists]


def reads_a_source(network: Any) -> bool:
    """Whether a network has an encoder for one text and a decoder for another."""
    return bool(getattr(network.config, "is_encoder_decoder", False))


def blocks(network: Any, token: int) -> list[nn.Module]:
    """What comes before the layers, each layer, and what comes after them: together, every weight of the network.

    What comes between the layers of an encoder and those of a decoder is a block of its own, where it has weights.
    """
    repeated = [layers for _, layers in stacks(network, token)]
    inside = {id(part) for layers in repeated for part in layers.modules()}
    called = _call_order(network, token)
    begins = [min(called[id(layer)] for layer in layers if id(layer) in called) for layers in repeated]
    around = [nn.ModuleList() for _ in (None, *repeated)]
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and id(module) not in inside:
            part = nn.ParameterList(own) if any(True for _ in module.children()) else module
            around[sum(called.get(id(module), 0) > begin for begin in begins)].append(part)
    found: list[nn.Module] = [around[0]]
    for layers, then in zip(repeated, around[1:], strict=True):
        found += [*layers, *[then] * (then is around[-1] or len(then) > 0)]
    return found


def looks_ahead(network: Any, token: int) -> bool:
    """Whether what the network says of a token depends on that token: such a network is no causal language model."""
    last = _config(network, "decoder").vocab_size - 1
    ids = torch.tensor([[token, last, last], [token, last, last - 1]], device=next(network.parameters()).device)
    with torch.no_grad():
        one, other = network.eval()(**_given(network, ids), use_cache=False).logits[:, :2].float()
    return not torch.allclose(one, other, rtol=1e-3, atol=1e-4 * float(one.abs().max()))


def _config(network: Any, side: str) -> Any:
    """What the network's configuration says of its ``encoder`` or ``decoder``; of all of it where it does not part."""
    config = network.config
    return getattr(config, side, config) if reads_a_source(network) else config.get_text_config()


def _given(network: Any, ids: torch.Tensor) -> dict[str, torch.Tensor]:
    """What a pass takes to predict from ``ids``; a source, where it reads one, begins as the first row does."""
    source = {"input_ids": ids[:1, :1].expand(len(ids), -1), "decoder_input_ids": ids}
    return source if reads_a_source(network) else {"input_ids": ids}


def positions(network: Any) -> int:
    """How many places a row can have; very many where nothing limits them."""
    config = network.config.get_text_config()
    said = (getattr(config, name, None) for name in ("max_position_embeddings", "max_seq_len"))
    known = next((limit for limit in said if limit), 0)
    for name, module in network.named_modules():  # as in RoBERTa, where places are counted from that of padding
        if name.endswith("position_embeddings") and getattr(module, "padding_idx", None) is not None:
            known -= module.padding_idx + 1
    return int(known) if known > 0 else 2**31


def halve(network: Any, token: int) -> None:
    """Keep every other layer of each kind, and all that is not a layer; the configuration and the cache follow."""
    repeated = stacks(network, token)
    sides = zip(("encoder", "decoder")[-len(repeated) :], repeated, strict=True)
    halved = [_halved(network, side, name, layers) for side, (name, layers) in sides]
    if not any(halved):
        depth = len(repeated[-1][1])
        raise NotApplicable(f"a model of {depth} layer{'s' * (depth > 1)} has no smaller student")
    try:
        start = torch.tensor([[token]], device=next(network.parameters()).device)
        given = _given(network, start) | {"attention_mask": torch.ones_like(start)}
        if network.eval().can_generate():
            network.generate(**given, decoder_start_token_id=token, max_new_tokens=2, do_sample=False)
        else:
            network(**given)
    except Exception as error:  # whatever an architecture says when its layers do not stand each on its own
        said = f"{type(network).__name__} does not run with every other layer left out: {one_line(error)}"
        raise Incompatible(said, "transformers") from error


_DEPTH = {  # what configurations call the number of layers
    "encoder": ("encoder_layers", "num_encoder_layers", "num_layers", "num_hidden_layers"),
    "decoder": ("decoder_layers", "num_decoder_layers", "num_hidden_layers"),
}


def _halved(network: Any, side: str, name: str, repeated: nn.ModuleList) -> bool:
    """Leave out every other layer of the encoder or the decoder; whether there was one to leave out."""
    config, depth = _config(network, side), len(repeated)
    lists = {  # such as layer_types, which says of each layer what it is
        attribute: value
        for attribute, value in vars(config).items()
        if isinstance(value, list | tuple) and len(value) == depth
    }
    kept = _every_other([_kind(layer, [value[i] for value in lists.values()]) for i, layer in enumerate(repeated)])
    if len(kept) == depth:
        return False
    for new, old in enumerate(kept):
        for part in repeated[old].modules():  # each layer finds its place in the key-value cache by its index
            for attribute, value in vars(part).items():
                if "layer" in attribute and type(value) is int and value == old:
                    setattr(part, attribute, new)
    for attribute, value in lists.items():
        setattr(config, attribute, [value[i] for i in kept])
    known = _DEPTH[side] if reads_a_source(network) else _DEPTH[side][-1:]
    setattr(config, next(name for name in known if hasattr(config, name)), len(kept))
    network.set_submodule(name, nn.ModuleList(repeated[i] for i in kept))
    return True


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
        ids = torch.tensor([[token]], device=next(network.parameters()).device)
        network.eval()(**_given(network, ids), use_cache=False)
    finally:
        network.train(training)
        for hook in hooks:
            hook.remove()
    return order
