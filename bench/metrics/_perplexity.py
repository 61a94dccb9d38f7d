"""From the nats that texts cost to scores: per token, and per byte."""

import math
from collections.abc import Iterable
from typing import Any

import numpy as np

from bench.errors import NotApplicable
from bench.evaluation import Score
from bench.metrics._items import ratio, shares


def scores(
    nats: np.ndarray, tokens: np.ndarray, texts: Iterable[Any], prefix: str = "", sizes: np.ndarray | None = None
) -> list[Score]:
    """Perplexity and bits per byte with their standard errors, perplexity's by the delta method.

    Args:
        nats, tokens: what each text contributes, both of shape (texts,).
        texts: what was scored.
        prefix: of the scores' names.
        sizes: bytes of each text that were scored, where these are not all.
    """
    size = np.array([len(text.encode("utf-8", "surrogatepass")) for text in texts]) if sizes is None else sizes
    if not (size.sum() and tokens.sum()):
        raise NotApplicable("the likelihood of texts needs something in them; to the tokenizer all are empty")
    mean, error = ratio(nats, tokens)
    bits, bits_error = ratio(nats / math.log(2), size)
    value = math.inf if mean > 700 else math.exp(mean)  # beyond it a float overflows
    spread = None if error is None or math.isinf(value) else value * error
    each = None if math.isinf(value) else shares(nats, tokens, value, slope=value)
    each_bits = shares(nats / math.log(2), size)
    return [
        Score(f"{prefix}perplexity", value, "", "lower", len(size), spread, each),
        Score(f"{prefix}bits_per_byte", bits, "bits/byte", "lower", len(size), bits_error, each_bits),
    ]
