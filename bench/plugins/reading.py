"""A plugin's module, read and not run: its syntax tree says what the plugin is."""

import ast
import inspect
import re
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from bench.errors import PluginError
from bench.plugins.plugin import Plugin, singular
from bench.words import shown

_OBJECTS = (ast.FunctionDef, ast.ClassDef)
_SEVERAL = (tuple, list, set)
_CONSTANTS: dict[str, tuple[tuple[type, ...], str]] = {
    **dict.fromkeys(("MODALITY", "PRIMARY", "EXTRA"), ((str,), "a text")),
    **dict.fromkeys(("NEEDS", "OFFERS", "DECIDES", "HUB"), (_SEVERAL, "a tuple of texts, such as ('text',)")),
    **dict.fromkeys(
        ("TRAINS", "USES_DATA", "REPLACES_MODEL", "KEEPS_PRETRAINED", "EXCLUSIVE", "PAIRED"), ((bool,), "True or False")
    ),
}
"""What plugins may state, its type in the source, and that in words."""


def read(kind: str, name: str, module: str, attribute: str) -> Plugin:
    """The plugin that a module defines; :class:`PluginError` where it cannot be read."""
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
        text=re.split(r"^(?:Paper:|Args:)", doc, maxsplit=1, flags=re.MULTILINE)[0].strip(),
        paper=" ".join(doc.partition("Paper:")[2].split("\n\n")[0].split()),
        annotations=annotations,
        defaults=defaults,
        option_docs=_option_docs(doc),
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


def _option_docs(doc: str) -> dict[str, str]:
    """What stands under ``Args:`` for each name; one entry may be of several names."""
    section = re.search(r"^Args:\n((?:[ \t]+\S.*(?:\n|$)|\n)*)", doc, re.MULTILINE)
    found: dict[str, str] = {}
    entries = re.findall(r"^ {4}([\w*, ]+?): ((?:.|\n(?! {4}\S))*)", section[1] if section else "", re.MULTILINE)
    for names, about in entries:
        found |= {name.strip(): " ".join(about.split()) for name in names.split(",")}
    return found


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
