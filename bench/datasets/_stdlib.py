"""The standard library's modules, as source and syntax tree."""

import ast
import sysconfig
import tokenize
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench.errors import DataError

_LEFT_OUT = {"site-packages", "dist-packages", "test", "tests", "idle_test"}
_BUILD_SPECIFIC = ("config-", "_sysconfigdata")

FUNCTION = (ast.FunctionDef, ast.AsyncFunctionDef)
Function = ast.FunctionDef | ast.AsyncFunctionDef
DOCUMENTED = (ast.Module, ast.ClassDef, *FUNCTION)


class Module(NamedTuple):
    """One file of the standard library.

    Attributes:
        name: path below the library's folder.
        source: its text.
        tree: its syntax tree.
        size: how many modules, classes and functions it defines.
    """

    name: str
    source: str
    tree: ast.Module
    size: int


def modules() -> Iterator[Module]:
    """All modules, sorted by path. Installed packages, tests, and what differs from build to build are left out."""
    root, found = Path(sysconfig.get_path("stdlib")), False
    for path in sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix()):
        parts = path.relative_to(root).parts
        if _LEFT_OUT.intersection(parts) or any(part.startswith(_BUILD_SPECIFIC) for part in parts):
            continue
        with tokenize.open(path) as file:
            source = file.read()
        found = True
        tree = ast.parse(source)
        yield Module("/".join(parts), source, tree, sum(isinstance(node, DOCUMENTED) for node in ast.walk(tree)))
    if not found:
        raise DataError(f"the standard library's folder {root} holds no sources; use a complete installation of Python")


def outermost_functions(node: ast.AST) -> Iterator[Function]:
    """Functions that are not within another."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, FUNCTION):
            yield child
        else:
            yield from outermost_functions(child)


def without_docstrings(function: Function, lines: list[str]) -> str:
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
