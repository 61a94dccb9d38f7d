"""How much texts repeat each other, from the counts of their n-grams (n = 1 to 4)."""

import math
from collections import Counter
from typing import Any

import numpy as np
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.helpers import extract_all_word_ngrams
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from scipy.sparse import csr_array

from bench.metrics._words import spaced

ORDERS = (1, 2, 3, 4)

Counts = Counter[tuple[str, ...]]
"""How often each n-gram of words occurs in a text."""

_tokenize = Tokenizer13a()


def ngrams(text: str) -> Counts:
    """The n-grams of a text's words, as sacrebleu's 13a tokenizer splits them; letters of scripts without spaces are
    words of their own."""
    counts: Counts = extract_all_word_ngrams(_tokenize(spaced(text.rstrip())), ORDERS[0], ORDERS[-1])[0]
    return counts


def distinct(texts: list[Counts], order: int) -> float:
    """Distinct n-grams of all texts together, over their number of words (as Li et al. scale it)."""
    different = {ngram for counts in texts for ngram in counts if len(ngram) == order}
    return len(different) / sum(_total(counts, 1) for counts in texts)


def distinct_without(texts: list[Counts], order: int) -> np.ndarray:
    """:func:`distinct` of all texts but one, for each: shape (texts,), at least two of them with words."""
    owners: dict[tuple[str, ...], int] = {}
    for owner, counts in enumerate(texts):
        for ngram in counts:
            if len(ngram) == order:
                owners[ngram] = -1 if ngram in owners else owner
    alone = np.bincount([owner for owner in owners.values() if owner >= 0], minlength=len(texts))
    lengths = np.array([_total(counts, 1) for counts in texts])
    without: np.ndarray = (len(owners) - alone) / (lengths.sum() - lengths)
    return without


def self_bleu(texts: list[Counts]) -> float:
    """Mean over texts of the BLEU-4 of each with all others as its references, from 0 to 100.

    Counts are clipped by each n-gram's highest count among the other texts, which is the highest or, for the text that
    has that, the second highest of all: the same number as from n calls of sacrebleu's ``sentence_score`` (effective
    order, zero counts floored at 0.1 as in Texygen) in time that grows with n instead of n².
    """
    highest: dict[tuple[str, ...], tuple[int, int, int]] = {}  # n-gram: highest count, whose it is, second highest
    for owner, counts in enumerate(texts):
        for ngram, count in counts.items():
            first, whose, second = highest.get(ngram, (0, -1, 0))
            highest[ngram] = (count, owner, first) if count > first else (first, whose, max(second, count))
    lengths = Counter(_total(counts, 1) for counts in texts)
    scores = []
    for owner, counts in enumerate(texts):
        matched, total = [0] * len(ORDERS), [_total(counts, order) for order in ORDERS]
        for ngram, count in counts.items():
            first, whose, second = highest[ngram]
            matched[len(ngram) - 1] += min(count, second if whose == owner else first)
        closest = _closest(total[0], lengths)
        score = BLEU.compute_bleu(matched, total, total[0], closest, "floor", 0.1, effective_order=True)
        scores.append(score.score)
    return float(np.mean(scores))


def _closest(length: int, lengths: Counter[int]) -> int:
    """The other text's length that is closest to ``length``, the smaller of two."""
    others = (other for other, texts in lengths.items() if other != length or texts > 1)
    return min(others, key=lambda other: (abs(other - length), other))


def _total(counts: Counts, order: int) -> int:
    return sum(count for ngram, count in counts.items() if len(ngram) == order)


def ngram_vectors(texts: list[Counts]) -> Any:
    """Unit vectors whose inner product is the mean cosine of two texts' n-gram counts over n.

    Returns:
        Sparse matrix of shape (texts, different n-grams). A text too short for an n has a vector of the others alone.
    """
    columns: dict[tuple[str, ...], int] = {}
    entries: list[tuple[float, int, int]] = []
    for row, counts in enumerate(texts):
        squares = Counter[int]()
        for ngram, count in counts.items():
            squares[len(ngram)] += count**2
        for ngram, count in counts.items():
            length = math.sqrt(squares[len(ngram)] * len(squares))
            entries.append((count / length, row, columns.setdefault(ngram, len(columns))))
    values, rows, places = zip(*entries, strict=True)
    return csr_array((values, (rows, places)), shape=(len(texts), len(columns)))
