"""One point of a suite's matrix, and the hash of everything that determines its outcome."""

import re
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator

from bench.budget import Budget, EvaluationSpec, Strict
from bench.cache import content_hash

GENERATION = 1
"""Raised when a change of ours alters the numbers of an unchanged suite: finished cells then count as missing. Where it
alters those of checkpoints alone, which come with tokenizers of any kind, families state a CHECKPOINT_GENERATION."""


def named(entry: Any) -> Any:
    """``name``, ``{name: options}`` or ``{name: …, options: …}`` to the last form."""
    if isinstance(entry, str):
        return {"name": entry}
    if isinstance(entry, dict) and len(entry) == 1 and "name" not in entry:
        name, options = next(iter(entry.items()))
        return {"name": name, "options": {} if options is None else options}
    return entry


class Named(Strict):
    """A dataset or a metric by name, with its options."""

    name: str
    options: dict[str, Any] = {}


class DatasetChoice(Named):
    """A dataset, as a suite says it.

    Attributes:
        dataset: name of the plugin, where ``name`` is one that the suite gave it.
    """

    dataset: str = ""

    @property
    def plugin(self) -> str:
        """Name of the plugin."""
        return self.dataset or self.name


class DatasetSpec(DatasetChoice):
    """A dataset with all its options, and where it is made of a user's files, what they hold.

    Attributes:
        content: hash of these files.
        fault: why they cannot be read, and the remedy; the key is then that of no content, and another once there is.
    """

    content: str = ""
    fault: str = Field(default="", exclude=True)


class Quality(Strict):
    """What the training examples are like: as they are, or in part worse; see :mod:`bench.training.quality`.

    Attributes:
        kind: what a ``share`` of them is.
    """

    kind: Literal["clean", "corrupted", "duplicated"] = "clean"
    share: float = Field(default=0.0, ge=0, le=1)

    @property
    def label(self) -> str:
        """``clean``, or ``corrupted 0.2``: as tables show it."""
        return self.kind if self.kind == "clean" else f"{self.kind} {self.share:g}"


class Recipe(Strict):
    """How a base model is pretrained on first use.

    Attributes:
        architecture: what the family builds it from, in the words of the library behind the family.
        source: the domain it learns.
        steps, batch_size, learning_rate: as in :class:`Budget`.
        seed: of initialisation and order.
        threads: on a CPU; fixed, because the last digits of a sum depend on it.
    """

    architecture: dict[str, Any]
    source: DatasetSpec
    steps: int = Field(ge=1)
    batch_size: int = Field(default=16, ge=1)
    learning_rate: float = Field(default=1e-3, gt=0)
    seed: int = Field(default=0, ge=0)
    threads: int = Field(default=1, ge=1)

    @field_validator("source", mode="before")
    @classmethod
    def _named(cls, source: Any) -> Any:
        return named(source)


class ModelChoice(Strict):
    """A family plus either a checkpoint or a recipe, as a suite says it.

    Attributes:
        family: name of the family.
        checkpoint: hub id or local folder.
        revision: of a hub checkpoint.
        trust_remote_code: whether code that comes with the checkpoint may run.
        recipe: how to pretrain it here instead.
        source: name of the domain a checkpoint was pretrained on, where it is one of ours or known by name.
        options: of the family.
    """

    family: str
    checkpoint: str | None = None
    revision: str | None = None
    trust_remote_code: bool = False
    recipe: Recipe | None = None
    source: str | None = None
    options: dict[str, Any] = {}


class ModelSpec(ModelChoice):
    """A model with all its options, and where it is a local folder, what that holds.

    Attributes:
        fingerprint: content hash of a local checkpoint folder; empty where it holds no weights, or is not there.
        fault: why the checkpoint cannot be found or read, and the remedy.
    """

    fingerprint: str | None = None
    fault: str = Field(default="", exclude=True)

    @property
    def source_name(self) -> str:
        """The domain the model knows; empty where it is not known."""
        return self.recipe.source.name if self.recipe else self.source or ""


class Cell(Strict):
    """One point of the matrix: what is trained, on what, how long, and how it is scored.

    ``model_name`` and ``approach`` are the names the user wrote; they do not change the outcome, nor the key.

    Attributes:
        chain: the approach's parts in order, each a (name, options) pair with every option spelled out.
        data_size: target examples; 0 for an approach that uses none.
        data_quality: what these are like.
        tuning: the grid's points, each a mapping of budget fields or ``approach.option`` to values.
        code: plugins that are not ours to hash of their source. :data:`GENERATION` speaks for ours, and where one of
            them alone has changed the ``GENERATION`` that its module states; the family of a checkpoint has its own.
        control: whether it is one of the controls.
        reason: why it does not apply; empty where it does.
    """

    suite: str
    model_name: str
    model: ModelSpec
    modality: str
    target: DatasetSpec
    approach: str
    chain: list[tuple[str, dict[str, Any]]]
    data_size: int
    data_quality: Quality = Quality()
    seed: int
    budget: Budget
    tuning: list[dict[str, Any]]
    metrics: list[tuple[str, dict[str, Any]]]
    evaluation: EvaluationSpec
    code: dict[str, str] = {}
    control: bool = False
    reason: str = ""

    @cached_property
    def key(self) -> str:
        """Hash of all that determines the outcome; equal for equal content, whatever it is called."""
        content = self.model_dump(exclude={"suite", "model_name", "approach", "control", "reason"})
        content["budget"].pop("time_limit")
        for unit in ("examples", "seconds"):
            if content["budget"][unit] is None:
                content["budget"].pop(unit)
        content["evaluation"].pop("measure")
        content["metrics"].sort()
        if not content["code"]:
            content.pop("code")
        if self.data_quality.kind == "clean":
            content.pop("data_quality")
        content["model"].pop("source")
        if content["model"]["fingerprint"]:  # a folder is what it holds, wherever it lies
            content["model"].pop("checkpoint")
        for spec in (content["target"], (content["model"]["recipe"] or {}).get("source", {})):
            if name := spec.pop("dataset", ""):
                spec["name"] = name
            if not spec.get("content"):
                spec.pop("content", None)
        return content_hash([GENERATION, content])

    @cached_property
    def id(self) -> str:
        """File name of the cell's results: readable, safe on every file system, and unique by its key."""
        quality = "" if self.data_quality.kind == "clean" else f"-{self.data_quality.label}"
        slug = f"{self.target.name}-{'+'.join(name for name, _ in self.chain)}-n{self.data_size}{quality}-s{self.seed}"
        return f"{re.sub(r'[^A-Za-z0-9_+-]', '_', slug)[:100]}-{self.key}"

    def domains(self) -> dict[str, DatasetSpec]:
        """The target, and the source where a recipe names one, by the name that records give them."""
        found = {self.target.name: self.target}
        if self.model.recipe:  # whose source may be the same domain with other options
            source = self.model.recipe.source
            found |= {source.name if source.name != self.target.name else f"{source.name} (source)": source}
        return found

    def asked(self, run: str) -> dict[str, Any]:
        """The first part of the cell's record."""
        return {
            "suite": self.suite,
            "run": run,
            "model": self.model_name,
            "family": self.model.family,
            "modality": self.modality,
            "source": self.model.source_name,
            "target": self.target.name,
            "approach": self.approach,
            "options": dict(self.chain),
            "data_size": self.data_size,
            "data_quality": self.data_quality.label,
            "seed": self.seed,
            "control": self.control,
            "key": self.key,
            "definition": self.model_dump(exclude={"suite", "reason"}),
        }
