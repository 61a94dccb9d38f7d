"""How much of what should have been written stands in what was written."""

from typing import Any

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._items import standard_error
from bench.options import Natural

NEEDS = ("text", "condition", "samples")

_ROUGE = ("rouge1", "rouge2", "rougeL")


def overlap(evaluation: Evaluation, *, bootstraps: Natural = 1000) -> list[Score]:
    """BLEU, chrF and ROUGE-1/2/L of each sample against what the test split has for its source; exact matches.

    BLEU and chrF are sacrebleu's of all samples together, from 0 to 100
    (``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`` and ``nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no``, that is
    chrF2); their standard errors are bootstrapped over samples. ROUGE is the mean over samples of rouge-score's F1
    without stemming, from 0 to 1, its L over the whole text at once; it reads ASCII letters and digits only. A match is
    exact up to white space at the ends. There is one reference each, in full, however long the model's rows are.

    Paper: Papineni et al. 2002 (BLEU); Popović 2015 (chrF); Lin 2004 (ROUGE); Post 2018, A Call for Clarity in
    Reporting BLEU Scores (sacrebleu); Koehn 2004, Statistical Significance Tests (bootstrap)

    Args:
        bootstraps: how often samples are drawn anew for a standard error; 0 for none.
    """
    texts, wanted = list(evaluation.samples), list(evaluation.wanted)
    n = len(texts)
    if n < 2:
        raise NotApplicable(f"overlap needs at least 2 samples; there is {n}")
    random = np.random.default_rng(evaluation.seed)
    scorer = RougeScorer(_ROUGE)
    each = [scorer.score(right, text) for text, right in zip(texts, wanted, strict=True)]
    same = np.array([text.strip() == right.strip() for text, right in zip(texts, wanted, strict=True)], float)
    return [
        *(
            Score(name, value, unit, "higher", n, error)
            for name, unit, metric in (("bleu", "BLEU", BLEU()), ("chrf", "chrF", CHRF()))
            for value, error in [corpus(metric, texts, wanted, bootstraps, random)]
        ),
        *(_mean(kind, np.array([scores[kind].fmeasure for scores in each])) for kind in _ROUGE),
        _mean("exact_match", same),
    ]


def corpus(
    metric: Any, texts: list[str], wanted: list[str], bootstraps: int, random: np.random.Generator
) -> tuple[float, float | None]:
    """A metric of sacrebleu over all texts together, and its bootstrapped standard error where one is asked for."""
    statistics = np.array(metric._extract_corpus_statistics(texts, [wanted]))

    def score(chosen: np.ndarray) -> float:
        return float(metric._compute_score_from_stats(statistics[chosen].sum(0).tolist()).score)

    n = len(texts)
    again = [score(random.integers(n, size=n)) for _ in range(bootstraps)]
    return score(np.arange(n)), float(np.std(again, ddof=1)) if bootstraps > 1 else None


def _mean(name: str, values: np.ndarray) -> Score:
    return Score(name, float(values.mean()), "", "higher", len(values), standard_error(values))
