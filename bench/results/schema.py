"""What the files of a run have to look like to be read: one schema, and what stands in for a record that breaks it.

Whoever reads a record may rely on the types here. What older versions did not write may be missing; what newer ones add
is kept. Bounds are far beyond what anybody can mean, and keep tables, figures and pages from hanging. Imports no torch.
"""

import re
from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, FailFast, Field, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # pydantic takes it from there before Python 3.12

from bench.results.files import Damaged
from bench.words import shown, wanted

STATUSES = ("ok", "failed", "out_of_memory", "diverged", "timed_out", "not_applicable")
FOLDER = r"[A-Za-z0-9][A-Za-z0-9 _.+,:=()%-]{0,79}"
"""Names of suites and runs, which are folders' too."""
UNKNOWN = "unknown"
"""Stands for a name that a damaged record does not tell."""

_OPEN = ConfigDict(extra="allow", strict=True)
_ID = re.compile(r".*-n(?P<data_size>\d{1,18})(-.+)?-s(?P<seed>\d{1,18})-[0-9a-f]{16}")
_CUT = 117  # characters of a cell's name (bench.suite.cell.Cell.id), whose end may be cut from there on

Name = Annotated[str, Field(max_length=200)]  # a figure that has to draw more hangs
Text = Annotated[str, Field(max_length=1_000_000)]
Whole = Annotated[int, Field(ge=0, lt=2**63)]  # what tables hold
File = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$", max_length=255)]
LARGEST = 1e300  # of a score: what is beyond has no axis that libraries can draw
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, Field(ge=0, lt=1e10)]  # three hundred years
Options = dict[str, Any]
Folder = Annotated[str, Field(pattern=f"^{FOLDER}$")]


@with_config(_OPEN)
class Score(TypedDict):
    """A number of :class:`bench.evaluation.Score`; null is one that is not finite."""

    metric: Annotated[Name, Field(min_length=1)]
    value: Finite | None
    unit: Name
    better: Literal["lower", "higher", "none"]
    n: Whole
    error: Finite | None


@with_config(_OPEN)
class Trial(TypedDict):
    """A point of the tuning grid."""

    values: Options


@with_config(_OPEN)
class Evaluation(TypedDict, total=False):
    """How it was scored."""

    samples: Annotated[int, Field(ge=1)]


@with_config(_OPEN)
class Definition(TypedDict, total=False):
    """Of the cell's definition what a report shows."""

    budget: Options
    tuning: list[Options]
    evaluation: Evaluation
    code: Options


@with_config(_OPEN)
class Place(TypedDict):
    """Where a cell stands in tables."""

    suite: Name
    run: Name
    model: Name
    family: Name
    modality: Name
    source: Name
    target: Name
    approach: Name
    options: dict[str, Options]
    data_size: Whole
    seed: Whole


@with_config(_OPEN)
class Asked(Place):
    """The first part of a record, :meth:`bench.suite.cell.Cell.asked`."""

    data_quality: NotRequired[Name]
    control: NotRequired[bool]
    definition: NotRequired[Definition]


@with_config(_OPEN)
class Happened(TypedDict):
    """The second part: how the cell ended, and what it scored."""

    status: Literal["ok", "failed", "out_of_memory", "diverged", "timed_out", "not_applicable"]
    reason: Text
    scores: Annotated[list[Score], FailFast(), Field(max_length=10_000)]
    trials: NotRequired[Annotated[list[Trial], FailFast()]]
    chosen: NotRequired[Options]
    skipped: NotRequired[dict[str, Text]]
    seconds: NotRequired[Seconds]
    measured: NotRequired[bool]
    training: NotRequired[Options]


@with_config(_OPEN)
class Machine(TypedDict, total=False):
    """Where it happened."""

    id: Name | None
    processor: Name | None
    cores: Whole | None
    memory_gib: Finite | None
    accelerator: Name | None
    system: Name | None


@with_config(_OPEN)
class Environment(TypedDict, total=False):
    """The third part, :func:`bench.running.environment.describe` and what only the worker knows."""

    machine: Machine
    accelerator: Name | None
    device: Name | None
    precision: Name | None
    threads: Whole | None
    python: Name | None
    packages: dict[str, Name | None]
    commit: Name | None
    datasets: dict[str, Name]
    damaged_items: dict[str, Annotated[int, Field(ge=0, lt=2**40)]]
    left_out: list[Text]
    notes: Options


@with_config(_OPEN)
class Record(TypedDict):
    """One cell."""

    cell: str
    asked: Asked
    happened: Happened
    environment: NotRequired[Environment]


@with_config(_OPEN)
class Info(TypedDict):
    """``run.json``."""

    suite: Folder
    run: Folder
    description: Text
    source: Text
    cells: Annotated[list[File], FailFast()]
    primary: dict[str, Name]
    started: Name | None
    finished: Name | None
    seconds: Seconds
    workers: Whole | None
    cell_seconds: dict[str, Seconds]
    environment: Environment


