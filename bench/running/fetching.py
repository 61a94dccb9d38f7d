"""What a suite needs of a network, brought here: models, datasets, weights of metrics. No torch.

Plugins that need something else than a hub checkpoint say so: a module's function ``fetch(**options) -> bool`` brings
it and says whether it was missing; its constant ``HUB`` names options that hold the hub id of a model.
"""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench import plugins
from bench.checkpoints import hub
from bench.errors import BenchError
from bench.plugins import Plugin
from bench.suite.cell import ModelSpec
from bench.suite.checkpoint import HUB_ID
from bench.suite.loading import Suite


class Item(NamedTuple):
    """Something a suite needs, whether it had to be fetched, and why it could not be; empty where it is there."""

    name: str
    fetched: bool
    fault: str = ""


def fetch(suite: Suite) -> Iterator[Item]:
    """Bring all that a suite needs, item by item; what cannot be had keeps nothing else from coming."""
    seen = set()
    for name, bring in _needed(suite):
        if name not in seen:
            seen.add(name)
            try:
                yield Item(name, bring())
            except BenchError as error:
                yield Item(name, fetched=False, fault=str(error))


def _needed(suite: Suite) -> Iterator[tuple[str, Any]]:
    """Name of each thing to how it is brought."""
    for cell in suite.cells:
        if (spec := cell.model).fault:
            yield f"model {cell.model_name}", _lacking(f"model {cell.model_name}: {spec.fault}")
        if hub.is_hub(spec):
            yield f"model {spec.checkpoint}{f' at {spec.revision}' if spec.revision else ''}", _bring(spec)
        for data in (cell.target, *([spec.recipe.source] if spec.recipe else [])):
            if data.fault:
                yield f"dataset {data.name}", _lacking(f"dataset {data.name}: {data.fault}")
            yield from _of_plugin(plugins.find("datasets", data.plugin), data.options)
        for name, options in cell.metrics:
            yield from _of_plugin(plugins.find("metrics", name), options)
            if space := options.get("space"):
                feature = plugins.find("features", space)
                given = {"weights": options["weights"]} if options.get("weights") else {}
                yield from _of_plugin(feature, feature.defaults | given)


def _lacking(said: str) -> Any:
    """Of what should be on this machine: there is nothing to bring, and a run will lack it."""

    def bring() -> bool:
        raise BenchError(said)

    return bring


def _bring(spec: ModelSpec) -> Any:
    return lambda: hub.model(spec.checkpoint or "", spec.revision, code=spec.trust_remote_code)


def _of_plugin(plugin: Plugin, options: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    for option in plugin.constants.get("HUB", ()):
        repository = options.get(option) or ""
        if not Path(repository).expanduser().exists() and HUB_ID.fullmatch(repository):
            yield f"model {repository}", lambda repository=repository: hub.model(repository, None)
    if "fetch" in plugin.functions:
        of = ", ".join(f"{name}: {value}" for name, value in options.items() if value != plugin.defaults.get(name))

        def bring() -> Any:
            plugin.load()  # says so where a package of an extra is missing
            return importlib.import_module(plugin.module).fetch(**options)

        yield f"{plugins.singular(plugin.kind)} {plugin.name}{f' ({of})' if of else ''}", bring
