"""A cell that was trained before, as it would be today: what its plugins and files are now, and all else as it was."""

from pathlib import Path
from typing import Any

from bench import dataset_cache, plugins
from bench.errors import DataError, PluginError
from bench.plugins import Plugin
from bench.suite import checkpoint, code, composition
from bench.suite.cell import Cell, DatasetSpec, ModelSpec
from bench.words import cut

Part = tuple[Plugin, dict[str, Any]]


def as_today(cell: Cell) -> Cell:
    """The cell with the content of its files, its checkpoint's fingerprint and its code's versions as they are now.

    Options that have come since have their defaults. It may be another cell then, with another key.

    Raises:
        PluginError: a plugin or an option is not there any more, or has no meaning for the model now.
        DataError: a file of its data is gone, or cannot be read.
        Unusable: its checkpoint is gone.
    """
    family = plugins.find("families", cell.model.family)
    chain = [_checked("approaches", name, options) for name, options in cell.chain]
    metrics = [_checked("metrics", name, options) for name, options in cell.metrics]
    for _, options in metrics:
        if "space" in options:
            plugins.find("features", options["space"])
    for values in cell.tuning:
        _check_axes(values, chain)
    model = _model(cell.model, family)
    target, spec = _dataset(cell.target)
    parts = [part for part, _ in chain]
    known = ("source",) if model.recipe or model.source in plugins.names("datasets") else ()
    if (reason := composition.inapplicable(parts, family, known)) and not cell.reason:
        raise PluginError(f"approach {cell.approach}: it has no meaning for {cell.model_name} any more ({reason})")
    now = {
        "model": model,
        "target": spec,
        "chain": [(part.name, options) for part, options in chain],
        "metrics": [(metric.name, options) for metric, options in metrics],
        "code": code.versions(model, [target, *parts, *(metric for metric, _ in metrics)]),
    }
    return Cell(**{name: getattr(cell, name) for name in Cell.model_fields} | now)


def _checked(kind: str, name: str, options: dict[str, Any]) -> Part:
    plugin = plugins.find(kind, name)
    return plugin, plugin.check(options)


def _check_axes(values: dict[str, Any], chain: list[Part]) -> None:
    """Options among a grid's values, which no other check has seen."""
    for axis, value in values.items():
        name, _, option = axis.partition(".")
        for part, options in chain:
            if option and part.name == name:
                part.check(options | {option: value})


def _dataset(spec: DatasetSpec) -> tuple[Plugin, DatasetSpec]:
    plugin, options = _checked("datasets", spec.plugin, spec.options)
    try:
        content = dataset_cache.content(plugin, options)
    except OSError as error:
        raise DataError(f"dataset {spec.name}: cannot be read ({cut(str(error), 200)})") from error
    return plugin, spec.model_copy(update={"options": options, "content": content})


def _model(spec: ModelSpec, family: Plugin) -> ModelSpec:
    found: dict[str, Any] = {"options": family.check(spec.options)}
    if spec.recipe:
        found["recipe"] = spec.recipe.model_copy(update={"source": _dataset(spec.recipe.source)[1]})
    if spec.fingerprint is not None:  # a folder, as it is named in the record: whole
        found["fingerprint"] = checkpoint.resolve(spec.checkpoint or "", Path())[1]
    return spec.model_copy(update=found)
