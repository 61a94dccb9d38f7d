"""A suite's matrix, point by point: every model with the datasets of its modality, every approach, size and seed."""

import itertools
from typing import Any

from pydantic import ValidationError

from bench import checkpoint, dataset, plugins
from bench.cell import Budget, Cell, EvaluationSpec, ModelSpec, Named
from bench.errors import PluginError
from bench.plugins import Plugin
from bench.suite import ApproachEntry, DatasetEntry, ModelEntry, Suite

CONTROLS = ("zero_shot", "from_scratch", "real_data")
"""Always in a run: what the pretrained model does untouched, what no transfer does, and the floor of each metric."""

Chain = list[tuple[Plugin, dict[str, Any]]]


def expand(suite: Suite) -> list[Cell]:
    """All cells of a suite, in its order, controls first."""
    approaches = [(entry, _chain(suite, entry)) for entry in _with_controls(suite)]
    metrics = _metrics(suite, "metrics", suite.file.metrics)
    cells: list[Cell] = []
    for model_name, model in suite.file.models.items():
        mine = _metrics(suite, f"models.{model_name}.metrics", model.metrics) if model.metrics else metrics
        for target in _targets(suite, model_name, model):
            cells += _pair(suite, model_name, target, approaches, mine)
    for plugin, _ in metrics:
        if not any(plugin.name == name for cell in cells for name, _ in cell.metrics):
            needs = ", ".join(plugin.constants.get("NEEDS", ()))
            raise suite.error("metrics", f"{plugin.name} scores none of the models", f"it needs: {needs}; take it out")
    return cells


def _metrics(suite: Suite, key: str, entries: list[Named]) -> list[tuple[Plugin, dict[str, Any]]]:
    """Metrics with all their options; an option named ``space`` names a feature space."""
    found = []
    for entry in entries:
        plugin = _find(suite, key, "metrics", entry.name)
        options = _checked(suite, key, plugin, entry.options)
        if "space" in options:
            _find(suite, f"{key}.{plugin.name}.space", "features", options["space"])
        found.append((plugin, options))
    return found


def _with_controls(suite: Suite) -> list[ApproachEntry]:
    """The controls first, as the suite sets them or as they are; then the rest in the suite's order."""
    written = {entry.approach: entry for entry in suite.file.approaches}
    controls = [written.get(name) or ApproachEntry(name=name, approach=name) for name in CONTROLS]
    names = [entry.name for entry in suite.file.approaches if entry not in controls]
    for control in controls:
        if control.name in names:
            raise suite.error("approaches", f"{control.name!r} is the name of a control", "give the entry another name")
    return controls + [entry for entry in suite.file.approaches if entry not in controls]


def _chain(suite: Suite, entry: ApproachEntry) -> Chain:
    """``lora + augmentation`` as plugins with all their options; contradictions are refused."""
    key = f"approaches.{entry.name}"
    parts = [part.strip() for part in entry.approach.split("+")]
    found = [_find(suite, key, "approaches", part) for part in parts]
    for plugin in found:
        if parts.count(plugin.name) > 1:
            raise suite.error(key, f"{plugin.name} stands twice in {entry.approach!r}", "name it once")
        if len(found) > 1 and not plugin.constants.get("TRAINS", True):
            raise suite.error(key, f"{plugin.name} trains nothing, so nothing can be added to it", "let it stand alone")
    replacing = [plugin.name for plugin in found if plugin.constants.get("REPLACES_MODEL")]
    if len(replacing) > 1:
        raise suite.error(key, f"{' and '.join(replacing)} both replace the model", "keep one of them")
    options = {found[0].name: entry.options} if len(found) == 1 else entry.options
    for name in options:
        if name not in parts:
            raise suite.error(
                f"{key}.options", f"{name!r} is not part of {entry.approach!r}", f"use: {', '.join(parts)}"
            )
    return [(plugin, _checked(suite, key, plugin, options.get(plugin.name) or {})) for plugin in found]


def _targets(suite: Suite, model_name: str, model: ModelEntry) -> list[DatasetEntry]:
    """The datasets a model meets: those it names, or all of its modality."""
    key = f"models.{model_name}"
    family = _find(suite, f"{key}.family", "families", model.family)
    modality = family.constants["MODALITY"]
    found = []
    for entry in suite.file.datasets:
        plugin = _find(suite, "datasets", "datasets", entry.name)
        if plugin.constants["MODALITY"] == modality and (model.datasets is None or entry.name in model.datasets):
            found.append(entry)
        elif entry.name in (model.datasets or []):
            kind = plugin.constants["MODALITY"]
            raise suite.error(
                f"{key}.datasets", f"{entry.name} is {kind}, {model.family} makes {modality}", "take it out"
            )
    if not found:
        raise suite.error(
            key, f"no dataset of the suite is {modality}", "add one to datasets; see `bench list datasets`"
        )
    return found


