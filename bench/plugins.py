"""Name to object: plugins of every kind are found by their name, and read before they are run.

Approaches, families, datasets, metrics and feature spaces are plugins. ``lora`` in a suite is the module
``bench/approaches/lora.py`` and in it the function ``lora``; a family's object is a class, so ``causal_lm`` is
``CausalLM``: the object's name is the module's, however it is capitalised. After our own folders come the entry
points of installed distributions (groups ``bench.approaches``, ``bench.families`` …); where one has a name of ours, or
two have the same, ``distribution:name`` says which is meant.

A plugin is *read* (its syntax tree) for its summary, paper, options and constants, so that planning and listing
neither import torch nor run a plugin's code; :meth:`Plugin.load` imports it.
"""

import ast
import hashlib
import importlib
import inspect
import typing
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pydantic

from bench import installed
from bench import options as option_types
from bench.complaints import suggest, wanted
from bench.errors import PluginError
from bench.words import cut, shown

KINDS = ("approaches", "families", "datasets", "metrics", "features")
_FOLDER = Path(__file__).parent
_REQUIRED: Any = object()
_STATED = {"families": ("MODALITY", "OFFERS"), "datasets": ("MODALITY",), "features": ("MODALITY",)}
_SEVERAL = (tuple, list, set)
_CONSTANTS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("MODALITY", "PRIMARY", "EXTRA"), ((str,), "a text")),
    **dict.fromkeys(("NEEDS", "OFFERS", "DECIDES", "HUB"), (_SEVERAL, "a tuple of texts, such as ('text',)")),
    **dict.fromkeys(
        ("TRAINS", "USES_DATA", "REPLACES_MODEL", "KEEPS_PRETRAINED", "EXCLUSIVE", "PAIRED"), ((bool,), "True or False")
    ),
}
"""What plugins may state, its type in the source, and that in words."""
_OBJECTS = (ast.FunctionDef, ast.ClassDef)
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
        paper: what follows ``Paper:`` in the docstring; empty where there is none.
        annotations: option to the annotation's source text.
        defaults: option to default value; an option that must be given is missing here.
        constants: public upper-case literals of the module, such as ``MODALITY``.
        functions: names of the module's public functions.
    """

    kind: str
    name: str
    module: str
    attribute: str
    path: Path
    summary: str = ""
    paper: str = ""
    annotations: dict[str, str] = field(default_factory=dict)
    defaults: dict[str, Any] = field(default_factory=dict)
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


def names(kind: str) -> list[str]:
    """Names of all plugins of a kind, ours and installed ones, sorted."""
    return sorted(_ours(kind) | _theirs(kind).keys())


def available(kind: str) -> list[Plugin]:
    """The plugins of a kind that can be read, by name; :func:`faults` tells of the others."""
    return [plugin for name in names(kind) if isinstance(plugin := _tried(kind, name), Plugin)]


def faults() -> list[str]:
    """A line for each installed distribution that cannot be read, or that has a name which is taken."""
    found = installed.faults()
    for kind in KINDS:
        ours, theirs = _ours(kind), _theirs(kind)
        for name, entry in theirs.items():
            if isinstance(fault := _tried(kind, name), str):
                found.append(f"distribution {entry.distribution}: {fault}")
            if name != entry.name:
                who = "a built-in has that name" if entry.name in ours else "another distribution has one of that name"
                problem = f"its {singular(kind)} {entry.name} can be reached as {name} only: {who}"
                found.append(f"distribution {entry.distribution}: {problem}")
    return found


@cache
def find(kind: str, name: str) -> Plugin:
    """The plugin of that kind and name; :class:`PluginError` with "did you mean" where there is none."""
    if name in _ours(kind):
        return _read(kind, name, f"bench.{kind}.{name}", name)
    for entry in installed.entries(kind):
        if name in (entry.full_name, entry.name) and (name == entry.full_name or name in _theirs(kind)):
            return _read(kind, name, entry.module, entry.attribute)
    if several := [entry.full_name for entry in installed.entries(kind) if entry.name == name]:
        raise PluginError(f"{singular(kind)} {name} is in several distributions; write {' or '.join(several)}")
    known = names(kind)
    raise PluginError(f"unknown {singular(kind)} {cut(name, 100)!r}; {suggest(name, known)}known: {', '.join(known)}")


def stating(kind: str, constant: str) -> list[Plugin]:
    """Our own plugins of a kind whose modules state a constant, in the order of what they state."""
    naming = [name for name in _ours(kind) if constant in (_FOLDER / kind / f"{name}.py").read_text(encoding="utf-8")]
    found = [plugin for plugin in (find(kind, name) for name in naming) if constant in plugin.constants]
    return sorted(found, key=lambda plugin: plugin.constants[constant])


def singular(kind: str) -> str:
    """``approaches`` to ``approach``."""
    return {"approaches": "approach", "families": "family", "features": "feature space"}.get(
        kind, kind.removesuffix("s")
    )


def _theirs(kind: str) -> dict[str, installed.Entry]:
    """Installed plugins by the name they are listed under."""
    found = installed.entries(kind)
    taken = [*_ours(kind), *(entry.name for entry in found)]
    return {entry.name if taken.count(entry.name) == 1 else entry.full_name: entry for entry in found}


def _tried(kind: str, name: str) -> Plugin | str:
    """A plugin that states what its kind must, or why there is none."""
    try:
        plugin = find(kind, name)
        for constant in _STATED.get(kind, ()):
            plugin.stated(constant)
    except PluginError as error:
        return str(error)
    return plugin


def _ours(kind: str) -> set[str]:
    return {path.stem for path in (_FOLDER / kind).glob("*.py") if not path.stem.startswith("_")}


def _read(kind: str, name: str, module: str, attribute: str) -> Plugin:
    where = f"{singular(kind)} {name}"
    try:
        path = _source(module)
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except (Exception, SystemExit) as error:  # whatever a package that others wrote does when it is looked at
        raise PluginError(f"{where}: module {module} cannot be read ({error}); mend its package") from error
    node = next((node for node in tree.body if isinstance(node, _OBJECTS) and _same(node.name, attribute)), None)
    if node is None:
        raise PluginError(f"{where}: {path} defines no function or class {attribute}; name the module that does")
    doc = inspect.cleandoc(ast.get_docstring(node) or ast.get_docstring(tree) or "")
    annotations, defaults = _options(where, node)
    return Plugin(
        kind=kind,
        name=name,
        module=module,
        attribute=node.name,
        path=path,
        summary=doc.split("\n", 1)[0],
        paper=" ".join(doc.partition("Paper:")[2].split("\n\n")[0].split()),
        annotations=annotations,
        defaults=defaults,
        constants=_constants(where, tree),
        functions=frozenset(part.name for part in tree.body if isinstance(part, ast.FunctionDef)),
    )


def _source(module: str) -> Path:
    """The module's file; the packages around it are imported to find it, the module is not."""
    spec = find_spec(module)
    if spec is None or not spec.has_location or not spec.origin:
        raise ImportError("there is no file of this name")
    return Path(spec.origin)


