"""Any method of PEFT that an arbitrary network can be given, by its name."""

import dataclasses
import inspect
import re
import typing
from typing import Any, Literal

import pydantic
from peft import PeftConfig, PromptLearningConfig
from peft.mapping import PEFT_TYPE_TO_CONFIG_MAPPING
from peft.tuners.tuners_utils import check_target_module_exists
from peft.utils import PeftType
from torch import nn
from transformers.pytorch_utils import Conv1D

from bench.approaches._allocation import allocate_while_training
from bench.approaches._peft import (
    Configure,
    TransposedLinear,
    activations,
    commonest,
    inject,
    layers,
    refusals,
    remedy,
    unable,
)
from bench.approaches._prompts import put_before
from bench.errors import NotApplicable, PluginError
from bench.model import Model
from bench.transfer import Transfer

DECIDES = ("weights",)

_WHERE = "approach peft: option 'options'"
_SELECT = ("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern")
_STARTS = (True, False, "gaussian", "orthogonal")  # of LoRA; others look at data, or change pretrained weights
_OURS = {  # known from the network and the budget
    *("fan_in_fan_out", "feedforward_modules", "total_step"),
    *("token_dim", "num_layers", "num_attention_heads", "num_transformer_submodules"),
    # other approaches' to decide, or of use to PEFT's own wrapper alone
    *("bias", "modules_to_save", "layer_replication", "alora_invocation_tokens"),
}


