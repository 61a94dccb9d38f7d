"""All that training changes, found by itself: what a transfer, its network and its approaches hold.

An approach keeps what it remembers in closures, in objects and in hooks. They are walked from the transfer on, so that
no plugin has to say what its state is. What may hold state that cannot be seen or set from outside (an iterator that is
under way, an object of a compiled library, a tensor with a graph behind it) is :class:`Unseen`: nothing is guessed.
What is found is JSON and tensors.

A node of the description is a list: a word for what it is, and what that needs. What may be met twice has a number,
counted from 0 as it is met first; each later meeting is ``["again", number]``. So two names for one tensor stay so.
"""

import functools
import hashlib
import json
import random
import types
from collections.abc import Iterable, Iterator
from enum import Enum
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary, ref

import numpy as np
import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.utils.weak import WeakTensorKeyDictionary

from bench.batches import Order
from bench.dataset import SPLITS, Columns, Dataset
from bench.model import Batch
from bench.transfer import Transfer

Node = list[Any]

CREATED: dict[str, type] = {"Order": Order}
"""Classes of which a checkpoint may ask for a new object, with the attributes that it names."""

HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")
_BARE = frozenset(vars(nn.Module())) - {"training", "_parameters", "_buffers", "_modules"}
_LIBRARIES = (
    "accelerate",
    "diffusers",
    "tokenizers",
    "transformers",
)  # of these only modules hold what training changes
_LARGE = 1 << 16  # elements of what is no weight: counters and statistics are written each time
_ADDRESS = 1 << 32  # numbers above it may be addresses, such as ``id`` gives
_FIXED = (
    *(
        types.BuiltinFunctionType,
        types.ModuleType,
        types.MethodWrapperType,
        types.WrapperDescriptorType,
        type,
        property,
    ),
    *(types.GenericAlias, Dataset, Columns, BaseModel, Transfer, Enum, Path, ref),
    *(torch.dtype, torch.device, torch.Size, np.dtype, np.generic),
)


class Unseen(Exception):
    """What holds state that cannot be told."""


class _Plain:
    """An object without anything that Python does not see: what is larger has slots, or is compiled."""


def kind(value: Any) -> str:
    """The name of a value's class."""
    return f"{type(value).__module__}.{type(value).__qualname__}"


def is_plain(value: Any) -> bool:
    """Whether all that an object is lies in its ``__dict__``."""
    return hasattr(value, "__dict__") and type(value).__basicsize__ <= _Plain.__basicsize__


def is_fixed(value: Any) -> bool:
    """Whether training does not change a value, and a new set-up makes it as it was."""
    if isinstance(value, WeakTensorKeyDictionary | WeakKeyDictionary):
        return not len(value)  # between two steps what they are about is gone
    module = type(value).__module__.partition(".")[0]
    function = isinstance(value, types.FunctionType) and value.__module__
    return (
        isinstance(value, _FIXED)
        or (function and value.__module__.partition(".")[0] in (*_LIBRARIES, "torch"))
        or (module in _LIBRARIES and not isinstance(value, nn.Module))
    )


def attributes(module: nn.Module) -> dict[str, Any]:
    """What a module holds beside its hooks."""
    return {name: value for name, value in vars(module).items() if name not in _BARE}


def digest(tensor: Tensor) -> str:
    """Hash of a tensor's bytes."""
    flat = tensor.detach().cpu().contiguous().reshape(-1).view(torch.uint8)
    return hashlib.blake2b(flat.numpy().data, digest_size=16).hexdigest()


def strides(shape: torch.Size) -> list[int]:
    """Those that a new tensor has."""
    return list(torch.empty(shape, device="meta").stride())


