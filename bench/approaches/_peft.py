"""Layers of a network that PEFT puts weights of its own beside, and how it does."""

import copy
import difflib
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from peft import LoraConfig, PeftConfig
from peft.mapping import PEFT_TYPE_TO_TUNER_MAPPING
from peft.tuners.tuners_utils import BaseTuner
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

from bench.approaches._blocks import called, own
from bench.device import out_of_memory
from bench.errors import CellEnd, Incompatible, NotApplicable, PluginError
from bench.model import Model
from bench.transfer import Transfer

Configure = Callable[[list[str]], PeftConfig]
"""Names of layers to the configuration of a method that is put beside them."""


def layers(model: Model) -> dict[str, nn.Module]:
    """Name to linear or convolutional layer; those that turn features into data are left out."""
    end = {id(part) for part in model.generating_end()[-1].modules()}
    return {
        name: module
        for name, module in model.network.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d | Conv1D) and id(module) not in end
        if not (name.endswith("out_proj") and is_state_space(model.network.get_submodule(name.rpartition(".")[0])))
    }


def is_state_space(module: nn.Module) -> bool:
    """Whether a module is a state-space layer; its kernel reads the last projection's weight, and never calls it."""
    return hasattr(module, "A_log") and hasattr(module, "D")


def named(found: Iterable[str], wanted: list[str], approach: str, option: str) -> list[str]:
    """The names of which one of ``wanted`` is a part between dots, such as ``mlp``, ``h.0`` or ``attn.c_proj``."""
    found = list(found)
    pieces = dict.fromkeys(piece for name in found for piece in reversed(name.split(".")) if not piece.isdecimal())
    for part in wanted or [""]:
        if not any(f".{part}." in f".{name}." for name in found):
            problem = f"approach {approach}: option {option!r}: {part or wanted!r} will not do"
            raise PluginError(f"{problem}; {remedy(part, [*pieces, *found])}the model has: {', '.join(pieces)}")
    return [name for name in found if any(f".{part}." in f".{name}." for part in wanted)]


def activations(model: Model) -> tuple[list[str], list[str]]:
    """Layers inside the blocks whose outputs are keys or values, and layers whose inputs a feed-forward part has
    widened and bent, by name. A convolutional residual layer is such a part.

    Keys and values are known by their names, also where one layer makes them along with the queries. The last layer of
    a feed-forward part is the one that takes what another outside of attention puts out (twice that, where it is
    gated).
    """
    found, inside = layers(model), {id(part) for block in called(model) for part in block.modules()}
    parts: dict[str, list[str]] = {}
    keys, last = list[str](), list[str]()
    for name in (name for name, module in found.items() if id(module) in inside):
        around, _, leaf = name.rpartition(".")
        if _ATTENTION.search(name):
            keys += [name] * bool(_KEYS.fullmatch(leaf))
        elif not is_state_space(model.network.get_submodule(around)):
            alone = sum(other.rpartition(".")[0] == around for other in found) == 1
            parts.setdefault(around.rpartition(".")[0] if alone else around, []).append(name)
    for names in parts.values():
        fed = [
            name
            for index, name in enumerate(names)
            if any(_feeds(found[other], found[name]) for other in names[:index])
        ]
        last += fed[-1:]
    return keys, last


_ATTENTION = re.compile("attn|attention", re.IGNORECASE)  # T5 has SelfAttention
_KEYS = re.compile(r"(to_)?(k|v|key|value)(_proj)?|.*qkv.*|.*query_key_value.*|.*kv_.*|c_attn", re.IGNORECASE)


def _feeds(one: nn.Module, other: nn.Module) -> bool:
    (_, given), (taken, _) = _widths(one), _widths(other)
    return type(one) is type(other) and given in (taken, taken if isinstance(one, nn.Conv2d) else 2 * taken)


