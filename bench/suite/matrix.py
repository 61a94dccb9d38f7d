"""A suite's matrix, point by point: every model with the datasets of its modality, every approach, size and seed."""

import itertools
from typing import Any

from bench import dataset_cache, plugins
from bench.budget import Budget, EvaluationSpec
from bench.errors import DataError, Unusable
from bench.plugins import Plugin
from bench.suite import checkpoint, code, composition
from bench.suite.cell import Cell, DatasetChoice, DatasetSpec, ModelChoice, ModelSpec, Named, Quality, Recipe
from bench.suite.declaration import ApproachEntry, DatasetEntry, Declaration, ModelEntry
from bench.suite.overrides import SAME, Chain, Layers, grid, merged
from bench.words import counted, cut

CONTROLS = tuple(plugin.name for plugin in plugins.stating("approaches", "CONTROL"))
"""Always in a run: what the pretrained model does untouched, what no transfer does, the floor of each metric, and how
far the split puts training data from test data."""

Metrics = list[tuple[Plugin, dict[str, Any]]]
Target = tuple[DatasetEntry, Plugin, DatasetSpec]


def expand(suite: Declaration) -> list[Cell]:
    """All cells of a suite, in its order, controls first."""
    approaches = [(entry, composition.chain(suite, entry)) for entry in _with_controls(suite)]
    metrics = _metrics(suite, "metrics", suite.file.metrics)
    targets: list[Target] = []
    for dataset_entry in suite.file.datasets:
        targets.append((dataset_entry, *_dataset(suite, "datasets", f"datasets.{dataset_entry.name}", dataset_entry)))
    cells: list[Cell] = []
    for name, entry in suite.file.models.items():
        family = suite.find(f"models.{name}.family", "families", entry.family)
        scored_by = _metrics_of(suite, name, entry, family, metrics)
        model = _model_spec(suite, name, entry, family)
        for target in _targets(suite, name, entry, family, targets):
            cells += _pair(suite, name, model, target, approaches, scored_by)
    met = {cell.target.name for cell in cells}
    for dataset_entry, plugin, spec in targets:
        if spec.name not in met:
            problem = f"it is {plugin.modality(spec.options)}, and no model of the suite meets it"
            raise suite.error(f"datasets.{dataset_entry.name}", problem, "take it out, or add a model for it")
    alone = all(entry.metrics is not None for entry in suite.file.models.values())
    for plugin, _ in metrics:
        if not any(plugin.name == name for cell in cells for name, _ in cell.metrics):
            remedy = "each has metrics of its own; take it out here, or theirs" if alone else _needs(plugin)
            raise suite.error("metrics", f"{plugin.name} scores none of the models", remedy)
    _check_distinct(suite, cells)
    return cells


def _metrics(suite: Declaration, key: str, entries: list[Named]) -> Metrics:
    """Metrics with all their options; an option named ``space`` names a feature space."""
    found = []
    for entry in entries:
        plugin = suite.find(key, "metrics", entry.name)
        options = suite.options(f"{key}.{entry.name}", plugin, entry.options)
        if "space" in options:
            suite.find(f"{key}.{entry.name}.space", "features", options["space"]).stated("MODALITY")
        found.append((plugin, options))
    return found


def _metrics_of(suite: Declaration, name: str, entry: ModelEntry, family: Plugin, metrics: Metrics) -> Metrics:
    """What a model is scored by: all it lists itself, or those of the suite's that its family can be asked for."""
    offers = set(family.stated("OFFERS"))
    mine = _metrics(suite, f"models.{name}.metrics", entry.metrics or [])
    for plugin, _ in mine:
        if not offers.issuperset(plugin.constants.get("NEEDS", ())):
            raise suite.error(f"models.{name}.metrics", f"{plugin.name} cannot score {family.name}", _needs(plugin))
    mine = mine or [(p, options) for p, options in metrics if offers.issuperset(p.constants.get("NEEDS", ()))]
    if not mine:
        raise suite.error(f"models.{name}", "no metric of the suite scores it", "add one; see `bench list metrics`")
    return mine


def _needs(metric: Plugin) -> str:
    return f"it needs: {', '.join(metric.constants.get('NEEDS', ()))}; take it out"


