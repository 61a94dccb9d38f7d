"""A new column beside the pretrained one."""

import copy
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn
from transformers import Cache

from bench.approaches._blocks import called, on_entering, on_leaving
from bench.errors import NotApplicable
from bench.transfer import Transfer

REPLACES_MODEL = True
DECIDES = ("weights", "head")


def progressive_networks(transfer: Transfer) -> None:
    """The pretrained network stays frozen; a new one of the same kind learns the target with its features at hand.

    The new column starts afresh, and both see the same input. What each block of the frozen column hands to the next
    goes through a lateral connection of the new one, U relu(V αh) with U zero at the start, and is added to what its
    own next block is given. The frozen column runs whenever the new one does, in inference too.

    Paper: Rusu et al. 2016, Progressive Neural Networks
    """
    frozen = transfer.model.eval()
    model = transfer.model = frozen.fresh().train()
    transfer.beside.append(frozen.network)
    column, beside = called(model), called(frozen)
    if not column:
        raise NotApplicable(f"{type(model.network).__name__} has no blocks that features pass through")
    seen: dict[int, Tensor] = {}  # in the pass under way: the features between blocks of the frozen column

    def note(place: int, block: nn.Module, features: Tensor) -> Tensor:
        seen[place] = features
        return features

    def add(place: int, block: nn.Module, features: Tensor) -> Tensor:
        added: Tensor = block.get_submodule(f"lateral_{place}")(seen[place])
        return features + added

    _between(beside, note)
    row = model.collate(transfer.encode(transfer.data.train), torch.arange(1))
    with torch.no_grad():
        frozen(model.draw(row, torch.Generator().manual_seed(transfer.seed)))
    for place, features in seen.items():
        column[max(place - 1, 0)].add_module(f"lateral_{place}", _Lateral(features))
    _between(column, add)
    _before_each_pass(model.network, frozen.network, seen)


class _Lateral(nn.Module):
    """From the features of one column to those of another of the same widths; zero at the start."""

    def __init__(self, features: Tensor) -> None:
        super().__init__()
        self.axis = 1 if features.ndim > 3 else -1  # of the channels: images have them before their sides
        width = features.shape[self.axis]
        self.scale = nn.Parameter(torch.ones(()))
        self.hidden = nn.Linear(width, width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        nn.init.zeros_(self.out.weight)
        self.to(features.device)

    def forward(self, features: Tensor) -> Tensor:
        hidden = torch.relu(self.hidden(self.scale * features.movedim(self.axis, -1)))
        added: Tensor = self.out(hidden).movedim(-1, self.axis)
        return added


def _between(blocks: list[nn.Module], visit: Callable[[int, nn.Module, Tensor], Tensor]) -> None:
    """Visit what the first block is given, and what each hands on."""
    on_entering(blocks[0], partial(visit, 0))
    for place, block in enumerate(blocks, start=1):
        on_leaving(block, partial(visit, place))


def _before_each_pass(network: nn.Module, frozen: nn.Module, seen: dict[int, Tensor]) -> None:
    """Send whatever a network is given through the frozen one first; a key-value cache has a twin for it.

    In generation an encoder is called once, by itself, and what it says is given to the network in each pass.
    """
    twins: WeakKeyDictionary[Cache, Cache] = WeakKeyDictionary()
    filled: list[Cache] = []
    alone: list[bool] = []
    read: list[Any] = []  # what the frozen encoder said when it was called by itself

    def before(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        for cache in _caches(named):
            if cache not in twins:  # nobody has written into it yet
                twins[cache] = copy.deepcopy(cache)
        if named.get("encoder_outputs") is not None:
            named = named | {"encoder_outputs": _repeated(read[0], len(named["encoder_outputs"][0]))}
        with torch.no_grad():
            output = frozen(*given, **{n: twins[v] if isinstance(v, Cache) else v for n, v in named.items()})
        filled[:] = _caches(output)

    def after(_: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        twins.update(zip(_caches(output), filled, strict=True))  # the network may have made its cache itself
        filled.clear()
        seen.clear()

    def before_reading(_: nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not seen:  # else this is part of a pass, and the frozen encoder has read
            with torch.no_grad():
                read[:] = [frozen.get_encoder()(*given, **named)]  # type: ignore[operator]
            alone.append(True)

    def after_reading(_: nn.Module, given: tuple[Any, ...], output: Any) -> None:
        if alone:
            seen.clear()
            alone.clear()

    network.register_forward_pre_hook(before, with_kwargs=True)
    network.register_forward_hook(after)
    if getattr(getattr(network, "config", None), "is_encoder_decoder", False):
        network.get_encoder().register_forward_pre_hook(before_reading, with_kwargs=True)  # type: ignore[operator]
        network.get_encoder().register_forward_hook(after_reading)  # type: ignore[operator]


def _repeated(said: Any, rows: int) -> Any:
    """What an encoder said of each row, as often as it is asked for: a beam search asks once for each beam."""
    return type(said)(last_hidden_state=said[0].repeat_interleave(rows // len(said[0]), dim=0))


def _caches(values: Any) -> list[Cache]:
    return [value for value in values.values() if isinstance(value, Cache)] if isinstance(values, Mapping) else []