def _same(defined: str, name: str) -> bool:
    return defined.replace("_", "").lower() == name.replace("_", "").lower()


def _options(where: str, node: ast.FunctionDef | ast.ClassDef) -> tuple[dict[str, str], dict[str, Any]]:
    """Keyword-only parameters of a function, or of a class's ``__init__``."""
    if isinstance(node, ast.ClassDef):
        inits = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        if not inits:
            return {}, {}
        node = inits[0]
    annotations, defaults = {}, {}
    for argument, default in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
        annotations[argument.arg] = ast.unparse(argument.annotation) if argument.annotation else "Any"
        if default is None:
            continue
        try:
            defaults[argument.arg] = ast.literal_eval(default)
        except (ValueError, TypeError):
            problem = f"the default of option {argument.arg!r} is no literal: {ast.unparse(default)}"
            raise PluginError(f"{where}: {problem}; write its value out") from None
    return annotations, defaults


def _constants(where: str, tree: ast.Module) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for node in tree.body:
        if not isinstance(node, ast.Assign | ast.AnnAssign) or node.value is None:
            continue
        target = node.targets[0] if isinstance(node, ast.Assign) else node.target
        if isinstance(target, ast.Name) and target.id.isupper() and not target.id.startswith("_"):
            with suppress(ValueError, TypeError):  # not a literal, so not a statement about the plugin
                found[target.id] = ast.literal_eval(node.value)
    for name in found.keys() & _CONSTANTS.keys():
        (kinds, wanted), value = _CONSTANTS[name], found[name]
        parts = value if kinds == _SEVERAL and isinstance(value, kinds) else ()
        if not isinstance(value, kinds) or not all(isinstance(part, str) for part in parts):
            raise PluginError(f"{where}: {name} is {shown(value)}; it should be {wanted}")
    return found


def _validate(where: str, annotation: str, value: Any) -> Any:
    try:
        kind = eval(annotation, _TYPES)  # noqa: S307 - names of types only, no builtins; its module would run anyway
        adapter = pydantic.TypeAdapter(kind)
    except Exception:  # a type of the plugin's own: its code checks it
        return value
    try:
        return adapter.validate_python(value, strict=True)
    except pydantic.ValidationError as error:
        raise PluginError(f"{where}: {shown(value)} will not do; {wanted(error.errors()[0])}") from None
