"""Text target far from python_docstrings: code."""

from bench.dataset import Dataset
from bench.datasets._stdlib import modules, outermost_functions, without_docstrings
from bench.datasets._text import assign, dataset, paragraphs, passages

MODALITY = "text"


def python_code() -> Dataset:
    """Functions of the standard library without their docstrings, of the Python that runs.

    Functions and methods with their decorators and comments, 40 to 1,000 characters; longer ones are cut between
    lines. Splits are by file, about 80/10/10 per cent of the definitions, and the same as those of python_docstrings;
    validation and test are cut to 400 passages. Near-duplicates are removed.
    """
    groups, sizes = {}, {}
    for module in modules():
        lines = module.source.split("\n")
        code = [without_docstrings(function, lines) for function in outermost_functions(module.tree)]
        groups[module.name] = [text for part in code for text in passages(paragraphs(part))]
        sizes[module.name] = module.size
    return dataset("python_code", groups, assign(sizes))