def _with_controls(suite: Declaration) -> list[ApproachEntry]:
    """The controls first, as the suite sets them or as they are; then the rest in the suite's order."""
    known = plugins.names("approaches")
    for entry in suite.file.approaches:
        if entry.name in known and entry.approach != entry.name:
            problem = f"{entry.name!r} is the name of an approach, and this is {cut(entry.approach, 100)!r}"
            raise suite.error(f"approaches.{entry.name}", problem, "give it another name")
    written = {entry.approach: entry for entry in reversed(suite.file.approaches)}
    controls = [written.get(name) or ApproachEntry(name=name, approach=name) for name in CONTROLS]
    return controls + [entry for entry in suite.file.approaches if entry not in controls]


def _dataset(suite: Declaration, key: str, at: str, entry: DatasetChoice) -> tuple[Plugin, DatasetSpec]:
    """A dataset with all its options, and what a user's own files hold; it stands at ``key``, its options ``at``."""
    plugin = suite.find(key, "datasets", entry.plugin)
    if entry.plugin != entry.name and entry.name in plugins.names("datasets"):
        problem = f"{entry.name!r} is the name of a dataset, and this is {cut(entry.plugin, 100)!r}"
        raise suite.error(at, problem, "give it another name")
    options = suite.options(at, plugin, entry.options)
    content, fault = _content(plugin, options)
    return plugin, DatasetSpec(name=entry.name, dataset=entry.dataset, options=options, content=content, fault=fault)


def _content(plugin: Plugin, options: dict[str, Any]) -> tuple[str, str]:
    """What a user's own files hold, and why that cannot be told: a fault of their cells, not of the suite."""
    try:
        return dataset_cache.content(plugin, options), ""
    except DataError as error:
        return "", str(error)
    except OSError as error:
        return "", f"dataset {plugin.name}: cannot be read ({cut(str(error), 200)}); see that you may read it"


def _targets(suite: Declaration, name: str, entry: ModelEntry, family: Plugin, targets: list[Target]) -> list[Target]:
    """The datasets a model meets: those it names, or all of its modality."""
    key, modality, found = f"models.{name}", family.stated("MODALITY"), []
    for target, plugin, spec in targets:
        kind = plugin.modality(spec.options)
        if kind == modality and (entry.datasets is None or target.name in entry.datasets):
            found.append((target, plugin, spec))
        elif target.name in (entry.datasets or []):
            problem = f"{target.name} is {kind}, {entry.family} makes {modality}"
            raise suite.error(f"{key}.datasets", problem, "take it out")
    if not found:
        problem, remedy = f"no dataset of the suite is {modality}", "add one to datasets; see `bench list datasets`"
        raise suite.error(key, problem, remedy)
    return found


def _pair(
    suite: Declaration,
    model_name: str,
    model: ModelSpec,
    chosen: Target,
    approaches: list[tuple[ApproachEntry, Chain]],
    metrics: Metrics,
) -> list[Cell]:
    """The cells of one model on one dataset."""
    target, plugin, spec = chosen
    entry = suite.file.models[model_name]
    family = plugins.find("families", entry.family)
    sizes = _sizes(suite, model_name, target, spec)
    known = ("source",) if model.recipe or model.source in plugins.names("datasets") else ()
    cells, trials, budgets = [], {}, {}
    for approach, chain in approaches:
        layers: Layers = [
            ("", suite.file),
            (f"models.{model_name}.", entry),
            (f"datasets.{target.name}.", target),
            (f"approaches.{approach.name}.", approach),
        ]
        tuning = grid(suite, chain, layers)
        if all(part.constants.get("TRAINS", True) for part, _ in chain):
            trials[approach.name] = len(tuning)
            budgets[approach.name] = merged(suite, "budget", Budget, layers)
        else:
            tuning = [{}]
        parts = [plugin, *(part for part, _ in chain), *(metric for metric, _ in metrics)]
        common = {
            "suite": suite.name,
            "model_name": model_name,
            "model": model,
            "modality": family.stated("MODALITY"),
            "target": spec,
            "approach": approach.name,
            "chain": [(part.name, options) for part, options in chain],
            "budget": merged(suite, "budget", Budget, layers),
            "tuning": tuning,
            "metrics": [(metric.name, options) for metric, options in metrics],
            "evaluation": merged(suite, "evaluation", EvaluationSpec, layers),
            "code": code.versions(model, parts),
            "control": approach.approach in CONTROLS,
            "reason": composition.inapplicable([part for part, _ in chain], family, known),
        }
        uses_data = all(part.constants.get("USES_DATA", True) for part, _ in chain)
        qualities = suite.file.data_quality if uses_data else [Quality()]
        for quality, size, seed in itertools.product(qualities, sizes if uses_data else [0], suite.file.seeds):
            cells.append(Cell(**common, data_size=size, data_quality=quality, seed=seed))
    if len(set(trials.values())) > 1:
        listed = ", ".join(f"{name}: {count}" for name, count in trials.items())
        problem = f"approaches get different numbers of trials ({listed})"
        raise suite.error("tuning", problem, "give all the same number")
    for name in SAME:
        if name == "batch_size" and any(budget.steps is None for budget in budgets.values()):
            continue
        spent = {approach: getattr(budget, name) for approach, budget in budgets.items()}
        if len(set(spent.values())) > 1:
            listed = ", ".join(f"{approach}: {count}" for approach, count in spent.items())
            raise suite.error(f"budget.{name}", f"approaches get different budgets ({listed})", "give all the same")
    return cells


