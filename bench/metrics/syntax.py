"""Whether what was written is Python."""

import ast
import math
import warnings

import numpy as np

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._items import by_condition

NEEDS = ("text", "samples")

_PYTHON = 0.5  # of the references are to be Python, else the domain is something else


def syntax(evaluation: Evaluation) -> list[Score]:
    """Share of the samples that Python's own parser accepts, beside that of the test split's texts.

    A text without any statement, such as an empty one or a comment, is none. Nothing is run, so names need not be known
    nor types fit. Prose rarely parses, a single word does: where fewer than half of the test split's texts are Python,
    the metric does not apply.

    Paper: Yin & Neubig 2017, A Syntactic Neural Model for General-Purpose Code Generation (grammatical output); Chen et
    al. 2021, Evaluating Large Language Models Trained on Code
    """
    reference = [is_python(text) for text in evaluation.references]
    real = sum(reference) / len(reference)
    if real < _PYTHON:
        raise NotApplicable(f"{real:.0%} of the test texts are Python; it takes {_PYTHON:.0%}")
    accepted, n = [is_python(text) for text in evaluation.samples], len(evaluation.samples)
    share = sum(accepted) / n
    error = math.sqrt(share * (1 - share) / (n - 1)) if n > 1 else None
    each = by_condition(evaluation, np.array(accepted, float))
    return [
        Score("valid_syntax", share, "", "higher", n, error, each),
        Score("valid_syntax[references]", real, "", "none", len(reference)),
    ]


def is_python(text: str) -> bool:
    """Whether a text parses and has a statement in it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what parses, but looks odd
        try:
            return bool(ast.parse(text).body)
        except (SyntaxError, ValueError, RecursionError, MemoryError):  # what the parser says of wild texts
            return False