def _widths(module: nn.Module) -> tuple[int, int]:
    """Of what a layer takes, and of what it puts out."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    if isinstance(module, nn.Conv2d):
        return module.in_channels, module.out_channels
    return (weight.shape[0], weight.shape[1]) if isinstance(module, Conv1D) else (weight.shape[1], weight.shape[0])


def remedy(given: str, known: Iterable[str]) -> str:
    """``did you mean …? `` where something known is written much alike; else nothing."""
    close = difflib.get_close_matches(given, list(known), n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def refusals(found: Mapping[str, nn.Module], configure: Configure) -> dict[str, str]:
    """Name to why PEFT cannot put a method beside that layer; empty where it can. Tried on a copy of each kind."""
    tried: dict[tuple[type, str], str] = {}
    for module in found.values():
        kind = (type(module), repr(module))
        if kind not in tried:
            tried[kind] = _refusal(module, configure)
    return {name: tried[type(module), repr(module)] for name, module in found.items()}


def _refusal(module: nn.Module, configure: Configure) -> str:
    alone = nn.ModuleDict({"layer": copy.deepcopy(module).eval()})
    given = _input(module)
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            before = alone["layer"](given)
            if not isinstance(before, Tensor) or before.shape[1] != getattr(module, "out_features", before.shape[1]):
                return f"{type(module).__name__} computes something of its own"  # a router, many small layers at once
            _tuned(alone, configure(["layer"]))
            with torch.enable_grad():
                after: Tensor = alone["layer"](given)
        except (ValueError, NotImplementedError) as error:  # what a method says of a layer it was not made for
            return " ".join(f"PEFT says: {error}".split())
        except Exception as error:
            if out_of_memory(error):
                raise
            return " ".join(f"{_BROKE}{type(error).__name__}: {error}".split())
    return "" if after.requires_grad else f"{type(module).__name__} is left as it is"


_BROKE = "PEFT breaks: "


def commonest(refused: Mapping[str, str]) -> str:
    """Why most layers cannot have a method; but first what PEFT broke at, which may be why others cannot either."""
    broke = [reason for reason in refused.values() if reason.startswith(_BROKE)]
    reasons = Counter(broke or refused.values())
    return reasons.most_common(1)[0][0] if reasons else "none is of the kind it is for"


def unable(problem: str, refused: Mapping[str, str]) -> CellEnd:
    """How a cell ends where no layer can have a method: what PEFT breaks at does not show that it has no meaning.

    Args:
        problem: what cannot be done.
        refused: layers to reasons, of :func:`refusals`.
    """
    said = f"{problem}: {commonest(refused)}"
    return Incompatible(said, "peft", "torch") if _BROKE in said else NotApplicable(said)


def _input(module: nn.Module) -> Tensor:
    """The least a layer can be given."""
    weight: Tensor = module.weight  # type: ignore[assignment]
    if isinstance(module, nn.Embedding):
        return torch.zeros(1, 2, dtype=torch.int64, device=weight.device)
    if isinstance(module, nn.Conv2d):
        sides = [step * (size - 1) + 1 for step, size in zip(module.dilation, module.kernel_size, strict=True)]
        return weight.new_ones(1, module.in_channels, *sides)
    return weight.new_ones(2, module.in_features if isinstance(module, nn.Linear) else len(weight))


def _tuned(container: nn.ModuleDict, config: PeftConfig) -> BaseTuner:
    """Put a method into the layers of a container that its configuration names."""
    # the tuner itself, as PEFT's own injection refuses methods whose layers share weights; each layer has hold of them
    return PEFT_TYPE_TO_TUNER_MAPPING[config.peft_type](container, config, adapter_name="default")


def inject(transfer: Transfer, names: list[str], configure: Configure) -> BaseTuner:
    """Put a method beside the named layers: its weights train, those of the network do not."""
    added = set(transfer.trainable()) - own(transfer)
    # in a plain container: of models whose configuration it knows, PEFT would take other targets than those named
    container = nn.ModuleDict({"network": transfer.model.network})
    tuner = _tuned(container, configure([f"network.{name}" for name in names]))
    transfer.adapters.append(tuner)
    for parameter in added:  # such as a new head: it knows nothing yet, so it trains on
        parameter.requires_grad_(True)
    return tuner


class TransposedLinear(nn.Linear):
    """A layer that holds its weight the other way round, as the linear layer it is; the weight stays what it is."""

    def __init__(self, layer: Conv1D) -> None:
        nn.Module.__init__(self)  # a linear layer's own would make another weight
        self.in_features, self.out_features = layer.nx, layer.nf
        self.turned, self.bias = layer.weight, layer.bias

    @property
    def weight(self) -> Tensor:  # type: ignore[override]
        weight: Tensor = self.turned
        return weight.t()


def low_rank(transfer: Transfer, approach: str, wanted: str | list[str], **options: Any) -> None:
    """Put low-rank updates beside all layers that can have them, those inside of attention, or those named.

    Args:
        transfer: whose model.
        approach: whose option ``layers`` is ``wanted``.
        wanted: ``all``, ``attention`` or names.
        options: of PEFT's ``LoraConfig``.
    """

    def configure(names: list[str], transposed: bool) -> LoraConfig:
        return LoraConfig(target_modules=names, fan_in_fan_out=transposed, **options)

    found = layers(transfer.model)
    turned = any(isinstance(module, Conv1D) for module in found.values())
    refused = refusals(found, lambda names: configure(names, turned))
    able = [name for name in found if not refused[name]]
    if wanted == "attention":
        able = [name for name in able if _ATTENTION.search(name)]
    elif isinstance(wanted, list):
        able = named(able, wanted, approach, "layers")
    if not able:
        raise unable(f"no linear or convolutional layer ({wanted}) to add a low-rank update to", refused)
    turned = any(isinstance(found[name], Conv1D) for name in able)
    inject(transfer, able, lambda names: configure(names, turned))
