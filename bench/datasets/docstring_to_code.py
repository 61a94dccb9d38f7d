"""Pairs of texts: summaries in docstrings, and the Python functions they are of."""

from bench.dataset import Dataset
from bench.datasets._docstrings import dataset

MODALITY = "text_pair"


def docstring_to_code() -> Dataset:
    """What docstrings of the standard library say of functions, to be written as functions.

    The pairs of code_to_docstring the other way round, in the same splits: the target is a whole function, as it
    stands in the standard library of the Python that runs, without its docstring.

    Paper: Husain et al. 2019, CodeSearchNet Challenge
    """
    return dataset("docstring_to_code", "summary", "code")
