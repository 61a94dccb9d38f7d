"""What a suite needs of a network, brought here: models, datasets, weights of metrics. No torch.

Plugins that need something else than a hub checkpoint say so: a module's function ``fetch(**options) -> bool`` brings
it and says whether it was missing; its constant ``HUB`` names options that hold the hub id of a model.
"""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import plugins
from bench.checkpoints import hub
from bench.errors import BenchError
from bench.plugins import Plugin
from bench.suite.checkpoint import HUB_ID
from bench.suite.loading import Suite


class Item(NamedTuple):
    """Something a suite needs, whether it had to be fetched, and why it could not be; empty where it is there."""

    name: str
    fetched: bool
    fault: str = ""


class Need(NamedTuple):
    """Something a suite needs of a network.

    Attributes:
        name: what it is.
        bring: brings it, and says whether it was missing.
        there: whether it is here already; None where only its plugin's own code can tell.
        fault: why it can never be had; ``bring`` raises that.
    """

    name: str
    bring: Callable[[], bool]
    there: bool | None = None
    fault: str = ""


def fetch(suite: Suite) -> Iterator[Item]:
    """Bring all that a suite needs, item by item; what cannot be had keeps nothing else from coming."""
    for need in needs(suite):
        try:
            yield Item(need.name, need.bring())
        except BenchError as error:
            yield Item(need.name, fetched=False, fault=str(error))


def needs(suite: Suite) -> Iterator[Need]:
    """Each thing once; nothing is brought, and no plugin's code is run."""
    seen = set()
    for need in _needed(suite):
        if need.name not in seen:
            seen.add(need.name)
            yield need


def _needed(suite: Suite) -> Iterator[Need]:
    for cell in suite.cells:
        if (spec := cell.model).fault:
            yield _lacking(f"model {cell.model_name}", spec.fault)
        if hub.is_hub(spec):
            yield _checkpoint(spec.checkpoint or "", spec.revision, code=spec.trust_remote_code)
        for data in (cell.target, *([spec.recipe.source] if spec.recipe else [])):
            if data.fault:
                yield _lacking(f"dataset {data.name}", data.fault)
            yield from _of_plugin(plugins.find("datasets", data.plugin), data.options)
        for name, options in cell.metrics:
            yield from _of_plugin(plugins.find("metrics", name), options)
            if space := options.get("space"):
                feature = plugins.find("features", space)
                given = {"weights": options["weights"]} if options.get("weights") else {}
                yield from _of_plugin(feature, feature.defaults | given)


def _lacking(name: str, why: str) -> Need:
    """Of what should be on this machine: there is nothing to bring, and a run will lack it."""

    def bring() -> bool:
        raise BenchError(f"{name}: {why}")

    return Need(name, bring, there=False, fault=why)


def _checkpoint(repository: str, revision: str | None, *, code: bool = False) -> Need:
    name = f"model {repository}{f' at {revision}' if revision else ''}"
    there = hub.snapshot(repository, revision) is not None
    return Need(name, lambda: hub.model(repository, revision, code=code), there)


def _of_plugin(plugin: Plugin, options: dict[str, Any]) -> Iterator[Need]:
    for option in plugin.constants.get("HUB", ()):
        repository = options.get(option) or ""
        if not Path(repository).expanduser().exists() and HUB_ID.fullmatch(repository):
            yield _checkpoint(repository, None)
    if "fetch" in plugin.functions:
        of = ", ".join(f"{name}: {value}" for name, value in options.items() if value != plugin.defaults.get(name))

        def bring() -> Any:
            plugin.load()  # says so where a package of an extra is missing
            return importlib.import_module(plugin.module).fetch(**options)

        yield Need(f"{plugins.singular(plugin.kind)} {plugin.name}{f' ({of})' if of else ''}", bring)
