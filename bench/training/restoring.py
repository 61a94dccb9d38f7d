"""What :mod:`bench.training.state` described, put back into a transfer that was set up in the same way.

Each thing is changed where it is, as others have hold of it. New ones are made of what is plain: tensors, generators of
random numbers, lists, mappings and sets. Whatever else differs from the description is :class:`Differs`: then nothing
that was restored may be used.
"""

import functools
import json
import random
import types
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.training.state import CREATED, HOOKS, Node, attributes, digest, is_plain, kind, strides


class Differs(Exception):
    """What was set up again is not what was described."""


_MISSING = object()


class Restoring:
    """One way back into what a description was made of.

    Args:
        tensors: key to what was written beside the description.
        encoded: gives a column of encoded items by the name of the items and its own.
    """

    def __init__(self, tensors: Mapping[str, Tensor], encoded: Callable[[str, str], Tensor]) -> None:
        self.tensors, self.encoded = tensors, encoded
        self._met = list[Any]()
        self._taken = dict[int, Any]()  # identity of what is something of the description already
        self._storages = dict[int, int]()

    def value(self, node: Node, live: Any = _MISSING) -> Any:
        """What stands where ``live`` stood: mostly itself, changed in its place."""
        what, rest = node[0], node[1:]
        if what == "is":
            return rest[0]
        if what == "again":
            return self._met[rest[0]]
        if what == "fixed":
            _same(kind(live) == rest[0], node, live)
            return live
        if what == "tuple":
            return self._tuple(rest[0], live)
        if what == "method":
            _same(isinstance(live, types.MethodType) and live.__func__.__qualname__ == rest[0], node, live)
            own, function = self.value(rest[1], live.__self__), self.value(rest[2], live.__func__)
            return live if own is live.__self__ and function is live.__func__ else types.MethodType(function, own)
        number = len(self._met)
        self._met.append(None)
        if live is not _MISSING and id(live) in self._taken:  # two names for one thing, which were for two
            live = _MISSING
        found = getattr(self, f"_{what}")(number, live, *rest)
        self._took(number, found)
        return found

    def _took(self, number: int, found: Any) -> None:
        self._met[number] = found
        self._taken[id(found)] = found

    def _tuple(self, parts: list[Node], live: Any) -> Any:
        there = live if type(live) is tuple and len(live) == len(parts) else [_MISSING] * len(parts)
        found = tuple(self.value(part, one) for part, one in zip(parts, there, strict=True))
        alike = type(live) is tuple and len(live) == len(parts)
        return live if alike and all(a is b for a, b in zip(found, live, strict=True)) else found

    # Tensors --------------------------------------------------------------------------------------------------------

    def _encoded(self, number: int, live: Any, items: str, column: str) -> Any:
        return self.encoded(items, column)

    def _view(self, number: int, live: Any, of: int, about: dict[str, Any]) -> Any:
        whole = self._met[of]
        if isinstance(live, Tensor) and live.data_ptr() == whole.data_ptr() and live.shape == whole.shape:
            return _with_gradient(live, about)
        _same(not about["grad"] and "parameter" not in about, about, live)
        return whole.detach()

    @torch.no_grad()
    def _tensor(self, number: int, live: Any, about: dict[str, Any]) -> Any:
        shape, dtype = torch.Size(about["shape"]), getattr(torch, about["type"])
        here = isinstance(live, Tensor) and live.shape == shape and live.dtype is dtype
        stride = about.get("stride") or strides(shape)
        here = here and str(live.device) == about["device"] and list(live.stride()) == stride
        here = here and isinstance(live, nn.Parameter) == ("parameter" in about)
        storage = live.untyped_storage().data_ptr() if here else 0
        if here and "part" not in about and live.numel() and storage in self._storages:
            here = False  # it lies in another's memory, which it did not
        if "key" not in about:
            _same(here and digest(live) == about["hash"], about, live)
        elif here:
            if digest(live) != digest(self.tensors[about["key"]]):  # what is mapped from a file must not be written to
                live.copy_(self.tensors[about["key"]])
        else:
            _same("parameter" not in about and "part" not in about and not about["grad"], about, live)
            live = torch.empty_strided(shape, stride, dtype=dtype, device=about["device"])
            live.copy_(self.tensors[about["key"]])
        if live.numel():
            self._storages[live.untyped_storage().data_ptr()] = number
        return _with_gradient(live, about)

    def _array(self, number: int, live: Any, about: dict[str, str]) -> Any:
        values = self.tensors[about["key"]].numpy()
        if isinstance(live, np.ndarray) and live.shape == values.shape and live.dtype == values.dtype:
            if live.tobytes() != values.tobytes():
                live[...] = values
            return live
        return np.array(values)

    # Chance ---------------------------------------------------------------------------------------------------------

    def _generator(self, number: int, live: Any, device: str, key: str) -> Any:
        found = live if isinstance(live, torch.Generator) and str(live.device) == device else torch.Generator(device)
        return found.set_state(self.tensors[key])

    def _random(self, number: int, live: Any, state: str) -> Any:
        if isinstance(live, random.Random):
            version, words, normal = json.loads(state)
            live.setstate((version, tuple(words), normal))
        else:
            _same(isinstance(live, np.random.Generator), ["random"], live)
            live.bit_generator.state = _untold(json.loads(state))
        return live

    # Containers -----------------------------------------------------------------------------------------------------

    def _dict(self, number: int, live: Any, name: str, parts: list[list[Node]]) -> Any:
        if not (isinstance(live, dict) and kind(live) == name):
            _same(name == "builtins.dict", ["dict", name], live)
            live = {}
        self._took(number, live)
        found = [(key := self.value(one), self.value(part, live.get(key, _MISSING))) for one, part in parts]
        if [(id(key), id(value)) for key, value in live.items()] != [(id(key), id(value)) for key, value in found]:
            live.clear()
            live.update(found)
        return live

    def _list(self, number: int, live: Any, parts: list[Node]) -> Any:
        live = live if type(live) is list else []
        self._took(number, live)
        there = [*live, *[_MISSING] * len(parts)]
        live[:] = [self.value(part, one) for part, one in zip(parts, there, strict=False)]
        return live

    def _set(self, number: int, live: Any, name: str, parts: list[Node]) -> Any:
        found = {self.value(part) for part in parts}
        if name == "builtins.frozenset":
            return frozenset(found)
        live = live if type(live) is set else set()
        live.clear()
        live.update(found)
        return live

    # Code and objects -----------------------------------------------------------------------------------------------

    def _partial(self, number: int, live: Any, parts: list[Node]) -> Any:
        _same(isinstance(live, functools.partial), ["partial"], live)
        found = [self.value(part, one) for part, one in zip(parts, (live.func, live.args, live.keywords), strict=True)]
        alike = all(a is b for a, b in zip(found, (live.func, live.args, live.keywords), strict=True))
        return live if alike else functools.partial(found[0], *found[1], **found[2])

    def _function(self, number: int, live: Any, name: str, cells: list[Node], more: list[Node]) -> Any:
        _same(isinstance(live, types.FunctionType), name, live)
        _same(
            f"{live.__module__}.{live.__qualname__}" == name and len(live.__closure__ or ()) == len(cells), name, live
        )
        self._took(number, live)
        for cell, node in zip(live.__closure__ or (), cells, strict=True):
            if node[0] == "empty":
                continue
            try:
                before = cell.cell_contents
            except ValueError:
                before = _MISSING
            found = self.value(node, before)
            if found is not before:
                cell.cell_contents = found
        for node, there in zip(more, (live.__defaults__, live.__kwdefaults__, vars(live) or None), strict=True):
            _same(self.value(node, there) is there, name, live)
        return live

    def _module(self, number: int, live: Any, name: str, held: list[list[Any]], hooks: list[list[Node]]) -> Any:
        _same(isinstance(live, nn.Module) and kind(live) == name, name, live)
        self._took(number, live)
        there = attributes(live)
        _same(there.keys() <= {name for name, _ in held}, name, live)
        for attribute, node in held:
            if (found := self.value(node, there.get(attribute, _MISSING))) is not there.get(attribute, _MISSING):
                vars(live)[attribute] = found
        for place, nodes in zip(HOOKS, hooks, strict=True):
            known = [*vars(live)[place].values()]
            _same(len(known) == len(nodes), f"{name}.{place}", live)
            for node, hook in zip(nodes, known, strict=True):
                _same(self.value(node, hook) is hook or node[0] == "method", f"{name}.{place}", live)
        return live

    def _optimizer(self, number: int, live: Any, name: str, groups: Node, state: Node) -> Any:
        made: Any = getattr(torch.optim, name.rpartition(".")[2], None)
        if live is _MISSING:
            _same(isinstance(made, type) and issubclass(made, torch.optim.Optimizer), name, live)
            listed = self.value(groups)
            live = made(listed)
            live.param_groups = listed
        else:
            _same(isinstance(live, torch.optim.Optimizer) and kind(live) == name, name, live)
            self.value(groups, live.param_groups)
        self.value(state, live.state)
        return live

    def _object(self, number: int, live: Any, name: str, held: list[list[Any]]) -> Any:
        if live is _MISSING or kind(live) != name:
            made: Any = CREATED.get(name.rpartition(".")[2])
            _same(made is not None and f"{made.__module__}.{made.__qualname__}" == name, name, live)
            live = made.__new__(made)
        _same(is_plain(live), name, live)
        self._took(number, live)
        there = vars(live)
        for attribute in there.keys() - {attribute for attribute, _ in held}:
            del there[attribute]
        for attribute, node in held:
            there[attribute] = self.value(node, there.get(attribute, _MISSING))
        return live


def _same(alike: object, what: Any, live: Any) -> None:
    if not alike:
        said = json.dumps(what, default=str)[:150]
        raise Differs(f"it holds {said}, and now there is {'nothing' if live is _MISSING else kind(live)}")


def _with_gradient(tensor: Tensor, about: dict[str, Any]) -> Tensor:
    return tensor if tensor.requires_grad == about["grad"] else tensor.requires_grad_(about["grad"])


def _untold(state: Any) -> Any:
    if isinstance(state, dict) and state.keys() == {"array", "type"}:
        return np.array(state["array"], state["type"])
    return {key: _untold(part) for key, part in state.items()} if isinstance(state, dict) else state
