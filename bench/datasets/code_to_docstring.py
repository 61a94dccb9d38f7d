"""Pairs of texts: Python functions, and the summaries in their docstrings."""

from bench.dataset import Dataset
from bench.datasets._docstrings import dataset

MODALITY = "text_pair"


def code_to_docstring() -> Dataset:
    """Functions of the standard library without their docstrings, to be summed up as the docstring does.

    Source: a function or method of the Python that runs, with its decorators and comments, 40 to 600 characters.
    Target: the first paragraph of its docstring on one line, 15 to 200 characters. Splits are by file, about 80/10/10
    per cent of the definitions, and the same as those of docstring_to_code, python_code and python_docstrings;
    validation and test have 400 pairs at most. Near-duplicates in either part are removed.

    Paper: Husain et al. 2019, CodeSearchNet Challenge (functions and first paragraphs of their docstrings)
    """
    return dataset("code_to_docstring", "code", "summary")
