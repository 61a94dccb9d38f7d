"""Whether a network has an embedding for every token that a tokenizer can hand it, and a logit."""

from collections.abc import Iterable
from typing import Any

from bench.checkpoints import vocabulary


def words(tokenizer: Any) -> dict[int, str]:
    """Id to token of those that a text can become: ids may have gaps, and those of added tokens count. Marks are none,
    since a text is read with ``split_special_tokens``; a family says which of them it uses."""
    marks = {index for index, token in tokenizer.added_tokens_decoder.items() if token.special}
    return {index: token for token, index in tokenizer.get_vocab().items() if index not in marks}


def fault(tokenizer: Any, network: Any, used: Iterable[int] = ()) -> str:
    """What is wrong with a tokenizer beside a network, and the remedy; empty where nothing is.

    Args:
        tokenizer: of transformers.
        network: a language model of transformers.
        used: tokens that are given to it whatever a text holds, such as its start.
    """
    known = rows(network, separate=bool(getattr(tokenizer, "separate_vocabs", False)))
    given = words(tokenizer) | {index: str(tokenizer.convert_ids_to_tokens(index)) for index in used}
    last = max(given, default=-1)
    return "; ".join(vocabulary.beyond(given[last], last, known)) if last >= known else ""


def rows(network: Any, *, separate: bool = False) -> int:
    """Tokens that a network knows wherever it reads or writes one.

    Args:
        network: a language model of transformers.
        separate: whether it writes other tokens than it reads, which are then not counted.
    """
    embeddings = [network.get_input_embeddings()]
    if getattr(network.config, "is_encoder_decoder", False) and not separate:
        embeddings += [network.get_decoder().get_input_embeddings()]
    if not separate:
        embeddings += [network.get_output_embeddings()]
    weights = [getattr(part, "weight", None) for part in embeddings]
    return min(int(weight.shape[0]) for weight in weights if weight is not None and weight.ndim == 2)
