"""Whether a network knows every token that a text can become, from the files of both. Imports no torch."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from bench.checkpoints import kinds
from bench.errors import Unusable

_WORDS = ("token", "vocab", "spiece", "sentencepiece", "merges", "bpe", ".model", ".spm", ".tiktoken", ".py")
"""What names of a tokenizer's files have in them."""

_BESIDE = ("tokenizer_config.json", "special_tokens_map.json", "added_tokens.json")


def check(folder: Path, config: dict[str, Any]) -> None:
    """Raise :class:`Unusable` where a folder has no tokenizer, a damaged one, or tokens the network does not know."""
    names = [path.name.lower() for path in folder.iterdir() if not path.name.endswith((".safetensors", ".index.json"))]
    if not any(word in name for name in names for word in _WORDS):
        raise Unusable("it has no tokenizer", "save its tokenizer beside the weights")
    text = config.get("text_config")
    known = (text if isinstance(text, dict) else config).get("vocab_size")
    tokenizer, *_ = (kinds.read(folder / name) for name in ("tokenizer.json", *_BESIDE))
    token, highest = _last(tokenizer)
    if type(known) is int and highest >= known:
        raise Unusable(*beyond(token, highest, known))


def unknown(ids: Mapping[str, int], known: int) -> str:
    """What is wrong with a tokenizer, all of whose tokens a text may hold, beside a network that knows so many, and the
    remedy; empty where nothing is."""
    last = max(ids, key=ids.__getitem__, default="")
    return "; ".join(beyond(last, ids[last], known)) if last in ids and ids[last] >= known else ""


def beyond(token: str, index: int, known: int) -> tuple[str, str]:
    """What is wrong with a token whose id is beyond the last that a network has an embedding for, and the remedy."""
    problem = f"its tokenizer has the token {token[:40]!r} with the id {index}, the network knows {known} tokens"
    remedy = "take its own tokenizer, take that token out, or resize the network (resize_token_embeddings) and save it"
    return problem, remedy


def _last(said: dict[str, Any]) -> tuple[str, int]:
    """Of the tokens that a text can become the one of the highest id. Marks are none: in a text they are letters."""
    try:
        words, added = said.get("model", {}).get("vocab", {}), said.get("added_tokens", [])
        listed = words if isinstance(words, list) else []  # as Unigram models have it
        ids = dict(words) if isinstance(words, dict) else {entry[0]: index for index, entry in enumerate(listed)}
        ids |= {entry["content"]: entry["id"] for entry in added}
        marks = {entry["content"] for entry in added if entry["special"]}
        last = max((token for token in ids if token not in marks), key=ids.__getitem__)
        return last, int(ids[last])
    except (ValueError, TypeError, KeyError, IndexError, AttributeError):
        return "", -1  # in a form that its library may know