class Walk:
    """One description of what is there now.

    Args:
        encoded: says of a tensor which column of which encoded items it is, if it is one: these are not written.
        before: tensors as set-up left them, of :meth:`versions`; what has not been written to since is not written.
        dry: whether only to see if all can be told, without a look into tensors.

    Attributes:
        tensors: key to what must be written beside the description.
    """

    def __init__(
        self,
        encoded: dict[int, tuple[str, str]],
        before: dict[int, tuple[Any, int]] | None = None,
        *,
        dry: bool = False,
    ) -> None:
        self.encoded, self.before, self.dry = encoded, before or {}, dry
        self.tensors = dict[str, Tensor]()
        self._met = dict[int, int]()
        self._held = list[Any]()  # so that no other gets its identity
        self._numbers = set[int]()
        self._places, self._storages = dict[tuple[Any, ...], int](), set[int]()

    def versions(self) -> dict[int, tuple[Any, int]]:
        """Identity of each tensor met to the tensor and how often it was written to."""
        return {id(one): (ref(one), one._version) for one in self._held if isinstance(one, Tensor)}

    def whole(self, value: Any) -> Node:
        """:meth:`node` of all there is; :class:`Unseen` also where a number in it is the address of something in it."""
        found = self.node(value)
        if self._numbers & (self._met.keys() | self._storages):
            raise Unseen("the identity of an object is remembered as a number")
        return found

    def node(self, value: Any) -> Node:
        """The description of a value; :class:`Unseen` where there is none."""
        if value is None or type(value) in (bool, int, float, str):
            if type(value) is int and value > _ADDRESS:
                self._numbers.add(value)
            return ["is", value]
        if id(value) in self._met:
            return ["again", self._met[id(value)]]
        if is_fixed(value):
            return ["fixed", kind(value)]
        if type(value) is tuple:
            return ["tuple", [self.node(part) for part in value]]
        if isinstance(value, types.MethodType):
            return ["method", value.__func__.__qualname__, self.node(value.__self__), self.node(value.__func__)]
        self._met[id(value)] = len(self._held)
        self._held.append(value)
        return self._new(value)

    def _new(self, value: Any) -> Node:
        if isinstance(value, Tensor):
            return self._tensor(value)
        if isinstance(value, torch.Generator):
            return ["generator", str(value.device), self._write(value.get_state())]
        if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
            return ["array", {"key": self._write(torch.from_numpy(np.array(value)))}]
        if isinstance(value, np.random.Generator):
            return ["random", json.dumps(_told(value.bit_generator.state))]
        if isinstance(value, random.Random):
            return ["random", json.dumps(value.getstate())]
        if isinstance(value, dict):
            return ["dict", kind(value), [[self.node(key), self.node(part)] for key, part in value.items()]]
        if isinstance(value, list) and type(value) is list:
            return ["list", [self.node(part) for part in value]]
        if type(value) is set or type(value) is frozenset:
            return ["set", kind(value), [self.node(part) for part in value]]
        if isinstance(value, functools.partial):
            return ["partial", [self.node(part) for part in (value.func, value.args, value.keywords)]]
        if isinstance(value, types.FunctionType):
            return self._function(value)
        if isinstance(value, nn.Module):
            return self._module(value)
        if isinstance(value, torch.optim.Optimizer):
            return ["optimizer", kind(value), self.node(value.param_groups), self.node(value.state)]
        if is_plain(value):
            return ["object", kind(value), [[name, self.node(part)] for name, part in vars(value).items()]]
        raise Unseen(f"what a {kind(value)} holds cannot be told from outside")

    def _function(self, function: types.FunctionType) -> Node:
        cells = []
        for cell in function.__closure__ or ():
            try:
                cells.append(self.node(cell.cell_contents))
            except ValueError:
                cells.append(["empty"])
        more = (function.__defaults__, function.__kwdefaults__, vars(function) or None)
        return ["function", f"{function.__module__}.{function.__qualname__}", cells, [self.node(part) for part in more]]

    def _module(self, module: nn.Module) -> Node:
        held = []
        for name, value in attributes(module).items():
            try:
                held.append([name, self.node(value)])
            except Unseen:
                if not type(value).__module__.startswith(("torch", "builtins", *_LIBRARIES)):
                    raise
                held.append([name, ["fixed", kind(value)]])
        hooks = [[self.node(hook) for hook in vars(module)[name].values()] for name in HOOKS]
        return ["module", kind(module), held, hooks]

    def _tensor(self, tensor: Tensor) -> Node:
        if id(tensor) in self.encoded:
            return ["encoded", *self.encoded[id(tensor)]]
        if tensor.layout is not torch.strided or (tensor.requires_grad and not tensor.is_leaf):
            raise Unseen("a tensor is sparse, or has the graph of its gradient behind it")
        about: dict[str, Any] = {"type": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape)}
        about |= {"device": str(tensor.device), "grad": tensor.requires_grad}
        if (stride := list(tensor.stride())) != strides(tensor.shape):  # last bits depend on it, also where a side is 1
            about["stride"] = stride
        if isinstance(tensor, nn.Parameter):
            about["parameter"] = True
        place = (
            tensor.untyped_storage().data_ptr(),
            tensor.storage_offset(),
            tensor.shape,
            tensor.stride(),
            tensor.dtype,
        )
        if tensor.numel() and place in self._places:  # the same memory under another name, such as by ``detach``
            return ["view", self._places[place], about]
        self._places[place] = self._met[id(tensor)]
        if tensor.numel() and place[0] in self._storages:  # of which another tensor is a part, too
            about["part"] = True
        self._storages.add(place[0])
        if self.dry:
            return ["tensor", about]
        old, version = self.before.get(id(tensor), (None, -1))
        unchanged = old is not None and old() is tensor and tensor._version == version and not tensor.requires_grad
        unchanged = unchanged and (isinstance(tensor, nn.Parameter) or tensor.numel() >= _LARGE)
        if unchanged:
            return ["tensor", about | {"hash": digest(tensor)}]
        return ["tensor", about | {"key": self._write(tensor.detach())}]

    def _write(self, tensor: Tensor) -> str:
        key = str(len(self.tensors))
        self.tensors[key] = tensor
        return key


def _told(state: Any) -> Any:
    """A generator's state as JSON has it."""
    if isinstance(state, dict):
        return {key: _told(part) for key, part in state.items()}
    return {"array": state.tolist(), "type": str(state.dtype)} if isinstance(state, np.ndarray) else state


def encodings(transfer: Transfer, data: Dataset, known: Iterable[tuple[Any, Batch]]) -> dict[int, tuple[str, str]]:
    """Identity of each column of encoded items that a new set-up finds again, to which items and which column it is.

    Args:
        transfer: whose.
        data: that it was set up with.
        known: pairs of items and their encoded rows, as far as these were asked for.
    """
    names = {id(items): name for name, items in named_items(transfer, data)}
    return {
        id(column): (names[id(items)], key)
        for items, rows in known
        if id(items) in names
        for key, column in rows.items()
    }


def named_items(transfer: Transfer, data: Dataset) -> Iterator[tuple[str, Any]]:
    """Items that each set-up of a transfer has, under names of their own."""
    yield "pool", transfer.pool
    for name, domain in (("data", data), ("source", transfer.source)):
        for split in SPLITS if domain else ():
            yield f"{name}.{split}", getattr(domain, split)
