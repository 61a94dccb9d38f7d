"""YAML to cells: a suite declares what is compared, :func:`load` checks it, :meth:`Suite.cells` spells it out.

Checks everything that can be checked without training, without torch and without running a plugin's code.
"""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pydantic import Field, ValidationError, field_validator

from bench import plugins, record, results, yaml_file
from bench.cell import Cell, DatasetChoice, ModelChoice, Named, Quality, Strict, named
from bench.complaints import explain, suggest
from bench.errors import PluginError, SuiteError
from bench.plugins import Plugin
from bench.words import shown

NAME = re.compile(record.FOLDER)


class Overrides(Strict):
    """What any entry may set for its own cells, over the suite's defaults."""

    budget: dict[str, Any] = {}
    tuning: dict[str, list[Any]] = {}
    evaluation: dict[str, Any] = {}


class ModelEntry(Overrides, ModelChoice):
    """A model, the datasets it meets (all of its modality if not said), the sizes it meets them in, its metrics."""

    datasets: list[str] | None = Field(default=None, min_length=1)
    data_sizes: list[int] | None = Field(default=None, min_length=1)
    metrics: list[Named] | None = Field(default=None, min_length=1)

    @field_validator("metrics", mode="before")
    @classmethod
    def _named(cls, entries: Any) -> Any:
        return [named(entry) for entry in entries] if isinstance(entries, list) else entries


class DatasetEntry(Overrides, DatasetChoice):
    """A target dataset; under another name than its plugin's where there are several of one."""

    data_sizes: list[int] | None = Field(default=None, min_length=1)


class ApproachEntry(Overrides):
    """An approach or a composition such as ``lora + augmentation``, under the name that tables show.

    Options are by approach where it is a composition: ``{lora: {rank: 4}, augmentation: {flip: 0.5}}``.
    """

    name: str
    approach: str
    options: dict[str, Any] = {}

    @property
    def parts(self) -> list[str]:
        """Names of the approaches it is composed of, in order."""
        return [part.strip() for part in self.approach.split("+")]


class SuiteFile(Overrides):
    """A suite as written. Attributes are the YAML's keys; see ``suites/quickstart.yaml``."""

    description: str = ""
    models: dict[str, ModelEntry] = Field(min_length=1)
    datasets: list[DatasetEntry] = Field(min_length=1)
    approaches: list[ApproachEntry] = Field(min_length=1)
    data_sizes: list[int] = Field(min_length=1)
    data_quality: list[Quality] = Field(default=[Quality()], min_length=1)
    seeds: list[int] = Field(min_length=1)
    metrics: list[Named] = Field(min_length=1)

    @field_validator("datasets", "metrics", mode="before")
    @classmethod
    def _named(cls, entries: Any) -> Any:
        return [named(entry) for entry in entries] if isinstance(entries, list) else entries

    @field_validator("data_quality", mode="before")
    @classmethod
    def _qualities(cls, entries: Any) -> Any:
        return [_quality(entry) for entry in entries] if isinstance(entries, list) else entries

    @field_validator("approaches", mode="before")
    @classmethod
    def _approaches(cls, entries: Any) -> Any:
        return [_approach_entry(entry) for entry in entries] if isinstance(entries, list) else entries


@dataclass(frozen=True)
class Suite:
    """A checked suite.

    Attributes:
        name: the file's stem; the folder of its results.
        path: the YAML file.
        file: its content.
    """

    name: str
    path: Path
    file: SuiteFile

    @cached_property
    def cells(self) -> list[Cell]:
        """The whole matrix in the suite's order, controls first; cells that do not apply carry the reason."""
        from bench.matrix import expand

        return expand(self)

    def primary(self) -> dict[str, str]:
        """Family to the name of the score that ranks approaches: the first listed metric that states one."""
        found: dict[str, str] = {}
        for cell in self.cells:
            for name, options in cell.metrics:
                if "PRIMARY" in (metric := plugins.find("metrics", name)).constants:
                    found.setdefault(cell.model.family, metric.filled("PRIMARY", options))
        return found

    def error(self, key: str, problem: str, remedy: str) -> SuiteError:
        """A :class:`SuiteError` about this file."""
        return SuiteError(self.path, key, problem, remedy)

    def find(self, key: str, kind: str, name: str) -> Plugin:
        """The plugin that stands at ``key``."""
        try:
            return plugins.find(kind, name)
        except PluginError as error:
            raise self._at(key, error) from None

    def options(self, key: str, plugin: Plugin, given: dict[str, Any]) -> dict[str, Any]:
        """All options of the plugin that stands at ``key``, defaults filled in."""
        try:
            return plugin.check(given)
        except PluginError as error:
            raise self._at(key, error) from None

    def _at(self, key: str, error: PluginError) -> SuiteError:
        problem, _, remedy = str(error).partition("; ")
        return self.error(key, problem, remedy)


