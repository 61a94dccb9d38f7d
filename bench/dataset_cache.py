"""What the cache knows of datasets, without reading their items: a plan needs no more. Imports no numpy."""

import importlib
import json
import platform
from collections.abc import Mapping
from functools import cache as remembered
from importlib.metadata import version
from typing import Any

from bench import cache, plugins


def sizes(name: str, options: dict[str, Any] | None = None) -> dict[str, int] | None:
    """Number of items of each split where the dataset is in the cache already, else None."""
    known = about(name, options)
    return known["sizes"] if known else None


def left_out(name: str, spec: str, options: dict[str, Any]) -> list[str]:
    """:meth:`bench.dataset.Dataset.left_out` of the plugin ``spec`` where the dataset is in the cache; else nothing."""
    known = about(spec, options)
    return remarks(name, known) if known else []


def remarks(name: str, known: Mapping[str, Any]) -> list[str]:
    """What was left out or changed when a dataset was read, a line each, under the name that a suite gives it."""
    skipped, seen, first = known["skipped"], known.get("seen"), known.get("first")
    damaged = f"{skipped} of {seen} {known['unit']} of {name}" if seen else f"{skipped} of {name}"
    told = [f"{damaged}, the first: {first}" if first else damaged] if skipped else []
    return told + [f"{name}: {remark}" for remark in known.get("remarks", ())]


def about(name: str, options: dict[str, Any] | None) -> dict[str, Any] | None:
    """What the cache says of a dataset without reading its items; None where it is not there."""
    plugin = plugins.find("datasets", name)
    found = cache.lookup("datasets", key(plugin, plugin.check(options or {})))
    return json.loads((found / "dataset.json").read_text()) if found else None


def key(plugin: plugins.Plugin, options: dict[str, Any]) -> dict[str, Any]:
    """What a dataset's content depends on; those made of the standard library or of drawn fonts, on versions too."""
    made_from = {name: _version(name) for name in ("matplotlib", "pillow", "scikit-learn")}
    key = {
        "dataset": plugin.name,
        "options": options,
        "code": plugin.version(),
        "python": platform.python_version(),
        "made_from": made_from,
    }
    return key | ({"content": found} if (found := content(plugin, options)) else {})


def content(plugin: plugins.Plugin, options: dict[str, Any]) -> str:
    """Hash of the files that a dataset of the user's own reads; empty for one that reads none.

    The module of such a dataset has a function ``content(**options) -> str`` beside the plugin's own.
    """
    if "content" not in plugin.functions:
        return ""
    plugin.load()  # says so where a package of an extra is missing
    found: str = importlib.import_module(plugin.module).content(**options)
    return found


_version = remembered(version)  # which searches all that is installed
