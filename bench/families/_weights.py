"""Networks with the weights of a checkpoint, where these are all of the network's and none besides."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.checkpoints import extent, weights
from bench.errors import CheckpointError, Unusable


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
    """:func:`bench.checkpoints.weights.fault` of a network of transformers, whose body serves other tasks as well.

    Args:
        network: as it was loaded.
        info: what was said of that.
        new: parts of names of weights that no checkpoint has, as they are learned here or never used.
    """
    said = info | {"missing_keys": [name for name in info["missing_keys"] if not any(part in name for part in new)]}
    wrong = weights.fault(said, spare=_spare(network, info["unexpected_keys"]))
    return wrong or infinite(dict(network.named_parameters()))


def infinite(known: Mapping[str, Tensor]) -> str:
    """Which of the weights are no numbers, and the remedy; empty where all are. A sum tells most often, in one pass."""
    for name, weight in known.items():
        if not weight.is_meta and not weight.sum().isfinite() and not bool(weight.isfinite().all()):
            return f"its {name} holds NaN or infinity; name a checkpoint from before its training diverged"
    return ""


def _spare(network: Any, unused: set[str]) -> set[str]:
    """Which unused weights are neither of a layer more than the network has, nor of one that it has without them.

    They are of a head for another task, such as BERT's pooler, or what old releases saved beside the weights.
    """
    prefix = f"{network.base_model_prefix}."
    layers = {_any_layer(name.removeprefix(prefix)).rpartition(".")[0] for name in network.state_dict()}
    return {name for name in unused if _any_layer(name.removeprefix(prefix)).rpartition(".")[0] not in layers}


def _any_layer(name: str) -> str:
    return re.sub(r"\d+", "#", name)
