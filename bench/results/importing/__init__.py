"""Sources of results that others measured: one file here is one, and nothing else lists it.

A source is a module whose docstring is its help, with ``SUITE`` (what its results are called by default),
``add_arguments(parser)``, and ``read(chosen)``, which returns a :class:`bench.results.imported.Imported` or raises
:class:`bench.errors.ResultsError`. It imports what reads only when it reads: all of them are asked for their help.
"""

import importlib
from pathlib import Path
from types import ModuleType


def sources() -> list[str]:
    """Their names, as they are typed: those of the files here."""
    return sorted(path.stem.replace("_", "-") for path in Path(__file__).parent.glob("[a-z]*.py"))


def find(name: str) -> ModuleType:
    """The module of a source."""
    return importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
