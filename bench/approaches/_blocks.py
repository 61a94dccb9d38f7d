"""What approaches ask of a network's blocks: which weights are whose, where they lie, and what passes between them."""

from collections.abc import Callable, Iterable
from typing import Any

from torch import Tensor, nn

from bench.model import Model
from bench.transfer import Transfer

Place = tuple[nn.Module, str]
"""Where a weight lies: a module, and the name it has there; ``getattr(*place)`` is the weight."""


def own(transfer: Transfer) -> set[nn.Parameter]:
    """The network's weights, without those that other approaches added to it.

    Where none is pretrained the network itself is new, such as a student, and all weights are its own.
    """
    found = set(transfer.model.network.parameters())
    return {weight for weight in found if transfer.is_pretrained(weight)} or found


def train_only(transfer: Transfer, chosen: Iterable[nn.Parameter]) -> None:
    """Of the network's own weights these train and no others; what other approaches added is left as it is."""
    awake = set(chosen)
    for weight in own(transfer):
        weight.requires_grad_(weight in awake)


def places(model: Model) -> list[list[Place]]:
    """For each block where its weights lie; a tied weight lies in several places.

    A block may hold weights in a list that was made for it: their places are in the module they come from.
    """
    holders = {_weights(module): module for module in model.network.modules() if any(True for _ in module.children())}
    return [
        [
            (holder, name)
            for part in block.modules()
            for holder in [holders.get(_weights(part), part) if isinstance(part, nn.ParameterList) else part]
            for name, _ in holder.named_parameters(recurse=False)
        ]
        for block in model.blocks()
    ]


def _weights(module: nn.Module) -> tuple[int, ...]:
    return tuple(id(weight) for weight in module.parameters(recurse=False))


def called(model: Model) -> list[nn.Module]:
    """The blocks that features go through as through one module; the first and last are often just lists of parts."""
    return [block for block in model.blocks() if type(block).forward is not nn.Module.forward]


Visit = Callable[[nn.Module, Tensor], Tensor]
"""(block, features) to the features that go on in their place. Asks the block for its parts, as it may be a copy."""


def on_entering(block: nn.Module, visit: Visit) -> None:
    """Visit the features that a block is given, each time it is called."""

    def hook(module: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        if given:
            return (visit(module, given[0]), *given[1:]), named
        first = next(iter(named))
        return given, named | {first: visit(module, named[first])}

    block.register_forward_pre_hook(hook, with_kwargs=True)


def on_leaving(block: nn.Module, visit: Visit) -> None:
    """Visit the features that a block hands to the next, each time it is called."""

    def hook(module: nn.Module, given: Any, output: Any) -> Any:
        if isinstance(output, Tensor):
            return visit(module, output)
        return visit(module, output[0]), *output[1:]

    block.register_forward_hook(hook)
