"""Networks with the weights of a checkpoint, where these are all of the network's and none besides."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn
from transformers import AutoModel, AutoModelForPreTraining

from bench import extent, weights
from bench.errors import CheckpointError, Unusable

_MASKS = re.compile(r".*\.(attn|attention)\.(masked_)?bias")
"""What transformers once saved beside the weights, and makes anew today."""


def fits(make: Callable[[], nn.Module]) -> None:
    """Raise :class:`CheckpointError` where a network is more than this machine's memory, before any of it is there."""
    try:
        with torch.device("meta"):  # which takes neither time nor memory
            made = make()
    except Exception:  # what is wrong is said where it is built
        return
    try:
        extent.fit(sum(weight.numel() for weight in made.parameters()))
    except Unusable as reason:
        raise CheckpointError(f"{reason.problem}; {reason.remedy}") from None


def component(kind: Any, checkpoint: str, part: str = "", **options: Any) -> Any:
    """The network in a checkpoint's folder ``part``, in the checkpoint itself where that is how old pipelines lie.

    Raises :class:`CheckpointError`.
    """
    if part and (Path(checkpoint, part).is_dir() or not Path(checkpoint).is_dir()):
        options["subfolder"] = part
    network, info = kind.from_pretrained(checkpoint, **weights.SAID, **options)
    if fault := weights.fault(info, f"its {part}" if part else "it") or infinite(dict(network.named_parameters())):
        raise CheckpointError(fault)
    return network


def fault(network: Any, info: dict[str, Any], new: tuple[str, ...] = ()) -> str:
    """:func:`bench.weights.fault` of a network of transformers, which shares its body with networks for other tasks.

    Args:
        network: as it was loaded.
        info: what was said of that.
        new: parts of names of weights that no checkpoint has, as they are learned here or never used.
    """
    said = info | {"missing_keys": [name for name in info["missing_keys"] if not any(part in name for part in new)]}
    wrong = weights.fault(said, spare=_heads(network, info["unexpected_keys"]))
    return wrong or infinite(dict(network.named_parameters()))


def infinite(known: Mapping[str, Tensor]) -> str:
    """Which of the weights are no numbers, and the remedy; empty where all are. A sum tells most often, in one pass."""
    for name, weight in known.items():
        if not weight.is_meta and not weight.sum().isfinite() and not bool(weight.isfinite().all()):
            return f"its {name} holds NaN or infinity; name a checkpoint from before its training diverged"
    return ""


def _heads(network: Any, unused: set[str]) -> set[str]:
    """Which unused weights a network of this very config has for another task: a layer too many is none of these."""
    prefix, known = f"{network.base_model_prefix}.", set[str]()
    saved_as = [getattr(transformers, name, None) for name in network.config.architectures or ()]
    kinds = [AutoModel.from_config, AutoModelForPreTraining.from_config, *(k._from_config for k in saved_as if k)]
    for make in kinds if unused else ():
        try:
            with torch.device("meta"):
                known |= {name.removeprefix(prefix) for name in make(network.config).state_dict()}
        except Exception:  # noqa: S112  # a type of model without one
            continue
    return {name for name in unused if name.removeprefix(prefix) in known or _MASKS.fullmatch(name)}
