"""How well a masked language model restores the held-out texts."""

import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item
from bench.metrics._perplexity import scores
from bench.metrics._round_trip import round_trip
from bench.options import Count

NEEDS = ("text", "pseudo_likelihood")
PRIMARY = "pseudo_bits_per_byte"


@torch.inference_mode()
def pseudo_perplexity(evaluation: Evaluation, *, texts: Count = 256) -> list[Score]:
    """Pseudo-perplexity per token, and pseudo bits per byte of UTF-8, of the test split.

    Each token is masked in turn, and predicted from all others of its row. Pseudo-perplexity is exp of the mean of
    minus the log-probabilities, in nats per token; pseudo bits per byte divides their sum by the texts' length in
    bytes. Since each token is predicted from both sides, these are no perplexity and no bits per byte: they compare
    masked language models with each other, the latter of different tokenizers too, as far as these lose nothing. One
    that does (case, accents, unknown words) is spared predicting it: ``unrestored`` is the share of the texts' bytes
    that it does not give back. Standard errors take the texts as independent, not their tokens (pseudo-perplexity's by
    the delta method).

    Paper: Salazar et al. 2020, Masked Language Model Scoring

    Args:
        texts: of the test split the first so many are scored: each token of them takes a pass through the network.
    """
    count = min(texts, len(evaluation.data.test))
    each = [evaluation.model.nll(batch) for batch in batches(evaluation, count)]
    nats, tokens = (per_item(evaluation, torch.cat(part).cpu().numpy(), count) for part in zip(*each, strict=True))
    scored = evaluation.data.test[:count]
    return scores(nats, tokens, scored, prefix="pseudo_") + round_trip(evaluation, scored)
