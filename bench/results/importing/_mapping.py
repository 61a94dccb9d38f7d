"""Which column of somebody's table is which of ours, as the command line says it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.errors import ResultsError
from bench.words import cut, suggest

TEXTS = ("model", "target", "approach", "family", "modality", "source", "data_quality", "options", "status", "reason")
WHOLES = ("data_size", "seed")
SCORED = ("metric", "value", "better", "unit", "n", "error")
OURS = (*TEXTS, *WHOLES, *SCORED)
DIRECTIONS = ("higher", "lower", "none")

_PER_METRIC = ("n", "error")


class Metric(NamedTuple):
    """What ``--metric`` says: in a wide table ``column`` holds its values."""

    name: str
    column: str
    better: str
    unit: str


@dataclass
class Mapping:
    """Where each of ours is found.

    Attributes:
        file: the table's path, for messages.
        header: its columns.
        columns: ours, or ``n.METRIC`` and ``error.METRIC``, to a column.
        constants: ours to a text that holds for all rows.
        metrics: by name, in the order in which they were given.
    """

    file: str
    header: list[str]
    columns: dict[str, str] = field(default_factory=dict)
    constants: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, Metric] = field(default_factory=dict)

    @property
    def is_long(self) -> bool:
        """Whether a row is one score; else it is a cell with a column for each metric."""
        return "value" in self.columns

    def get(self, row: dict[str, Any], name: str) -> Any:
        """What a row has of one of ours; None where it is not said."""
        return row[self.columns[name]] if name in self.columns else self.constants.get(name)

    def where(self, name: str) -> str:
        """``column 'x'``, or ``--set name``."""
        return f"column {cut(self.columns[name], 80)!r}" if name in self.columns else f"--set {name}"

    def unused(self) -> list[str]:
        """Columns that nothing of ours is made of."""
        values = {metric.column for metric in self.metrics.values()} if not self.is_long else set()
        return [name for name in self.header if name not in {*self.columns.values(), *values}]


def mapping(file: str, header: list[str], maps: list[str], sets: list[str], metrics: list[str]) -> Mapping:
    """What the options say of a table; a column that has one of our names is that, where nothing else is said.

    Args:
        file: the table's path.
        header: its columns.
        maps, sets: ``OURS=COLUMN`` and ``OURS=VALUE``.
        metrics: ``NAME[=COLUMN][:DIRECTION[:UNIT]]``.
    """
    if twice := sorted({name for name in header if header.count(name) > 1}):
        raise ResultsError(f"{file}: column {cut(twice[0], 80)!r} is there twice; give one of them another name")
    given = [_metric(text) for text in metrics]
    found = Mapping(file, header, metrics=dict(zip((one.name for one in given), given, strict=True)))
    known = (*OURS, *(f"{part}.{name}" for part in _PER_METRIC for name in found.metrics))
    for option, texts, into in (("--map", maps, found.columns), ("--set", sets, found.constants)):
        for text in texts:
            name, mark, value = text.partition("=")
            if not mark or not value:
                raise ResultsError(
                    f"{option} {cut(text, 100)!r}: write {option} NAME={'COLUMN' if into is found.columns else 'VALUE'}"
                )
            if name not in known:
                hint = suggest(name, list(known)) or f"it may be {', '.join(OURS)}, or n.METRIC and error.METRIC; "
                raise ResultsError(
                    f"{option} {cut(text, 100)!r}: {cut(name, 60)!r} is none of ours; {hint}".rstrip("; ")
                )
            into[name] = value
    for name in OURS:
        if name in header and name not in found.constants and not (name == "value" and _says_wide(found)):
            found.columns.setdefault(name, name)
    if both := sorted(found.columns.keys() & found.constants.keys()):
        raise ResultsError(f"--map and --set both say {both[0]}; leave one out")
    _check_columns(found)
    return found


def _says_wide(found: Mapping) -> bool:
    """A table whose metrics are columns may have one that is called ``value``."""
    return any(metric.column == "value" for metric in found.metrics.values())


def _check_columns(found: Mapping) -> None:
    wanted = [(f"--map {name}={column}", column) for name, column in found.columns.items()]
    if not found.is_long:
        wanted += [(f"--metric {metric.name}", metric.column) for metric in found.metrics.values()]
    for option, column in wanted:
        if column not in found.header:
            hint = suggest(column, found.header) or f"it has {cut(', '.join(found.header), 200)}"
            raise ResultsError(f"{found.file}: {option}: no column {cut(column, 80)!r}; {hint}")
    if "approach" not in found.columns.keys() | found.constants.keys():
        raise ResultsError(f"{found.file}: which approach a row is of is not said; add --map approach=COLUMN")
    if found.is_long and "metric" not in found.columns.keys() | found.constants.keys():
        said = f"which metric {found.where('value')} holds is not said"
        raise ResultsError(f"{found.file}: {said}; add --map metric=COLUMN, or --set metric=NAME where it is one")
    if not found.is_long and not found.metrics:
        remedy = (
            "add --metric COLUMN:higher (or :lower) for each metric, or --map value=COLUMN where a row is one score"
        )
        raise ResultsError(f"{found.file}: no column with scores is named; {remedy}")
    if not found.is_long and (undirected := [one.name for one in found.metrics.values() if not one.better]):
        raise undirected_error(undirected)


def undirected_error(names: Iterable[str]) -> ResultsError:
    """Of metrics of which nobody said which direction is better."""
    first, *others = names
    more = f" (and {len(others)} more)" if others else ""
    shown = cut(first, 80)
    remedy = f"say --metric {shown}:higher or --metric {shown}:lower, or {shown}:none for what has no better side"
    return ResultsError(f"metric {shown!r}{more}: whether higher or lower is better is not said; {remedy}")


def _metric(text: str) -> Metric:
    """``accuracy=acc:higher:%``; a name may have colons in it, as long as what follows the last is no direction."""
    head, better, unit = text, "", ""
    parts = text.split(":")
    for place in (-1, -2):
        if len(parts) >= 1 - place and parts[place] in DIRECTIONS:
            head, better, unit = ":".join(parts[:place]), parts[place], ":".join(parts[place:][1:])
            break
    name, mark, column = head.partition("=")
    if not name or (mark and not column):
        raise ResultsError(f"--metric {cut(text, 100)!r}: write --metric NAME:higher, or NAME=COLUMN:lower:UNIT")
    return Metric(name, column or name, better, unit)
