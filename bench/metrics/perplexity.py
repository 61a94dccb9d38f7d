"""How well a language model predicts the held-out texts."""

import torch

from bench.dataset import Columns
from bench.evaluation import Evaluation, Score
from bench.metrics._items import batches, per_item
from bench.metrics._perplexity import scores
from bench.metrics._round_trip import round_trip

NEEDS = ("text", "likelihood")
PRIMARY = "bits_per_byte"


@torch.inference_mode()
def perplexity(evaluation: Evaluation) -> list[Score]:
    """Perplexity per token, and bits per byte of UTF-8, of the test split.

    Perplexity is exp of the mean negative log-likelihood in nats per token; it compares models of one tokenizer.
    Bits per byte divides by the texts' length in bytes and compares any two models whose tokenizers lose nothing. One
    that does (case, accents, unknown words, line feeds) is spared predicting it: ``unrestored`` is the share of the
    texts' bytes that it does not give back, and where it is above 0 the scores compare approaches on this model, and no
    models. The end of a text is not counted. Standard errors take the texts as independent, not their tokens
    (perplexity's by the delta method).

    Of a family that reads one text and writes another it is the likelihood of the second given the first. Where such a
    family cuts long texts, what is cut off counts neither in nats nor in bytes, and ``truncated`` is the share of the
    items in which something was, in either text.

    Paper: Jelinek et al. (1977), Perplexity: a measure of the difficulty of speech recognition tasks; Gao et al.
    (2020), The Pile (bits per byte).
    """
    each = [evaluation.model.nll(batch) for batch in batches(evaluation)]
    nats, tokens = (per_item(evaluation, torch.cat(parts).cpu().numpy()) for parts in zip(*each, strict=True))
    rows, test = evaluation.encode("test"), evaluation.data.test
    texts = test[evaluation.model.generated] if isinstance(test, Columns) else test
    found = scores(nats, tokens, texts, sizes=rows["bytes"].numpy() if "bytes" in rows else None)
    found += round_trip(evaluation, test)
    if "cut" in rows:
        found.append(Score("truncated", float(rows["cut"].double().mean()), "", "none", len(test)))
    return found
