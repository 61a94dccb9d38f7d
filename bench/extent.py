"""How large a network is that a config asks for, at least: from its numbers, before anything is built.

The words that libraries have for widths and depths are alike; what is not understood counts as nothing. So the estimate
is far below what real networks take, and only what no machine like this one could hold is refused. Imports no torch.
"""

import re
from collections.abc import Iterator
from typing import Any

import psutil

from bench.errors import Unusable

_WIDEST, _DEEPEST, _LONGEST = 1 << 20, 10_000, 1 << 30
"""No network is so wide (a vocabulary aside), has so many layers, each of which takes its time to build, or reads so
much at once."""

_WIDTH = re.compile(
    r"(hidden|embed|embd|inner|intermediate|ffn|ff|filter|model|state|head|code|latent|projection)_?(size|dim|channels)?s?"
    r"|.*(hidden_size|hidden_dim|ffn_dim|intermediate_size|embedding_size|head_dim|latent_dim|attention_dim|channels)"
    r"|.*(n_embd|n_inner|d_model|d_ff|d_kv|dim|width|num_heads|n_heads?|attention_heads|num_key_value_heads)"
    r"|(.*_)?channel_(base|max)|[zw]_dim|img_resolution|norm_num_groups|.*(num|n)_.*experts"
)
_DEPTH = re.compile(r"(.*_)?(n_|num_)?(layers?|blocks)|.*layers_per_block|downsamplings|depth")
_LENGTH = re.compile(r".*positions|.*position_embeddings|n_ctx|max_seq_len|length|sample_size")
_LIMITS = (_WIDTH, _WIDEST, "wider"), (_DEPTH, _DEEPEST, "deeper"), (_LENGTH, _LONGEST, "longer")
_SIDE = re.compile(r"hidden_size|n_embd|d_model|dim|w_dim")
_PLACES = re.compile(r"vocab_size|n_positions")


def check(config: dict[str, Any], where: str = "") -> None:
    """Raise :class:`Unusable` where a network of this config cannot be built on this machine.

    Args:
        config: an architecture or a ``config.json``, in the words of whatever library; mappings inside count as well.
        where: it stands, for the message.
    """
    for path, part in _mappings(config, where):
        for key, value in part.items():
            for words, most, far in _LIMITS:
                if words.fullmatch(key) and (number := max([*_numbers(value), 0])) > most:
                    problem = f"{path}{key}: {number:.0f} is {far} than any network"
                    raise Unusable(problem, f"ask for {most} or fewer")
            if isinstance(value, list | tuple) and len(value) > _DEEPEST and _WIDTH.fullmatch(key):
                raise Unusable(f"{path}{key}: {len(value)} stages are too many", f"ask for {_DEEPEST} or fewer")
    fit(sum(_weights(part) for _, part in _mappings(config, "")), where, "ask for fewer layers or narrower ones")


def fit(count: float, where: str = "", remedy: str = "name a smaller one") -> None:
    """Raise :class:`Unusable` where so many weights, in full precision, are more than this machine's memory."""
    needed, there = 4 * count, _memory()
    if needed > there:
        problem = f"{where}its weights take {_gigabytes(needed)} at least, and this machine has {_gigabytes(there)}"
        raise Unusable(f"{problem} of memory", f"{remedy}, or take a larger machine")


def _weights(part: dict[str, Any]) -> float:
    """Numbers in the weights that a mapping describes, at least."""
    side = max((n for key, value in part.items() if _SIDE.fullmatch(key) for n in _numbers(value)), default=0)
    depth = max((n for key, value in part.items() if _DEPTH.fullmatch(key) for n in _numbers(value)), default=1)
    rows = sum(n for key, value in part.items() if _PLACES.fullmatch(key) for n in _numbers(value))
    channels = _numbers(part.get("block_out_channels", ()))
    base = max(_numbers(part.get("base_channels", 0)), default=0)  # which each halving doubles
    wide = base * 2 ** min(max(_numbers(part.get("downsamplings", 0)), default=0), 64)
    return side * (side * max(depth, 1) + rows) + sum(9 * n * n for n in channels) + 9 * wide * wide


def _mappings(config: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A config and those inside it, with the place of each."""
    yield path, {str(key): value for key, value in config.items()}
    for key, value in config.items():
        if isinstance(value, dict) and not str(key).endswith("2id") and not str(key).startswith("id2"):
            yield from _mappings(value, f"{path}{key}.")


def _numbers(value: Any) -> list[float]:
    """Numbers that may be sizes, of a list too."""
    values = value if isinstance(value, list | tuple) else [value]
    known = [n for n in values if isinstance(n, int | float) and not isinstance(n, bool)]
    return [float(min(n, 10**18)) for n in known if n > 0]  # and no NaN


def _memory() -> int:
    return int(psutil.virtual_memory().total + psutil.swap_memory().total)


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.0f} GB"
