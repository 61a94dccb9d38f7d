"""A suite as it is written: its keys, and what is wrong at one of them. No torch."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator

from bench import plugins
from bench.budget import Strict
from bench.errors import PluginError, SuiteError
from bench.plugins import Plugin
from bench.results import schema
from bench.suite.cell import DatasetChoice, ModelChoice, Named, Quality, named

NAME = re.compile(schema.FOLDER)


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
    tolerances: dict[str, Annotated[float, Field(ge=0, allow_inf_nan=False)]] = {}
    keep: Literal["best", "all", "none"] = "best"

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
class Declaration:
    """A suite's file, read.

    Attributes:
        name: the file's stem; the folder of its results.
        path: the YAML file.
        file: its content.
    """

    name: str
    path: Path
    file: SuiteFile

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
