"""Text target far from python_docstrings: code."""

import ast
from collections.abc import Iterator

from bench.dataset import Dataset
from bench.datasets._stdlib import DOCUMENTED, FUNCTION, modules
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
        code = [_without_docstrings(function, lines) for function in _outermost(module.tree)]
        groups[module.name] = [text for part in code for text in passages(paragraphs(part))]
        sizes[module.name] = module.size
    return dataset("python_code", groups, assign(sizes))


def _outermost(node: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """Functions that are not within another."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTION):
            yield child
        else:
            yield from _outermost(child)


def _without_docstrings(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> str:
    """Its source, unindented; empty where it, or a definition within it, has no code beside its docstring.

    Empty, too, where a docstring shares a line with code: rare, and not worth cutting within lines.
    """
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    dropped: set[int] = set()
    for node in ast.walk(function):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
            doc, code = node.body[0], node.body[1:]
            last = doc.end_lineno or doc.lineno
            if not code or code[0].lineno == last or not lines[doc.lineno - 1][: doc.col_offset].isspace():
                return ""
            dropped.update(range(doc.lineno, last + 1))
    indent = lines[first - 1][: function.col_offset]
    kept = [number for number in range(first, (function.end_lineno or first) + 1) if number not in dropped]
    return "\n".join(lines[number - 1].removeprefix(indent) for number in kept)
