"""How much of what should have been written stands in what was written."""

from pathlib import Path
from typing import Any, Literal

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from sacrebleu.utils import SACREBLEU_DIR

from bench.errors import NotApplicable, PluginError
from bench.evaluation import Evaluation, Score
from bench.metrics._items import by_condition, standard_error
from bench.metrics._words import without_spaces, words
from bench.options import Natural

NEEDS = ("text", "condition", "samples")

_ROUGE = {"rouge1": 1, "rouge2": 2, "rougeL": 1}
"""Kinds, and how many words a reference needs so that there is something to find."""

_BLEU_WORDS = 4  # of the longest n-gram
_BY_SPACES = ("13a", "intl")
_PARTS = "zh, ja-mecab, char or flores200"


def overlap(
    evaluation: Evaluation,
    *,
    bootstraps: Natural = 1000,
    tokenizer: Literal["13a", "intl", "zh", "ja-mecab", "ko-mecab", "char", "flores101", "flores200"] = "13a",
) -> list[Score]:
    """BLEU, chrF and ROUGE-1/2/L of each sample against what the test split has for its source; exact matches.

    BLEU and chrF are sacrebleu's of all samples together, from 0 to 100
    (``nrefs:1|case:mixed|eff:no|tok:13a|smooth:exp`` and ``nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no``, that is
    chrF2); their standard errors are bootstrapped over samples. With another tokenizer than 13a the score's name has
    it, as in ``bleu[tok:zh]``. There is no BLEU by 13a of texts without spaces between words, of which it makes one
    word each, and none where no reference has four words. ROUGE is the mean over samples of rouge-score's F1 without
    stemming, from 0 to 1, its L over the whole text at once. Its words are those of rouge-score where a text is in
    ASCII, else runs of letters of any script, and single characters of scripts without spaces. Samples whose reference
    is too short for a kind of ROUGE are left out of it. A match is exact up to white space at the ends. There is one
    reference each, in full, however long the model's rows are.

    Paper: Papineni et al. 2002 (BLEU); Popović 2015 (chrF); Lin 2004 (ROUGE); Hu et al. 2015, LCSTS (ROUGE by
    character); Post 2018, A Call for Clarity in Reporting BLEU Scores (sacrebleu); Koehn 2004, Statistical Significance
    Tests (bootstrap)

    Args:
        bootstraps: how often samples are drawn anew for a standard error; 0 for none.
        tokenizer: sacrebleu's, of BLEU. For ja-mecab and ko-mecab install sacrebleu[ja] and sacrebleu[ko]; flores101
            and flores200 take the package sentencepiece, and a file that ``bench fetch`` brings.
    """
    texts, wanted = list(evaluation.samples), list(evaluation.wanted)
    n = len(texts)
    if n < 2:
        raise NotApplicable(f"overlap needs at least 2 samples; there is {n}")
    if not any(map(str.strip, wanted)):
        raise NotApplicable("overlap needs references with something in them; all are empty")
    random = np.random.default_rng(evaluation.seed)
    bleu, name = _bleu(tokenizer), "bleu" if tokenizer == "13a" else f"bleu[tok:{tokenizer}]"
    missing = [reason] if (reason := _no_bleu(bleu, tokenizer, wanted)) else []
    metrics = [] if missing else [(name, "BLEU", bleu)]
    scores = [
        Score(name, value, unit, "higher", n, error)
        for name, unit, metric in (*metrics, ("chrf", "chrF", CHRF()))
        for value, error in [corpus(metric, texts, wanted, bootstraps, random)]
    ]
    scorer, lengths = RougeScorer(list(_ROUGE), tokenizer=_Words()), [len(words(right)) for right in wanted]
    each = [scorer.score(right, text) for text, right in zip(texts, wanted, strict=True)]
    for kind, needed in _ROUGE.items():
        kept = np.flatnonzero(np.array(lengths) >= needed)
        found = np.array([each[index][kind].fmeasure for index in kept])
        scores += [_mean(kind, found, by_condition(evaluation, found, kept))] if len(kept) else []
        missing += (
            [] if len(kept) else [f"{kind} needs references of {needed} word{'s' * (needed > 1)}, and there are none"]
        )
    same = np.array([text.strip() == right.strip() for text, right in zip(texts, wanted, strict=True)], float)
    scores.append(_mean("exact_match", same, by_condition(evaluation, same)))
    if missing:
        raise NotApplicable("; ".join(missing), scores)
    return scores


def fetch(*, bootstraps: Natural = 1000, tokenizer: str = "13a") -> bool:
    """Bring what the tokenizer needs, and say whether it was missing; :class:`PluginError` where it cannot be had."""
    models = Path(SACREBLEU_DIR, "models")
    before = set(models.glob("*"))
    _bleu(tokenizer)
    return set(models.glob("*")) != before


def _bleu(tokenizer: str) -> Any:
    try:
        return BLEU(tokenize=tokenizer)
    except (Exception, SystemExit) as error:
        said = " ".join(str(error).split())
        remedy = "install or fetch what it asks for, or take char"
        raise PluginError(f"metric overlap: option 'tokenizer': {tokenizer} is not there ({said}); {remedy}") from error


def _no_bleu(bleu: Any, tokenizer: str, wanted: list[str]) -> str:
    """Why BLEU would be 0 whatever is written; empty where it would not."""
    if tokenizer in _BY_SPACES and without_spaces(wanted):
        remedy = f"take {_PARTS} as the option 'tokenizer'"
        return f"bleu by {tokenizer} takes a text without spaces between words for one word; {remedy}"
    if not any(len(bleu.tokenizer(text.rstrip()).split()) >= _BLEU_WORDS for text in wanted):
        return f"bleu needs references of {_BLEU_WORDS} words, and there are none"
    return ""


class _Words:
    """The words of ROUGE, as rouge-score asks for them."""

    def tokenize(self, text: str) -> list[str]:
        return words(text)


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


def _mean(name: str, values: np.ndarray, each: np.ndarray | None) -> Score:
    return Score(name, float(values.mean()), "", "higher", len(values), standard_error(values), each)
