"""Text source: what Python's standard library says of itself."""

import ast

from bench.dataset import Dataset
from bench.datasets._stdlib import DOCUMENTED, modules
from bench.datasets._text import assign, dataset, paragraphs, passages

MODALITY = "text"


def python_docstrings() -> Dataset:
    """Docstrings of the standard library's modules, classes and functions, of the Python that runs.

    Passages of whole paragraphs, 40 to 1,000 characters. Splits are by file, about 80/10/10 per cent of the
    definitions, and the same as those of python_code; validation and test are cut to 400 passages. Near-duplicates
    are removed.
    """
    groups, sizes = {}, {}
    for module in modules():
        docs = [ast.get_docstring(node) or "" for node in ast.walk(module.tree) if isinstance(node, DOCUMENTED)]
        groups[module.name] = [text for doc in docs for text in passages(paragraphs(doc))]
        sizes[module.name] = module.size
    return dataset("python_docstrings", groups, assign(sizes))
