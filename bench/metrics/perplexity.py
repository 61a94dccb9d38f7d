"""How well a language model predicts the held-out texts."""

import math

import numpy as np
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item, ratio

NEEDS = ("text", "likelihood")
PRIMARY = "bits_per_byte"


@torch.inference_mode()
def perplexity(evaluation: Evaluation) -> list[Score]:
    """Perplexity per token, and bits per byte of UTF-8, of the test split.

    Perplexity is exp of the mean negative log-likelihood in nats per token; it compares models of one tokenizer.
    Bits per byte divides by the texts' length in bytes and compares any two models. The end of a text is not counted.
    Standard errors take the texts as independent, not their tokens (perplexity's by the delta method).

    Paper: Jelinek et al. (1977), Perplexity: a measure of the difficulty of speech recognition tasks; Gao et al.
    (2020), The Pile (bits per byte).
    """
    each = [evaluation.model.nll(batch) for batch in batches(evaluation)]
    nats, tokens = (per_item(evaluation, torch.cat(parts).cpu().numpy()) for parts in zip(*each, strict=True))
    size = np.array([len(text.encode("utf-8", "surrogatepass")) for text in evaluation.data.test])
    mean, error = ratio(nats, tokens)
    bits, bits_error = ratio(nats / math.log(2), size)
    value = math.inf if mean > 700 else math.exp(mean)  # beyond it a float overflows
    spread = None if error is None or math.isinf(value) else value * error
    return [
        Score("perplexity", value, "", "lower", len(size), spread),
        Score("bits_per_byte", bits, "bits/byte", "lower", len(size), bits_error),
    ]
