"""Functions of the standard library and what their docstrings say of them, side by side."""

import ast
from collections.abc import Iterator

import numpy as np

from bench.dataset import SPLITS, Columns, Dataset
from bench.datasets._stdlib import Module, modules, outermost_functions, without_docstrings
from bench.datasets._text import HELD_OUT, assign, distinct, numbered, paragraphs

CODE = 40, 600
"""Characters of a function, at least and at most: longer ones are left out, as a part of one is not a function."""

SUMMARY = 15, 200
"""Characters of a summary, at least and at most."""


def dataset(name: str, source: str, target: str) -> Dataset:
    """Pairs whose columns are ``code`` and ``summary``, in the order named; splits are by file.

    Of functions that are near-duplicates in code or in summary one is kept, the one that is held out.
    """
    groups, sizes = dict[str, list[dict[str, str]]](), dict[str, int]()
    for module in modules():
        groups[module.name] = list(_pairs(module))
        sizes[module.name] = module.size
    found = [(split, pair, group) for group, split in assign(sizes).items() for pair in groups[group]]
    apart = (distinct([pair[part] for _, pair, _ in found]) for part in ("code", "summary"))
    kept = np.flatnonzero(np.all(list(apart), axis=0))
    shuffled = [found[i] for i in np.random.default_rng(0).permutation(kept)]
    items = {
        split: Columns(
            {
                column: [pair[part] for own, pair, _ in shuffled if own == split]
                for column, part in (("source", source), ("target", target))
            }
        )
        for split in SPLITS
    }
    parts = [group.partition("/")[0] for split, _, group in shuffled if split == "train"]
    validation, test = items["validation"][:HELD_OUT], items["test"][:HELD_OUT]
    return Dataset(name, "text_pair", items["train"], validation, test, groups=numbered(parts))


def _pairs(module: Module) -> Iterator[dict[str, str]]:
    """A module's functions with the first paragraph of their docstrings, as one line."""
    lines = module.source.split("\n")
    for function in outermost_functions(module.tree):
        said = paragraphs(ast.get_docstring(function) or "")
        pair = {"code": without_docstrings(function, lines), "summary": " ".join(said[0].split()) if said else ""}
        if all(low <= len(pair[part]) <= high for part, (low, high) in (("code", CODE), ("summary", SUMMARY))):
            yield pair
