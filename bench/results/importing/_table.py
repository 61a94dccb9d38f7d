"""From the rows of a table to cells: each value held to what it should be, each score in one place."""

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.errors import ResultsError
from bench.results import files
from bench.results.imported import Cell, Imported
from bench.results.importing import _sizes
from bench.results.importing._mapping import DIRECTIONS, TEXTS, WHOLES, Mapping, Metric, undirected_error
from bench.results.schema import LARGEST
from bench.results.statuses import STATUSES, UNKNOWN
from bench.words import counted, cut, shown

_MISSING = ("", "na", "n/a", "nan", "null", "none", "-", "—")
_INSTEAD: dict[str, Any] = {"model": UNKNOWN, "target": UNKNOWN, "seed": 0, "data_quality": "clean"}
_HAPPENED = ("status", "reason")
_LONGEST = 200  # characters of a name


class _Kind(NamedTuple):
    """What a metric is like wherever it stands, and where that was first said."""

    better: str
    unit: str
    line: str


def imported(path: Path, mapping: Mapping, rows: Iterator[tuple[str, dict[str, Any]]]) -> Imported:
    """The cells of a table, in its order."""
    reading = _Reading(mapping)
    for line, row in rows:
        reading.take(line, row)
    return reading.done(path)


class _Reading:
    def __init__(self, mapping: Mapping) -> None:
        self.mapping = mapping
        self.cells: dict[tuple[Any, ...], Cell] = {}
        self.lines: dict[tuple[Any, ...], str] = {}
        self.places: dict[tuple[Any, ...], str] = {}
        self.kinds: dict[str, _Kind] = {}

    def take(self, line: str, row: dict[str, Any]) -> None:
        """One row: a score, or all of a cell."""
        cell = self._cell(line, row)
        if self.mapping.is_long:
            name = self._text(line, row, "metric")
            if name:
                said = self.mapping.metrics.get(name)
                metric = Metric(name, "value", said.better if said else "", said.unit if said else "")
                self._score(line, row, cell, metric, "value")
            elif self._value(line, row, self.mapping.columns["value"], "value") is not None:
                raise self._wrong(line, "metric", None, "there is a value, so name its metric")
        else:
            for metric in self.mapping.metrics.values():
                self._score(line, row, cell, metric, metric.column)

    def done(self, path: Path) -> Imported:
        """What all rows give together."""
        if not self.cells:
            raise ResultsError(f"{path}: no row under its header; name a table with results")
        if undirected := [name for name, kind in self.kinds.items() if not kind.better]:
            raise undirected_error(undirected)
        cells, unsized, is_stand_in = _sizes.settle(self.cells.values())
        for key, cell in self.cells.items():
            try:
                if "data_size" in cell.asked:
                    cell.record("imported", "imported")
            except files.Damaged as reason:  # which nothing here foresaw
                raise ResultsError(f"{path}: {self.lines[key]}: {reason}; mend it there") from reason
        ranking = [*self.mapping.metrics, *self.kinds]
        first = next((name for name in ranking if name in self.kinds and self.kinds[name].better != "none"), None)
        families = dict.fromkeys(str(cell.asked.get("family") or cell.asked.get("modality") or "") for cell in cells)
        unused, told = self.mapping.unused(), list[str]()
        left_out = [f"{counted(len(unused), 'column')} of {path.name}: {cut(', '.join(unused), 300)}"] if unused else []
        if unsized:
            left_out.append(self._without_size(path, unsized))
        for name, why in (("model", UNKNOWN), ("target", UNKNOWN), ("data_size", "0 examples"), ("seed", "seed 0")):
            if self.mapping.where(name) == f"--set {name}" and name not in self.mapping.constants:
                told.append(f"no column is the {name}, so it is {why}; say --map {name}=COLUMN or --set {name}=VALUE")
        if is_stand_in and "data_size" in self.mapping.columns:
            where = self.mapping.where("data_size")
            told.append(f"{where} holds no data size, so it is 0 examples in all rows; fill it")
        return Imported(
            cells,
            dict.fromkeys(families, first) if first else {},
            f"{counted(len(cells), 'result')}, imported from {path.name}.",
            left_out,
            told=told,
        )

    def _without_size(self, path: Path, cells: list[Cell]) -> str:
        names = cut(", ".join(dict.fromkeys(str(cell.asked["approach"]) for cell in cells)), 200)
        what = f"{counted(len(cells), 'result')} of {path.name} without a data size, which others have: {names}"
        where = f"{self.mapping.where('data_size')}, from {self.lines[cells[0].place]} on"
        return f"{what}; fill {where}, with 0 for what uses no target data"

    def _cell(self, line: str, row: dict[str, Any]) -> Cell:
        asked: dict[str, Any] = {name: self._text(line, row, name) for name in TEXTS if name != "options"}
        asked |= {name: self._whole(line, row, name) for name in WHOLES}
        if not asked["approach"]:
            raise self._wrong(line, "approach", None, "say which approach the row is of")
        status, reason = asked.pop("status") or "ok", asked.pop("reason") or ""
        if status not in STATUSES:
            raise self._wrong(line, "status", status, f"it should be one of {', '.join(STATUSES)}")
        asked = {name: _INSTEAD.get(name) if value is None else value for name, value in asked.items()}
        asked["options"] = self._options(line, row, asked["approach"])
        asked |= _sizes.entry(asked.pop("data_size"), asked["options"])
        asked = {name: value for name, value in asked.items() if value is not None}
        happened: dict[str, Any] = {"status": status, "reason": reason, "scores": [], "skipped": {}}
        found = Cell(asked, happened | {"trials": [], "chosen": {}})
        if (other := self.cells.setdefault(found.place, found)) is found:
            self.lines[found.place] = line
        elif differing := [name for name in asked if other.asked.get(name) != asked[name]] or [
            name for name in _HAPPENED if other.happened[name] != happened[name]
        ]:
            said = f"another than in {self.lines[found.place]}, which is of the same result"
            raise self._wrong(line, differing[0], self.mapping.get(row, differing[0]), said)
        return other

    def _score(self, line: str, row: dict[str, Any], cell: Cell, metric: Metric, column: str) -> None:
        place = (*cell.place, metric.name)
        if first := self.places.setdefault(place, line) if place in self.places else "":
            of = f"{cut(metric.name, 80)!r} of {cut(cell.asked['approach'], 80)!r} (seed {cell.asked['seed']})"
            remedy = "leave one out, or tell the rows apart with --map seed=COLUMN or another of ours"
            raise ResultsError(f"{self.mapping.file}: {line}: {of} is in {first} already; {remedy}")
        self.places[place] = line
        column = self.mapping.columns["value"] if self.mapping.is_long else column
        value = self._value(line, row, column, metric.name)
        if value is not None and cell.happened["status"] != "ok":
            said = f"the row's status is {cell.happened['status']}, so it has no score"
            raise ResultsError(f"{self.mapping.file}: {line}: column {cut(column, 80)!r}: {shown(value)}: {said}")
        kind = self._kind(line, row, metric)
        if value is None or not math.isfinite(value):
            if cell.happened["status"] == "ok":
                cell.happened["skipped"][metric.name] = "no value in the table" if value is None else "not finite"
            return
        n = self._whole(line, row, "n" if self.mapping.is_long else f"n.{metric.name}")
        error = self._number(line, row, "error" if self.mapping.is_long else f"error.{metric.name}")
        if not self.mapping.is_long and n is None:
            n = self._whole(line, row, "n")
        if error is not None and error < 0:
            raise self._wrong(line, "error", error, "a standard error is no less than 0")
        score = {"metric": metric.name, "value": value, "unit": kind.unit, "better": kind.better or "none"}
        cell.happened["scores"].append(score | {"n": n or 0, "error": error})

    def _kind(self, line: str, row: dict[str, Any], metric: Metric) -> _Kind:
        """Its direction and unit: as the options say, else as the row does, and alike in all rows."""
        better, unit = metric.better, metric.unit
        if self.mapping.is_long:
            better = better or self._text(line, row, "better") or ""
            unit = unit or self._text(line, row, "unit") or ""
        if better and better not in DIRECTIONS:
            raise self._wrong(line, "better", better, f"it should be one of {', '.join(DIRECTIONS)}")
        found = self.kinds.setdefault(metric.name, _Kind(better, unit, line))
        for name, one, other in (("better", better, found.better), ("unit", unit, found.unit)):
            if one != other:
                said = f"in {found.line} it is {shown(other)} for {cut(metric.name, 80)!r}; one metric has one"
                raise self._wrong(line, name, one, said)
        return found

    def _options(self, line: str, row: dict[str, Any], approach: str) -> dict[str, Any]:
        text = self._text(line, row, "options", longest=10_000)
        if text is None:
            return {approach: {}}
        try:
            found = json.loads(text)
        except (ValueError, RecursionError):
            found = None
        if not isinstance(found, dict) or not all(isinstance(one, dict) for one in found.values()):
            raise self._wrong(line, "options", text, 'it should be JSON such as {"lora": {"rank": 8}}')
        return found

    def _text(self, line: str, row: dict[str, Any], name: str, longest: int = _LONGEST) -> str | None:
        value = self.mapping.get(row, name)
        if value is None or (text := str(value).strip()) == "":
            return None
        longest = 1000 if name == "reason" else longest
        if len(text) > longest or not text.isprintable():
            raise self._wrong(line, name, text, f"it should be at most {longest} printable characters")
        return text

    def _whole(self, line: str, row: dict[str, Any], name: str) -> int | None:
        number = self._number(line, row, name)
        if number is None:
            return None
        if number < 0 or number != math.floor(number) or number >= 2**53:
            raise self._wrong(line, name, self.mapping.get(row, name), "it should be a whole number, 0 or more")
        return int(number)

    def _number(self, line: str, row: dict[str, Any], name: str) -> float | None:
        value = _parsed(self.mapping.get(row, name))
        if value is not None and not math.isfinite(value):
            raise self._wrong(line, name, self.mapping.get(row, name), "it should be a number, such as 0.5")
        return value

    def _value(self, line: str, row: dict[str, Any], column: str, name: str) -> float | None:
        """A score; not finite where it is infinite or text that is none is refused."""
        value = _parsed(row[column])
        if value is None:
            return None
        if math.isnan(value):
            said = f"column {cut(column, 80)!r}: {shown(row[column])} is no {cut(name, 80)}"
            raise ResultsError(f"{self.mapping.file}: {line}: {said}; write a number such as 0.5, or leave it empty")
        return value if abs(value) <= LARGEST else math.inf

    def _wrong(self, line: str, name: str, value: Any, remedy: str) -> ResultsError:
        what = f"{self.mapping.where(name)}: {shown(value)} will not do" if value is not None else f"no {name}"
        return ResultsError(f"{self.mapping.file}: {line}: {what}; {remedy}")


def _parsed(value: Any) -> float | None:
    """A number; None where there is none, NaN where something else stands there."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, str):
        if value.strip().lower() in _MISSING:
            return None
        value = value.strip().replace("\N{MINUS SIGN}", "-")
        value = value if "_" not in value else "?"  # which Python reads and nobody means
    elif isinstance(value, bool) or not isinstance(value, int | float):
        return math.nan
    try:
        return float(value)
    except (ValueError, OverflowError):
        return math.nan