_SCORES: TypeAdapter[Any] = TypeAdapter(list[Score])
_RECORD: TypeAdapter[Any] = TypeAdapter(Record)
_PARTS: dict[str, TypeAdapter[Any]] = {
    name: TypeAdapter(kind, config=None if hasattr(kind, "__pydantic_config__") else ConfigDict(strict=True))
    for name, kind in Info.__annotations__.items()
}
_NAMES = {
    name: TypeAdapter(kind, config=ConfigDict(strict=True))
    for name, kind in (Place.__annotations__ | {"data_quality": Name}).items()
}
_NOTHING: dict[str, Any] = {
    "description": "", "source": "", "cells": [], "primary": {}, "started": None, "finished": None, "seconds": 0.0,
    "workers": None, "cell_seconds": {}, "environment": {},
}  # fmt: skip


def check_scores(scores: list[dict[str, Any]]) -> None:
    """:class:`Damaged` where a record that holds these could not be read again."""
    try:
        _SCORES.validate_python(scores)
    except ValidationError as error:
        raise Damaged(_said(error)) from None
    _check_each_once(scores)


def checked(content: Any, cell: str) -> dict[str, Any]:
    """``content`` as the record of a cell, with what older versions left out; :class:`Damaged` where it is none."""
    try:
        found: dict[str, Any] = _RECORD.validate_python(content)
    except ValidationError as error:
        raise Damaged(_said(error)) from None
    if found["cell"] != cell:
        raise Damaged(f"cell: {shown(found['cell'])} is another one's name")
    _check_whole(found)
    found["asked"] = {"data_quality": "clean", "definition": {}} | found["asked"]
    found["happened"] = {"trials": [], "chosen": {}, "skipped": {}} | found["happened"]
    found.setdefault("environment", {})
    return found


def _check_whole(found: dict[str, Any]) -> None:
    """Each part may be right, and the whole impossible."""
    asked, happened = found["asked"], found["happened"]
    for name, value in _told(found["cell"]).items():
        if asked[name] != value:
            raise Damaged(f"asked.{name}: {asked[name]} is not what the cell's name says, {value}")
    if happened["scores"] and happened["status"] != "ok":
        raise Damaged(f"happened.scores: a cell that is {happened['status']} has none")
    _check_each_once(happened["scores"], "happened.scores: ")


def _check_each_once(scores: list[dict[str, Any]], where: str = "") -> None:
    seen = set[str]()
    for score in scores:
        if score["metric"] in seen:
            raise Damaged(f"{where}{shown(score['metric'])} is there twice")
        seen.add(score["metric"])


def _told(cell: str) -> dict[str, int]:
    """What a cell's name says of its size and seed; nothing where it may be cut."""
    told = _ID.fullmatch(cell) if len(cell) < _CUT else None
    return {name: int(value) for name, value in told.groupdict().items()} if told else {}


def stand_in(content: Any, cell: str, before: dict[str, Any], why: str) -> dict[str, Any]:
    """A record that says ``why`` there is none: a failed cell, of what can still be told about what was asked.

    Args:
        content: of the damaged file, whatever it is.
        cell: its name.
        before: the cell's row in the run's table, or nothing; it speaks where the file does not.
        why: the row's reason.
    """
    said = content.get("asked") if isinstance(content, dict) else None
    asked: dict[str, Any] = dict.fromkeys(("model", "target", "approach"), UNKNOWN)
    asked |= dict.fromkeys(("suite", "run", "family", "modality", "source"), "")
    asked |= {"options": {}, "data_size": 0, "seed": 0, "data_quality": "clean", "definition": {}}
    for source in (before, said if isinstance(said, dict) else {}):
        asked |= {name: source[name] for name, kind in _NAMES.items() if name in source and _fits(kind, source[name])}
    asked |= _told(cell)
    happened = {"status": "failed", "reason": why, "scores": [], "trials": [], "chosen": {}, "skipped": {}}
    return {"cell": cell, "asked": asked, "happened": happened, "environment": {}}


def run_info(content: Any, instead: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The content of ``run.json``, and what is wrong with it; a part that will not do is taken from ``instead``."""
    given = content if isinstance(content, dict) else {}
    found, wrong = _NOTHING | instead, [] if "cells" in given else [f"{shown(content)} names no cells"]
    for name, kind in _PARTS.items():
        if name in given:
            try:
                found[name] = kind.validate_python(given[name])
            except ValidationError as error:
                wrong.append(_said(error, name))
    if len(cells := list(dict.fromkeys(found["cells"]))) < len(found["cells"]):
        wrong.append("cells: one stands there twice")
        found["cells"] = cells
    return {name: value for name, value in given.items() if name not in _PARTS} | found, wrong


def _fits(kind: TypeAdapter[Any], value: Any) -> bool:
    try:
        kind.validate_python(value)
    except ValidationError:
        return False
    return True


def _said(error: ValidationError, where: str = "") -> str:
    """The first complaint, of what is there before what is missing."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] != "missing"), found[0])
    key = ".".join(str(part) for part in (where, *first["loc"]) if part != "")
    if first["type"] == "missing":
        return f"{key}: missing"
    return f"{key or 'it'}: {shown(first['input'])} will not do, {wanted(first)}"
