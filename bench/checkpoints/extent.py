"""How large a network is that a config asks for, at least: from its numbers, before anything is built.

The words that libraries have for widths and depths are alike; what is not understood counts as nothing. So the estimate
is far below what real networks take, and only what no machine like this one could hold is refused. Each whole number is
bounded, whatever it is called, but for names of what is no size: an unknown one may multiply memory or time as well.
Imports no torch.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from bench.errors import Unusable

_WIDEST, _DEEPEST, _LONGEST, _EXPERTS, _SIDES = 1 << 20, 2000, 1 << 25, 1 << 14, 1 << 14
"""No network is so wide (a vocabulary aside), has so many layers, each of which takes its time to build, reads so much
or knows so many tokens, has so many experts, or makes pictures of such sides."""

_WIDTH = re.compile(
    r"(hidden|embed|embd|inner|intermediate|ffn|ff|filter|model|state|head|code|latent|projection)_?(size|dim|channels)?s?"
    r"|.*(hidden_size|hidden_dim|ffn_dim|intermediate_size|embedding_size|head_dim|latent_dim|attention_dim|channels)"
    r"|.*(n_embd|n_inner|d_model|d_ff|d_kv|dim|width|num_heads|n_heads?|attention_heads|num_key_value_heads)"
    r"|(.*_)?channel_(base|max)|[zw]_dim|norm_num_groups"
)
_DEPTH = re.compile(r"(.*_)?(n_|num_)?(layers?|blocks)|.*layers_per_block|downsamplings|depth|num_hidden_groups")
_LENGTH = re.compile(r".*positions|.*position_embeddings|n_ctx|max_seq_len|length|sample_size")
_VOCABULARY, _MIXTURE = re.compile(r".*vocab_size.*"), re.compile(r".*(num|n)_.*experts")
_FREE = re.compile(
    r".*(token|index|indices|idx|offset|seed|theta|version|freq|rate|floor|chunk|param|flop|byte|date|stamp|max_length)"
    r".*|(.*_)?(id|ids|at)"
)
"""What is no size, and may be any number."""
_ANY = re.compile(".*", re.DOTALL)
_LIMITS = (
    (_MIXTURE, _EXPERTS, "has more experts than any network"),
    (_VOCABULARY, _LONGEST, "is more tokens than any network knows"),
    (_WIDTH, _WIDEST, "is wider than any network"),
    (_DEPTH, _DEEPEST, "is deeper than any network"),
    (_LENGTH, _LONGEST, "is longer than any network"),
    (_FREE, None, ""),
    (_ANY, _WIDEST, "is more than any network has"),
)
"""Of the words that fit a key the first count."""
_SIZE = re.compile(
    r"(vocab|hidden|intermediate|sample)_size|n_(embd|inner|heads?|layers?|positions|ctx)|d_(model|ff|kv)|num_heads"
    r"|(num_)?((encoder|decoder|hidden)_)?layers|(num_|encoder_|decoder_)?(attention|key_value)_heads"
    r"|((encoder|decoder)_)?ffn_dim|max_position_embeddings|(block_out|in|out|img|base|latent)_channels|layers_per_block"
    r"|num_train_timesteps|norm_num_groups|cross_attention_dim|channel_(base|max)|img_resolution|[zw]_dim|latent_dim"
)
"""What is one or more wherever it is said; of others 0 may mean none, and -1 the last."""
_SIDE = re.compile(r"hidden_size|n_embd|d_model|dim|w_dim")
_PLACES = re.compile(r"(type_)?vocab_size|n_positions")
_INNER = re.compile(r"(moe_)?intermediate_size")
_ANYWHERE = 2**28
"""Bytes of weights that every machine holds which can import torch."""


def check(config: dict[str, Any], where: str = "") -> None:
    """Raise :class:`Unusable` where a network of this config cannot be built on this machine.

    Args:
        config: an architecture or a ``config.json``, in the words of whatever library; mappings inside count as well.
        where: it stands, for the message.
    """
    for path, part in _mappings(config, where):
        for key, value in part.items():
            _bounded(f"{path}{key}", key, value, waves=part.get("_class_name") == "UNet1DModel")
            if _SIZE.fullmatch(key) and value is not None and not isinstance(value, dict):
                for size in value if isinstance(value, list | tuple) else (value,):
                    _whole(f"{path}{key}", size)
    fit(sum(_weights(part) for _, part in _mappings(config, "")), where, "ask for fewer layers or narrower ones")


def _bounded(where: str, key: str, value: Any, *, waves: bool) -> None:
    words, most, far = next(limit for limit in _LIMITS if limit[0].fullmatch(key))
    if key in ("sample_size", "img_resolution") and not waves:
        most, far = _SIDES, "is more than the side of any picture"
    number = max(_numbers(value, whole=words is _ANY), default=0)
    if most is not None and number > most:
        raise Unusable(f"{where}: {number:.0f} {far}", f"ask for {most} or fewer")
    if isinstance(value, list | tuple) and len(value) > _DEEPEST and _WIDTH.fullmatch(key):
        raise Unusable(f"{where}: {len(value)} stages are too many", f"ask for {_DEEPEST} or fewer")


def _whole(where: str, size: Any) -> None:
    if type(size) is not int and not (isinstance(size, float) and size.is_integer()):
        raise Unusable(
            f"{where}: {json.dumps(size, default=str)[:40]} is no whole number", "write one without quotes or fractions"
        )
    if size < 1:
        raise Unusable(f"{where}: {str(size)[:40]} is no size", "ask for 1 or more")


def fit(count: float, where: str = "", remedy: str = "name a smaller one") -> None:
    """Raise :class:`Unusable` where so many weights, in full precision, are more than this machine's memory."""
    needed = 4 * count
    if needed > _ANYWHERE and needed > (there := _memory()):
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
    experts = max((n for key, value in part.items() if _MIXTURE.fullmatch(key) for n in _numbers(value)), default=0)
    inner = min((n for key, value in part.items() if _INNER.fullmatch(key) for n in _numbers(value)), default=0)
    rows += experts * inner  # of one layer: others may have none
    return side * (side * max(depth, 1) + rows) + sum(9 * n * n for n in channels) + 9 * wide * wide


def _mappings(config: dict[str, Any], path: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """A config and those inside it, with the place of each."""
    yield path, {str(key): value for key, value in config.items()}
    for key, value in config.items():
        if isinstance(value, dict) and not str(key).endswith("2id") and not str(key).startswith("id2"):
            yield from _mappings(value, f"{path}{key}.")


def _numbers(value: Any, *, whole: bool = False) -> list[float]:
    """Numbers that may be sizes, of a list too; or of these the ``whole`` ones only."""
    values = value if isinstance(value, list | tuple) else [value]
    known = [n for n in values if isinstance(n, int if whole else int | float) and not isinstance(n, bool)]
    return [float(min(n, 10**18)) for n in known if n > 0]  # and no NaN


def _memory() -> int:
    import psutil  # which a plan of recipes that are small does not need

    return int(psutil.virtual_memory().total + psutil.swap_memory().total)


def _gigabytes(size: float) -> str:
    return f"{size / 2**30:,.0f} GB"