def _pair(
    suite: Suite,
    model_name: str,
    target: DatasetEntry,
    approaches: list[tuple[ApproachEntry, Chain]],
    metrics: list[tuple[Plugin, dict[str, Any]]],
) -> list[Cell]:
    """The cells of one model on one dataset."""
    entry = suite.file.models[model_name]
    family = plugins.find("families", entry.family)
    model = _model_spec(suite, model_name, entry, family)
    spec = _dataset_spec(suite, target)
    offers = set(family.constants["OFFERS"])
    sizes = target.data_sizes or entry.data_sizes or suite.file.data_sizes
    known = dataset.sizes(spec.name, spec.options)
    if known and max(sizes) > known["train"]:
        problem = f"{max(sizes)} examples asked, {spec.name} has {known['train']} to train on"
        raise suite.error("data_sizes", problem, f"ask for {known['train']} or fewer")
    cells, trials = [], {}
    for approach, chain in approaches:
        overrides = [suite.file, entry, target, approach]
        trains = all(plugin.constants.get("TRAINS", True) for plugin, _ in chain)
        tuning = _grid(suite, approach, chain, {key: v for part in overrides for key, v in part.tuning.items()}, trains)
        if trains:
            trials[approach.name] = len(tuning)
        needs = {need for plugin, _ in chain for need in plugin.constants.get("NEEDS", ())}
        common = {
            "suite": suite.name,
            "model_name": model_name,
            "model": model,
            "modality": family.constants["MODALITY"],
            "target": spec,
            "approach": approach.name,
            "chain": [(plugin.name, options) for plugin, options in chain],
            "budget": _merged(suite, "budget", Budget, overrides),
            "tuning": tuning,
            "metrics": [(p.name, o) for p, o in metrics if offers >= set(p.constants.get("NEEDS", ()))],
            "evaluation": _merged(suite, "evaluation", EvaluationSpec, overrides),
            "control": approach.approach in CONTROLS,
            "reason": f"{approach.approach} needs {', '.join(sorted(needs - offers))}; {entry.family} has none"
            if needs - offers
            else "",
        }
        uses_data = all(plugin.constants.get("USES_DATA", True) for plugin, _ in chain)
        for size, seed in itertools.product(sizes if uses_data else [0], suite.file.seeds):
            cells.append(Cell(**common, data_size=size, seed=seed))
    if len(set(trials.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in trials.items())
        raise suite.error(
            "tuning", f"approaches get different numbers of trials ({listed})", "give all the same number"
        )
    return cells


def _model_spec(suite: Suite, name: str, entry: ModelEntry, family: Plugin) -> ModelSpec:
    key = f"models.{name}"
    if (entry.checkpoint is None) == (entry.recipe is None):
        raise suite.error(key, "needs either a checkpoint or a recipe", "write one of the two")
    options = _checked(suite, f"{key}.options", family, entry.options)
    spec = ModelSpec(**{field: getattr(entry, field) for field in ModelSpec.model_fields} | {"options": options})
    if entry.recipe:
        source = _find(suite, f"{key}.recipe.source", "datasets", entry.recipe.source.name)
        if source.constants["MODALITY"] != family.constants["MODALITY"]:
            raise suite.error(
                f"{key}.recipe.source", f"{source.name} is {source.constants['MODALITY']}", "name another"
            )
        _checked(suite, f"{key}.recipe.source", source, entry.recipe.source.options)
        return spec
    path, fingerprint = checkpoint.resolve(entry.checkpoint or "", suite.path)
    return spec.model_copy(update={"checkpoint": path, "fingerprint": fingerprint})


def _dataset_spec(suite: Suite, entry: DatasetEntry) -> Named:
    plugin = plugins.find("datasets", entry.name)
    return Named(name=entry.name, options=_checked(suite, f"datasets.{entry.name}", plugin, entry.options))


def _grid(
    suite: Suite, approach: ApproachEntry, chain: Chain, axes: dict[str, list[Any]], trains: bool
) -> list[dict[str, Any]]:
    """The points of the tuning grid for one approach: axes of other approaches' options do not concern it."""
    mine = {}
    for axis, values in axes.items():
        part, _, option = axis.partition(".")
        if not values:
            raise suite.error(f"tuning.{axis}", "is empty", "name at least one value")
        if not option and axis not in ("learning_rate", "weight_decay", "warmup"):
            raise suite.error(
                "tuning", f"unknown axis {axis!r}", "use learning_rate, weight_decay, warmup or approach.option"
            )
        owner = next((plugin for plugin, _ in chain if plugin.name == part), None)
        if option and owner is None:
            if part not in plugins.names("approaches"):
                _find(suite, f"tuning.{axis}", "approaches", part)
            continue
        for value in values:
            if owner:
                _checked(suite, f"tuning.{axis}", owner, {option: value})
            else:
                _merged(suite, f"tuning.{axis}", Budget, [], {"steps": 1, axis: value})
        mine[axis] = values
    return [dict(zip(mine, point, strict=True)) for point in itertools.product(*mine.values())] if trains else [{}]


def _merged(suite: Suite, key: str, model: Any, overrides: list[Any], extra: dict[str, Any] | None = None) -> Any:
    """Defaults and overrides as one checked part; later ones win."""
    values = {name: value for part in overrides for name, value in getattr(part, key).items()} | (extra or {})
    try:
        return model.model_validate(values)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        if first["type"] == "extra_forbidden":
            hint = plugins.suggest(name, list(model.model_fields)) or f"use: {', '.join(model.model_fields)}"
            raise suite.error(f"{key}.{name}", "unknown key", hint.strip()) from None
        remedy = "change it" if first["type"] != "missing" else "add it"
        raise suite.error(f"{key}.{name}", f"{first['msg'].lower()} (it is {first.get('input')!r})", remedy) from None


def _find(suite: Suite, key: str, kind: str, name: str) -> Plugin:
    try:
        return plugins.find(kind, name)
    except PluginError as error:
        problem, _, remedy = str(error).partition("; ")
        raise suite.error(key, problem, remedy) from None


def _checked(suite: Suite, key: str, plugin: Plugin, options: dict[str, Any]) -> dict[str, Any]:
    try:
        return plugin.check(options)
    except PluginError as error:
        problem, _, remedy = str(error).partition("; ")
        raise suite.error(key, problem, remedy) from None
