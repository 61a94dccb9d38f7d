"""Generated text: brackets that close in the right order."""

import numpy as np

from bench.dataset import Dataset
from bench.datasets._generated import check_range, texts
from bench.options import Count

MODALITY = "text"

BRACKETS = ("()", "[]", "{}", "<>")


def nested_brackets(*, pairs: Count = 16, kinds: Count = 4) -> Dataset:
    """Well-nested brackets of up to four kinds: what closes is always what was opened last.

    A text, such as ``( [ ] { } )``, has half of ``pairs`` to ``pairs`` of them. Its form is drawn evenly from all that
    nest (a Dyck language, Arnold & Sleep 1980), and the kind of each pair evenly from all kinds. No text occurs twice;
    that two are near-duplicates is as unlikely as chance makes it.

    Paper: Papadimitriou & Jurafsky 2020, Learning Music Helps You Read; Ri & Tsuruoka 2022, Pretraining with Artificial
    Language

    Args:
        pairs: of brackets in a text, at most; 16 to 200.
        kinds: of brackets, 1 to 4.
    """
    check_range("nested_brackets", "pairs", pairs, 16, 200)
    check_range("nested_brackets", "kinds", kinds, 1, len(BRACKETS))
    return texts("nested_brackets", lambda random: _nested(int(random.integers(pairs // 2, pairs + 1)), kinds, random))


def _nested(pairs: int, kinds: int, random: np.random.Generator) -> str:
    """One text. A bracket opens with the share of openings among all balanced ways to go on."""
    stack, text = list[str](), list[str]()
    for left in range(2 * pairs, 0, -1):
        depth = len(stack)
        opens = (depth + 2) * (left - depth) / (2 * (depth + 1) * left)
        if random.random() < opens:
            kind = BRACKETS[random.integers(kinds)]
            stack.append(kind[1])
            text.append(kind[0])
        else:
            text.append(stack.pop())
    return " ".join(text)
