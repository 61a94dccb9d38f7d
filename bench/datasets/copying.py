"""Generated text: words, and the same words again."""

import numpy as np

from bench.dataset import Dataset
from bench.datasets._generated import check_range, texts
from bench.options import Count

MODALITY = "text"

CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def copying(*, words: Count = 8) -> Dataset:
    """A line of made-up words, and the same line once more.

    A line has half of ``words`` to ``words`` of them, each of one to three syllables of a consonant and a vowel, drawn
    evenly: the first line can only be guessed, the second only be copied. No text occurs twice.

    Paper: Wu et al. 2022, Insights into Pre-training via Simpler Synthetic Tasks; Krishna et al. 2021, Does Pretraining
    for Summarization Require Knowledge Transfer?

    Args:
        words: in a line, at most; 4 to 50.
    """
    check_range("copying", "words", words, 4, 50)

    def draw(random: np.random.Generator) -> str:
        line = " ".join(_word(random) for _ in range(random.integers(words // 2, words + 1)))
        return f"{line}\n{line}"

    return texts("copying", draw)


def _word(random: np.random.Generator) -> str:
    letters = random.integers((len(CONSONANTS), len(VOWELS)), size=(random.integers(1, 4), 2))
    return "".join(CONSONANTS[consonant] + VOWELS[vowel] for consonant, vowel in letters)
