"""Name to object: plugins of every kind are found by their name, and read before they are run.

Approaches, families, datasets, metrics and feature spaces are plugins. ``lora`` in a suite is the module
``bench/approaches/lora.py`` and in it the function ``lora``; a family's object is a class, so ``causal_lm`` is
``CausalLM``: the object's name is the module's, however it is capitalised. After our own folders come the entry
points of installed distributions (groups ``bench.approaches``, ``bench.families`` …); where one has a name of ours, or
two have the same, ``distribution:name`` says which is meant.

A plugin is *read* (its syntax tree) for its summary, paper, options and constants, so that planning and listing
neither import torch nor run a plugin's code; :meth:`Plugin.load` imports it.
"""

from functools import cache
from pathlib import Path

from bench.errors import PluginError
from bench.plugins import installed
from bench.plugins.plugin import Plugin as Plugin
from bench.plugins.plugin import singular as singular
from bench.plugins.reading import read
from bench.words import cut, suggest

KINDS = ("approaches", "families", "datasets", "metrics", "features")
FOLDER = Path(__file__).parent.parent
"""Of this package, in which our own plugins lie."""
_STATED = {"families": ("MODALITY", "OFFERS"), "datasets": ("MODALITY",), "features": ("MODALITY",)}


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
        return read(kind, name, f"bench.{kind}.{name}", name)
    for entry in installed.entries(kind):
        if name in (entry.full_name, entry.name) and (name == entry.full_name or name in _theirs(kind)):
            return read(kind, name, entry.module, entry.attribute)
    if several := [entry.full_name for entry in installed.entries(kind) if entry.name == name]:
        raise PluginError(f"{singular(kind)} {name} is in several distributions; write {' or '.join(several)}")
    known = names(kind)
    raise PluginError(f"unknown {singular(kind)} {cut(name, 100)!r}; {suggest(name, known)}known: {', '.join(known)}")


def stating(kind: str, constant: str) -> list[Plugin]:
    """Our own plugins of a kind whose modules state a constant, in the order of what they state."""
    naming = [name for name in _ours(kind) if constant in (FOLDER / kind / f"{name}.py").read_text(encoding="utf-8")]
    found = [plugin for plugin in (find(kind, name) for name in naming) if constant in plugin.constants]
    return sorted(found, key=lambda plugin: plugin.constants[constant])


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


@cache
def _ours(kind: str) -> set[str]:
    return {path.stem for path in (FOLDER / kind).glob("*.py") if not path.stem.startswith("_")}
