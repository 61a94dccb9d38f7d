"""What the files of a run have to look like to be read: one schema, which :mod:`bench.results.checks` holds them to.

Whoever reads a record may rely on the types here. What older versions did not write may be missing; what newer ones add
is kept. Bounds are far beyond what anybody can mean, and keep tables, figures and pages from hanging. Imports no torch.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import ConfigDict, FailFast, Field, with_config
from typing_extensions import TypedDict  # pydantic takes it from there before Python 3.12

FOLDER = r"[A-Za-z0-9][A-Za-z0-9 _.+,:=()%-]{0,79}"
"""Names of suites and runs, which are folders' too."""

_OPEN = ConfigDict(extra="allow", strict=True)

Name = Annotated[str, Field(max_length=200)]  # a figure that has to draw more hangs
Text = Annotated[str, Field(max_length=1_000_000)]
Whole = Annotated[int, Field(ge=0, lt=2**63)]  # what tables hold
File = Annotated[str, Field(pattern=r"^[A-Za-z0-9_+-][A-Za-z0-9_+.-]*$", max_length=255)]
LARGEST = 1e300  # of a score: what is beyond has no axis that libraries can draw
Finite = Annotated[float, Field(ge=-LARGEST, le=LARGEST)]
Seconds = Annotated[float, Field(ge=0, lt=1e10)]  # three hundred years
Options = dict[str, Any]
Failure = Annotated[list[Text], Field(min_length=3, max_length=3)]
"""Cell, status and reason."""
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
    driver: Name | None
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
    ends: dict[str, Whole]
    failures: Annotated[list[Failure], Field(max_length=100)]
    packed: dict[str, Name]
    weights: dict[str, Name]
    environment: Environment
