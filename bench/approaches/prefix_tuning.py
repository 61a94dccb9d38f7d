"""Learned keys and values before those of each row, in every layer."""

from typing import Any

import torch
from peft import PrefixTuningConfig

from bench.approaches import _key_values
from bench.approaches._prompts import put_before
from bench.errors import Incompatible, NotApplicable
from bench.options import Count
from bench.transfer import Transfer

NEEDS = ("soft_prompts",)
DECIDES = ("weights",)


def prefix_tuning(transfer: Transfer, *, tokens: Count = 10, projection: bool = True, hidden: Count = 512) -> None:
    """In every layer each row attends to learned keys and values before its own; no weight of the network changes.

    The prefix takes positions of the network. Where the model has no more than a row fills, rows get shorter.

    Paper: Li & Liang 2021, Prefix-Tuning: Optimizing Continuous Prompts for Generation

    Args:
        tokens: length of the prefix.
        projection: whether keys and values come out of a small network, which steadies training.
        hidden: width of that network.
    """
    heads, width, layers = _keys(transfer.model.network)
    config = PrefixTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=tokens,
        prefix_projection=projection,
        encoder_hidden_size=hidden,
        token_dim=heads * width,
        num_attention_heads=heads,
        num_layers=layers,
    )
    put_before(transfer, "prefix_tuning", config)


@torch.no_grad()
def _keys(network: Any) -> tuple[int, int, int]:
    """Of the keys that a network keeps of what it has read: heads, width of a head, layers."""
    if getattr(network.config, "is_encoder_decoder", False):
        reason = "beside an encoder it would not generate by the probabilities that it is scored with"
        raise Incompatible(f"PEFT's prefixes are for decoders that stand alone: {reason}", "peft", "transformers")
    token = torch.zeros(1, 1, dtype=torch.int64, device=next(network.parameters()).device)
    cache = _key_values.kept(network.eval()(input_ids=token, use_cache=True))
    layers = getattr(cache, "layers", [])
    keys = [layer.keys for layer in layers if getattr(layer, "keys", None) is not None]
    if not keys or len(keys) < len(layers):
        raise NotApplicable(f"{type(network).__name__} has layers without keys and values that a prefix could be among")
    if len({tuple(found.shape) for found in keys}) > 1:
        raise NotApplicable(f"the layers of {type(network).__name__} keep keys of different shapes: no prefix fits all")
    _, heads, _, width = keys[0].shape
    return heads, width, len(keys)
