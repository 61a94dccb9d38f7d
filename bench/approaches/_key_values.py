"""Keys and values that a network keeps of what it has read, whatever the transformers of the day calls them."""

import inspect
from collections.abc import Callable
from typing import Any

from torch import nn
from transformers import Cache

_NAMES = ("cache", "past_key_values")
"""What transformers calls them: the first from 5.24 on, the second before."""


def name_in(forward: Callable[..., Any]) -> str:
    """Under which name a network's ``forward`` takes them."""
    return next((name for name in _NAMES if name in inspect.signature(forward).parameters), _NAMES[-1])


def kept(output: Any) -> Cache | None:
    """What a network that was called with ``use_cache=True`` has kept; None where it keeps no keys and values."""
    found: Cache | None = next((output[name] for name in _NAMES if name in output.keys()), None)  # noqa: SIM118
    return found


def reconcile(wrapped: Any) -> None:
    """Let PEFT and transformers each use the name that it knows, in a network that PEFT has wrapped.

    PEFT reads and sets ``past_key_values`` among what a network is about to be given; transformers 5.24 takes ``cache``
    alone, and overlooks the other. Nothing here depends on a version: whoever asks by either name is answered.
    """
    network: nn.Module = wrapped.base_model
    name, prepare = name_in(network.forward), wrapped.base_model_prepare_inputs_for_generation

    def prepared(*args: Any, **kwargs: Any) -> _Given:
        return _Given(name, prepare(*args, **kwargs))

    def renamed(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], dict[str, Any]]:
        return args, dict(_Given(name, kwargs))

    wrapped.base_model_prepare_inputs_for_generation = prepared
    network.register_forward_pre_hook(renamed, with_kwargs=True)


class _Given(dict[str, Any]):
    """What a network is given by name, in which both names for its keys and values are the one that it takes."""

    def __init__(self, name: str, given: dict[str, Any]) -> None:
        super().__init__()
        self.name = name
        for key, value in given.items():
            if not (key in _NAMES and value is None and key in self):  # one that is not given takes no place
                self[key] = value

    def _known(self, key: str) -> str:
        return self.name if key in _NAMES else key

    def __contains__(self, key: object) -> bool:
        return super().__contains__(self._known(str(key)))

    def __getitem__(self, key: str) -> Any:
        return super().__getitem__(self._known(key))

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(self._known(key), value)

    def get(self, key: str, default: Any = None) -> Any:
        return super().get(self._known(key), default)

    def pop(self, key: str, *default: Any) -> Any:
        return super().pop(self._known(key), *default)
