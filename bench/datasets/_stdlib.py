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