def _sizes(suite: Declaration, model_name: str, target: DatasetEntry, spec: DatasetSpec) -> list[int]:
    """The data sizes of a pair, no larger than the training split where that is known already."""
    mine = suite.file.models[model_name].data_sizes
    key = f"datasets.{target.name}." if target.data_sizes else f"models.{model_name}." if mine else ""
    sizes = target.data_sizes or mine or suite.file.data_sizes
    known = None if spec.fault else dataset_cache.sizes(spec.plugin, spec.options)
    if known and max(sizes) > known["train"]:
        problem = f"{counted(max(sizes), 'example')} asked, {spec.name} has {known['train']} to train on"
        raise suite.error(f"{key}data_sizes", problem, f"ask for {known['train']} or fewer")
    return sizes


def _model_spec(suite: Declaration, name: str, entry: ModelEntry, family: Plugin) -> ModelSpec:
    key = f"models.{name}"
    if (entry.checkpoint is None) == (entry.recipe is None):
        raise suite.error(key, "needs either a checkpoint or a recipe", "write one of the two")
    options = suite.options(f"{key}.options", family, entry.options)
    spec = ModelSpec(**{field: getattr(entry, field) for field in ModelChoice.model_fields} | {"options": options})
    hosted = "network" not in family.stated("OFFERS")  # a checkpoint is then a model's name at its server
    if entry.recipe and hosted:
        raise suite.error(f"{key}.recipe", f"{family.name} has no network to pretrain", "name a checkpoint")
    if entry.recipe:
        for field in {"revision", "trust_remote_code", "source"} & entry.model_fields_set:
            raise suite.error(f"{key}.{field}", "goes with a checkpoint, and this is a recipe", "take it out")
        return spec.model_copy(update={"recipe": _recipe(suite, f"{key}.recipe.source", entry.recipe, family)})
    if hosted:
        return spec
    try:
        path, fingerprint = checkpoint.resolve(entry.checkpoint or "", suite.path.parent)
    except Unusable as reason:
        return spec.model_copy(update={"fingerprint": "", "fault": f"{reason.problem}; {reason.remedy}"})
    return spec.model_copy(update={"checkpoint": path, "fingerprint": fingerprint})


def _recipe(suite: Declaration, key: str, recipe: Recipe, family: Plugin) -> Recipe:
    """The recipe with all options of its source."""
    for field in {"content", "fault"} & recipe.source.model_fields_set:
        raise suite.error(f"{key}.{field}", "unknown key", "take it out")
    source, spec = _dataset(suite, key, key, recipe.source)
    if (modality := source.modality(spec.options)) != family.stated("MODALITY"):
        raise suite.error(
            key, f"{source.name} is {modality}, {family.name} learns {family.stated('MODALITY')}", "name another"
        )
    return recipe.model_copy(update={"source": spec})


def _check_distinct(suite: Declaration, cells: list[Cell]) -> None:
    """No two names for the same thing: a cell has one row in the tables, and one name."""
    seen: dict[str, Cell] = {}
    for cell in cells:
        other = seen.setdefault(cell.key, cell)
        if other is not cell:
            kind = "models" if cell.model_name != other.model_name else "approaches"
            one, two = (c.model_name if kind == "models" else c.approach for c in (other, cell))
            raise suite.error(kind, f"{two!r} is the same as {one!r}", "take one out, or change what it does")