def shipped() -> Path:
    """The folder of the suites we ship: beside the package in a checkout, inside it in a wheel."""
    inside = Path(__file__).parent / "suites"
    return inside if inside.is_dir() else Path(__file__).parent.parent / "suites"


def available() -> list[Path]:
    """The YAML files of the shipped suites, sorted by name."""
    return sorted(shipped().glob("*.yaml"))


def locate(name: str) -> Path:
    """A path as it is; a bare name among ``./suites`` and the shipped suites."""
    if name.endswith((".yaml", ".yml")) or not NAME.fullmatch(name) or Path(name).is_file():
        return Path(name)
    for folder in (Path("suites"), shipped()):
        if (found := folder / f"{name}.yaml").is_file():
            return found
    if Path(name).is_dir():
        return Path(name)
    known = [path.stem for path in available()]
    hint = suggest(name, known) or f"name a YAML file or one of: {', '.join(known)}"
    raise SuiteError(name, "", "no suite of this name", hint.strip())


def load(name: str | Path) -> Suite:
    """Read and check a suite by path or by name; :class:`SuiteError` names the file, the key, the value, the remedy."""
    path = locate(str(name))
    content = yaml_file.read(path)
    if not NAME.fullmatch(path.stem):
        raise SuiteError(path, "", f"{path.stem!r} is no name for a suite", "use letters, digits, '_', '-'")
    try:
        file = SuiteFile.model_validate(content)
    except ValidationError as error:
        raise SuiteError(path, *explain(error, SuiteFile)) from None
    suite = Suite(path.stem, path, file)
    _check_names(suite)
    try:
        suite.cells  # noqa: B018 - expanding is the rest of the check
    except PluginError as error:
        raise SuiteError(path, "", str(error), "see `bench list`") from None
    return suite


def definition(suite: Suite) -> dict[str, Any]:
    """The suite as plain JSON, for the run's record."""
    plain: dict[str, Any] = results.plain(suite.file.model_dump())
    return plain


def _quality(entry: Any) -> Any:
    """``clean`` or ``{corrupted: 0.2}`` to ``{kind: …, share: …}``."""
    if entry == "clean":
        return {"kind": "clean"}
    if isinstance(entry, dict) and len(entry) == 1 and "kind" not in entry:
        kind, share = next(iter(entry.items()))
        return {"kind": kind, "share": float(share) if type(share) is int else share}
    return entry if isinstance(entry, dict) else {"kind": entry}


def _approach_entry(entry: Any) -> Any:
    """``lora + x``, ``{lora: options}`` or ``{name: …, approach: …}`` to the last form."""
    entry = named(entry)
    if isinstance(entry, dict) and isinstance(entry.get("name"), str):
        return {"approach": entry["name"]} | entry
    return entry


def _check_names(suite: Suite) -> None:
    """Names are unique, harmless, and mean something."""
    file = suite.file
    written: dict[str, list[Any]] = {
        "models": list(file.models),
        "datasets": [entry.name for entry in file.datasets],
        "approaches": [entry.name for entry in file.approaches],
        "metrics": [entry.name for entry in file.metrics],
        "data_sizes": file.data_sizes,
        "data_quality": [quality.label for quality in file.data_quality],
        "seeds": file.seeds,
    }
    for name, model in file.models.items():
        at = f"models.{name}"
        written[f"{at}.datasets"] = model.datasets or []
        written[f"{at}.data_sizes"] = model.data_sizes or []
        written[f"{at}.metrics"] = [entry.name for entry in model.metrics or []]
        written[f"{at}.source"] = [model.source.replace("/", "-", 1)] if model.source is not None else []
    written |= {f"datasets.{entry.name}.data_sizes": entry.data_sizes or [] for entry in file.datasets}
    for key, entries in written.items():
        for value in entries:
            if isinstance(value, str) and not NAME.fullmatch(value):
                raise suite.error(key, f"{shown(value)} is no name", "use letters, digits, spaces and _.+,:=()%-")
            if isinstance(value, int) and value < (0 if key == "seeds" else 1):
                raise suite.error(key, f"{value} is too small", "use 0 or more" if key == "seeds" else "use 1 or more")
            if entries.count(value) > 1:
                raise suite.error(key, f"{shown(value)} stands there twice", "keep one, or give one another name")
    for name, model in file.models.items():
        for wanted in model.datasets or []:
            if wanted not in written["datasets"]:
                hint = suggest(wanted, written["datasets"]) or "add it to datasets"
                problem = f"{shown(wanted)} is not among the suite's datasets"
                raise suite.error(f"models.{name}.datasets", problem, hint.strip())