def peft(
    transfer: Transfer,
    *,
    method: Literal[
        "adalora", "adamss", "beft", "boft", "c3a", "cartridge", "deft", "delora", "fourierft", "frod", "glora",
        "gralora", "hira", "hra", "ia3", "lily", "ln_tuning", "loha", "lokr", "lora", "miss", "oft", "osf", "p_tuning",
        "peanut", "prefix_tuning", "prompt_tuning", "psoft", "pvera", "randlora", "road", "shira", "supertuning",
        "tinylora", "trainable_tokens", "unilora", "vblora", "vera", "waveft",
    ] = "lora",
    options: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """What a method of PEFT adds to the network trains, and all pretrained weights are frozen; PEFT's defaults hold.

    Each layer that the method can be put beside has it: linear and convolutional layers but the last, norms for
    ``ln_tuning``, input embeddings for ``trainable_tokens``, keys, values and feed-forward activations for ``ia3``.
    Prompts stand before each row.

    Paper: Mangrulkar et al. 2022, PEFT: State-of-the-art Parameter-Efficient Fine-Tuning methods

    Args:
        method: its name in PEFT, in small letters.
        options: of PEFT's configuration of that method, such as ``r`` or ``target_modules``.
    """
    config, given = PEFT_TYPE_TO_CONFIG_MAPPING[PeftType(method.upper())], dict(options or {})
    _check(method, config, given)
    if issubclass(config, PromptLearningConfig):
        if "soft_prompts" not in transfer.model.offers:
            raise NotApplicable(f"peft with {method} needs an input that learned vectors can be put before")
        fields = {"task_type": "CAUSAL_LM", "num_virtual_tokens": 20}
        put_before(transfer, "peft", _made(config, fields | given), option="options.num_virtual_tokens")
        return
    names, configure = _chosen(transfer, method, config, given)
    tuner = inject(transfer, names, configure)
    if hasattr(tuner, "update_and_allocate"):
        allocate_while_training(transfer, tuner)


def _chosen(
    transfer: Transfer, method: str, config: type[PeftConfig], given: dict[str, Any]
) -> tuple[list[str], Configure]:
    """Names of the layers the method is put beside, and its configuration for them."""
    network, wanted = transfer.model.network, given.get("target_modules") or "all-linear"
    everywhere = wanted == "all-linear"
    found = _candidates(transfer.model, method, everywhere)
    inputs = activations(transfer.model)[1] if method == "ia3" else []

    def configure(names: list[str] | str, options: dict[str, Any]) -> PeftConfig:
        fields: dict[str, Any] = {"progressbar": False} if method == "frod" else {}
        if method == "adalora":
            fields["total_step"] = max(transfer.steps, 1)
        if "fan_in_fan_out" in _names(config):
            turned = {f"network.{name}" for name, module in network.named_modules() if isinstance(module, Conv1D)}
            fields["fan_in_fan_out"] = not turned.isdisjoint(names)
        if "feedforward_modules" in _names(config):
            fields["feedforward_modules"] = [name for name in names if name.removeprefix("network.") in inputs]
        return _made(config, fields | options | {"target_modules": names})

    targets = sorted({name.rpartition(".")[2] for name in found}) if everywhere else wanted
    for part in targets if isinstance(targets, list) else []:
        if not any(f".{name}".endswith(f".{part}") for name in found):
            pieces = sorted({name.rpartition(".")[2] for name in found} - {"0"})
            close = f"{remedy(part, pieces)}the model has: {', '.join(pieces)}"
            raise PluginError(f"{_WHERE}: target_modules: {part!r} will not do; {close}")
    picked = configure(targets, given)
    chosen = {name: module for name, module in found.items() if check_target_module_exists(picked, name)}
    plain = {name: value for name, value in given.items() if name not in _SELECT}
    refused = _refused(chosen, lambda names: configure(names, plain))
    for name, reason in refused.items() if not everywhere else ():
        if reason:
            raise PluginError(f"{_WHERE}: target_modules: {name!r} will not do; {reason}")
    able = [name for name in chosen if not refused[name]]
    if not able:
        needed = method == "trainable_tokens"  # it has no defaults to fall back on
        if given and found and (needed or not all(_refused(found, lambda names: configure(names, {})).values())):
            raise PluginError(f"{_WHERE}: {given} will not do; {commonest(refused)}")
        raise unable(f"{method} can be put beside no layer of {type(network).__name__}", refused)
    for name in able:
        if isinstance(chosen[name], TransposedLinear):
            network.set_submodule(name, chosen[name])
    return able, lambda names: configure(names, plain)


def _refused(found: dict[str, nn.Module], configure: Configure) -> dict[str, str]:
    """Name to why a layer cannot have the method; one that can as soon as its weight is turned is replaced by that."""
    refused = refusals(found, configure)
    around = {
        name: TransposedLinear(module) for name, module in found.items() if refused[name] and isinstance(module, Conv1D)
    }
    again = refusals(around, configure)
    found |= {name: around[name] for name, reason in again.items() if not reason}
    return refused | again


def _candidates(model: Model, method: str, by_default: bool) -> dict[str, nn.Module]:
    """The layers that a method is for, or all with weights of their own where the user names some."""
    if method == "ia3" and by_default:
        return {name: model.network.get_submodule(name) for names in activations(model) for name in names}
    if by_default and method not in ("ln_tuning", "trainable_tokens"):
        found = layers(model)
    else:
        found = {n: m for n, m in model.network.named_modules() if any(True for _ in m.parameters(recurse=False))}
    if method == "ln_tuning":
        found = {name: module for name, module in found.items() if "norm" in type(module).__name__.lower()}
    if method == "trainable_tokens":
        words = getattr(model.network, "get_input_embeddings", lambda: None)()
        found = {name: module for name, module in found.items() if module is words}
    if method == "oft":  # of a kernel's overlapping patches PEFT takes the sum, and so another function to start from
        found = {n: m for n, m in found.items() if not (isinstance(m, nn.Conv2d) and max(m.kernel_size) > 1)}
    return found


def _check(method: str, config: type[PeftConfig], given: dict[str, Any]) -> None:
    """:class:`PluginError` for an option that the method does not have, or not with that type of value."""
    known = sorted(_names(config) - _names(PeftConfig) - _OURS)
    types, patterns = typing.get_type_hints(config), ("target_modules", "exclude_modules", "layers_pattern")
    for name, value in given.items():
        if name not in known:
            raise PluginError(f"{_WHERE}: no {name!r}; {remedy(str(name), known)}{method} has: {', '.join(known)}")
        try:
            pydantic.TypeAdapter(types[name]).validate_python(value, strict=True)
        except pydantic.ValidationError:
            wanted = inspect.formatannotation(types[name])
            raise PluginError(f"{_WHERE}: {name}: {value!r} will not do; {method} wants {wanted}") from None
        if name == "init_lora_weights" and value not in _STARTS:
            use = f"pretrained weights stay as they are, so use one of: {', '.join(map(str, _STARTS))}"
            raise PluginError(f"{_WHERE}: {name}: {value!r} will not do; {use}")
        for pattern in [value] if name in patterns and isinstance(value, str) else []:
            try:
                re.compile(pattern)
            except re.error as error:
                raise PluginError(f"{_WHERE}: {name}: {value!r} will not do; {error}") from None
    if method == "trainable_tokens" and not given.get("token_indices"):
        raise PluginError(f"{_WHERE}: trainable_tokens trains no tokens; give it token_indices")


def _names(config: type[PeftConfig]) -> set[str]:
    return {field.name for field in dataclasses.fields(config)}


def _made(config: type[PeftConfig], fields: dict[str, Any]) -> PeftConfig:
    try:
        return config(**fields)
    except (ValueError, TypeError) as error:
        raise PluginError(f"{_WHERE}: {fields} will not do; PEFT says: {' '.join(str(error).split())}") from error
