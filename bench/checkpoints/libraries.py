"""What transformers and diffusers call their models: read from their source, as plugins are, so nothing is imported.

Where a library of another day is laid out otherwise, nothing is known of it, and nothing is refused for it.
"""

import ast
from contextlib import suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

_TASK = "MODEL_FOR_{}_MAPPING_NAMES"
_SCHEDULERS = "KarrasDiffusionSchedulers"


@cache
def classes(task: str) -> dict[str, frozenset[str]]:
    """Of a task such as ``CAUSAL_LM`` each ``model_type`` that transformers has a model for, and the model's classes.

    Empty where it cannot be read.
    """
    found: dict[str, frozenset[str]] = {}
    for node in _tree("transformers", "models/auto/modeling_auto.py"):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == _TASK.format(task):
            with suppress(ValueError, TypeError, AttributeError, IndexError):
                known = dict(ast.literal_eval(node.value.args[0]))  # type: ignore[attr-defined]
                found = {kind: frozenset([names] if isinstance(names, str) else names) for kind, names in known.items()}
    return found


@cache
def schedulers(kind: str) -> frozenset[str]:
    """The classes that a kind of scheduler stands for: those that add noise as DDPM does, or a class's own name."""
    if kind != _SCHEDULERS:
        return frozenset([kind])
    for node in _tree("diffusers", "schedulers/scheduling_utils.py"):
        if isinstance(node, ast.ClassDef) and node.name == kind:
            return frozenset(ast.unparse(one.targets[0]) for one in node.body if isinstance(one, ast.Assign))
    return frozenset()


@cache
def _tree(library: str, file: str) -> list[ast.stmt]:
    with suppress(ImportError, OSError, SyntaxError, ValueError, AttributeError):
        spec = find_spec(library)
        assert spec is not None
        folder = next(iter(spec.submodule_search_locations or ()), "")
        return ast.parse(Path(folder, file).read_text(encoding="utf-8")).body
    return []
