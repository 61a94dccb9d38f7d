"""What can be known of a plugin without running it."""

import hashlib
import importlib
import typing
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import pydantic

from bench import options as option_types
from bench.errors import PluginError
from bench.words import cut, shown, suggest, wanted

_REQUIRED: Any = object()
_TYPES = {name: getattr(module, name) for module in (typing, option_types) for name in vars(module)}
_TYPES |= {"__builtins__": {}} | {kind.__name__: kind for kind in (int, float, str, bool, list, dict, tuple)}


@dataclass(frozen=True)
class Plugin:
    """What can be known of a plugin without running it.

    Attributes:
        kind: one of ``KINDS``.
        name: as suites write it.
        module: dotted module name.
        attribute: name of its function or class in the module.
        path: the module's file.
        summary: first line of the docstring.
        text: the docstring up to its sections.
        paper: what follows ``Paper:`` in the docstring; empty where there is none.
        annotations: option to the annotation's source text.
        defaults: option to default value; an option that must be given is missing here.
        option_docs: option to what the docstring says of it.
        constants: public upper-case literals of the module, such as ``MODALITY``.
        functions: names of the module's public functions.
    """

    kind: str
    name: str
    module: str
    attribute: str
    path: Path
    summary: str = ""
    text: str = ""
    paper: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
    option_docs: dict[str, str] = field(default_factory=dict)
    constants: dict[str, Any] = field(default_factory=dict)
    functions: frozenset[str] = frozenset()

    def load(self) -> Any:
        """Import the module and return the object; :class:`PluginError` where a package of an extra is missing."""
        try:
            return getattr(importlib.import_module(self.module), self.attribute)
        except ModuleNotFoundError as error:
            if "EXTRA" not in self.constants:
                raise
            extra = f"pip install 'transferbench[{self.constants['EXTRA']}]'"
            raise PluginError(f"{singular(self.kind)} {self.name}: {error.name} is not installed; {extra}") from None

    def stated(self, constant: str) -> Any:
        """A constant that plugins of this kind must state; :class:`PluginError` where the module does not."""
        if constant not in self.constants:
            raise PluginError(f"{singular(self.kind)} {self.name}: {self.path} states no {constant}; add it")
        return self.constants[constant]

    def modality(self, options: dict[str, Any]) -> str:
        """What it holds or makes; an option may decide, as in ``MODALITY = "{modality}"``."""
        return self.filled("MODALITY", options)

    def filled(self, constant: str, options: dict[str, Any]) -> str:
        """A constant in which options may stand."""
        try:
            return str(self.stated(constant)).format(**self.defaults | options)
        except (LookupError, ValueError, AttributeError) as error:
            where = f"{singular(self.kind)} {self.name}: {self.path}"
            raise PluginError(f"{where}: {constant} names no option ({error}); mend it") from None

    def version(self) -> str:
        """Hash of the module's source and its folder's helpers: what it makes is kept as long as they stay the same."""
        sources = [self.path, *sorted(self.path.parent.glob("_*.py"))]
        return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]

    def check(self, given: dict[str, Any]) -> dict[str, Any]:
        """All options with their values, defaults filled in; :class:`PluginError` where one is unknown or mistyped."""
        where = f"{singular(self.kind)} {self.name}"
        for key in given:
            if key not in self.annotations:
                known = ", ".join(self.annotations) or "none"
                hint = suggest(str(key), list(self.annotations))
                raise PluginError(f"{where}: no option {cut(str(key), 100)!r}; {hint}it has: {known}")
        checked = {}
        for key, annotation in self.annotations.items():
            value = given.get(key, self.defaults.get(key, _REQUIRED))
            if value is _REQUIRED:
                raise PluginError(f"{where}: option {key!r} is missing; give it a value of type {annotation}")
            checked[key] = _validate(f"{where}: option {key!r}", annotation, value)
        return checked


def singular(kind: str) -> str:
    """``approaches`` to ``approach``."""
    return {"approaches": "approach", "families": "family", "features": "feature space"}.get(
        kind, kind.removesuffix("s")
    )


def _validate(where: str, annotation: str, value: Any) -> Any:
    adapter = _adapter(annotation)
    try:
        return adapter.validate_python(value, strict=True) if adapter else value
    except pydantic.ValidationError as error:
        raise PluginError(f"{where}: {shown(value)} will not do; {wanted(error.errors()[0])}") from None


@cache
def _adapter(annotation: str) -> pydantic.TypeAdapter[Any] | None:
    """What checks a value of a type; None for a type of the plugin's own, whose code checks it."""
    try:
        kind = eval(annotation, _TYPES)  # noqa: S307 - names of types only, no builtins; its module would run anyway
        return pydantic.TypeAdapter(kind)
    except Exception:
        return None
