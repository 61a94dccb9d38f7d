"""What trackers are told of a run and of each of its cells: the same, under the same names, whichever it is.

Imports no torch.
"""

import csv
import datetime
import hashlib
import io
import json
import re
from dataclasses import dataclass, field, fields
from typing import Any

from bench.report.curves import chosen_trial
from bench.results import runs, schema
from bench.results.statuses import ENDED_WELL
from bench.trackers.targets import without_secrets
from bench.words import cut

_LONGEST = 500  # characters of a parameter: what servers of all ages hold
_REASON = 2000  # characters of a reason
_CURVES = ("train_loss", "validation_loss", "learning_rate")
_ASKED = ("model", "family", "modality", "source", "target", "approach", "data_size", "data_quality", "seed")
_NO_NAME = re.compile(r"[^\w./ -]+", re.ASCII)  # what MLflow allows nowhere in a name
_SAYS = {"s": "seconds", "bits/byte": "bits_per_byte", "FLOP": "flops"}
_HASH = re.compile(r"-[0-9a-f]{16}$")

Value = str | int | float | bool


@dataclass(frozen=True)
class Point:
    """A point of a cell's curves: after how many gradient steps and seconds (0 where these are not known), and the
    values there by name."""

    step: int
    seconds: float
    values: dict[str, float]


@dataclass(frozen=True)
class Told:
    """A cell, as trackers have it.

    Attributes:
        cell, name: of the cell; the name has no hash.
        parameters: what it was asked, what was chosen, and in which environment.
        metrics: scores, and their standard errors; names have the unit.
        curves: of the chosen trial, in order of steps.
        tags: how it ended, and where it belongs.
        notes: its scores as a table in Markdown.
        well: whether it ended well.
        seconds: it took.
    """

    cell: str
    name: str
    parameters: dict[str, Value]
    metrics: dict[str, float]
    curves: list[Point]
    tags: dict[str, str]
    notes: str
    well: bool
    seconds: float
    digest: str = field(init=False)

    def __post_init__(self) -> None:
        said = {one.name: getattr(self, one.name) for one in fields(self) if one.init}
        text = json.dumps(said | {"curves": [vars(point) for point in self.curves]}, sort_keys=True)
        object.__setattr__(self, "digest", hashlib.sha256(text.encode()).hexdigest()[:16])


@dataclass(frozen=True)
class Group:
    """A run, as trackers have it.

    Attributes:
        id: tells it from another run of the same name, whatever folder it lies in.
        suite, run: names.
        description: of the suite.
        began, ended: seconds since the epoch, as if it had never stopped between; no end while it is not finished.
        tags: where its numbers come from.
        metrics: how many cells ended how.
        cells: all that can be told of.
        damaged: how many records cannot be read.
    """

    id: str
    suite: str
    run: str
    description: str
    began: float
    ended: float | None
    tags: dict[str, str]
    metrics: dict[str, float]
    cells: list[Told]
    damaged: int


def group(run: runs.Found) -> Group:
    """All of a run that there is to tell."""
    info = run.info
    asked = run.records[0]["asked"] if run.records else info
    suite, name = str(asked["suite"] or info["suite"]), str(asked["run"] or info["run"])
    began = _seconds(info["started"]) or 0.0
    whole = [record for record in run.records if not record["happened"]["reason"].startswith("damaged record: ")]
    cells = _told(run, whole)
    ends: dict[str, float] = {"cells": len(info["cells"])}
    for record in whole:
        ends[record["happened"]["status"]] = ends.get(record["happened"]["status"], 0) + 1
    environment = _flat({"environment": info["environment"]})
    primary = {f"primary.{family}": metric for family, metric in info["primary"].items()}
    return Group(
        id=hashlib.sha256(json.dumps([suite, name, info["started"]]).encode()).hexdigest()[:16],
        suite=suite,
        run=name,
        description=_clean(info["description"], _REASON),
        began=began,
        ended=began + info["seconds"] if info["finished"] else None,
        tags={key: _clean(value) for key, value in (environment | primary | {"suite": suite, "run": name}).items()},
        metrics=ends,
        cells=cells,
        damaged=len(run.records) - len(whole),
    )


def _told(run: runs.Found, records: list[dict[str, Any]]) -> list[Told]:
    short = [_HASH.sub("", record["cell"]) for record in records]
    return [
        _cell(run, record, name if short.count(name) == 1 else record["cell"])
        for record, name in zip(records, short, strict=True)
    ]


def _cell(run: runs.Found, record: dict[str, Any], name: str) -> Told:
    asked, happened = record["asked"], record["happened"]
    parts = {key: asked.get(key) for key in _ASKED} | {"options": asked["options"], "chosen": happened["chosen"]}
    parts |= {key: asked["definition"].get(key, {}) for key in ("budget", "evaluation")}
    parts |= {"environment": record["environment"]}
    tags = {"status": happened["status"], "reason": happened["reason"], "key": asked.get("key")}
    tags |= {f"skipped.{metric}": str(why) for metric, why in happened["skipped"].items()}
    return Told(
        cell=record["cell"],
        name=name,
        parameters={key: _clean(value) if isinstance(value, str) else value for key, value in _flat(parts).items()},
        metrics=_metrics(happened["scores"]),
        curves=_curves(run, record),
        tags={_named(key): _clean(value, _REASON) for key, value in tags.items() if value},
        notes=_notes(happened),
        well=happened["status"] in ENDED_WELL,
        seconds=happened.get("seconds", 0.0),
    )


def _metrics(scores: list[dict[str, Any]]) -> dict[str, float]:
    found = {}
    for score in scores:
        for folder, key in (("score", "value"), ("standard_error", "error")):
            if score[key] is not None:
                found[f"{folder}/{_scored(score)}"] = float(score[key])
    return found


def _scored(score: dict[str, Any]) -> str:
    """A metric's name, and its unit where that does not say it: ``latency_p50.batch.1 in ms``, ``training_seconds``."""
    name, unit = _named(score["metric"]), _named(score["unit"].replace("/", " per "))
    says_it = _SAYS.get(score["unit"], unit).lower() in name.lower()
    return name if says_it or not score["unit"] else f"{name} in {unit}"


def _named(name: str) -> str:
    """A name that every tracker takes: ``kid.digit_classifier`` for ``kid[digit_classifier]``."""
    return _NO_NAME.sub(".", name).strip("./ ")[:200] or "unnamed"


def _curves(run: runs.Found, record: dict[str, Any]) -> list[Point]:
    """Those of the chosen trial, as far as they can be read; what comes before the target has its stage in the name."""
    trial = chosen_trial(record)
    content = run.content(record["cell"], "curve.csv") if trial is not None else None
    found: dict[int, Point] = {}
    try:
        for row in csv.DictReader(io.StringIO((content or b"").decode(), newline="")):
            if int(row["trial"]) == trial:
                values = {_curve(name, row): float(row[name]) for name in _CURVES if row.get(name)}
                values = {name: value for name, value in values.items() if abs(value) <= schema.LARGEST}
                step, seconds = int(row["step"]), float(row.get("seconds") or 0.0)
                before = found.get(step, Point(step, seconds, {}))
                found[step] = Point(step, before.seconds, before.values | values)
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        run.note(f"cells/{record['cell']}/curve.csv", error)
        return []
    return [found[step] for step in sorted(found) if found[step].values]


def _curve(name: str, row: dict[str, str]) -> str:
    stage = row.get("stage") or ""
    return f"curve/{_named(stage)}/{name}" if stage else f"curve/{name}"


def _notes(happened: dict[str, Any]) -> str:
    """Scores with what a number must stand with."""
    lines = [] if happened["status"] == "ok" else [f"{happened['status']}: {_clean(happened['reason'], _REASON)}", ""]
    if happened["scores"]:
        lines += ["| metric | value | ± | unit | better | N |", "|---|---|---|---|---|---|"]
    for score in happened["scores"]:
        value, error = ("" if score[key] is None else f"{score[key]:.5g}" for key in ("value", "error"))
        better = "" if score["better"] == "none" else score["better"]
        cells = [score["metric"], value, error, score["unit"], better, str(score["n"])]
        lines.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(lines)


def _flat(content: dict[str, Any], before: str = "") -> dict[str, Value]:
    """Nested names with dots between them; what is not there is left out."""
    found: dict[str, Value] = {}
    for key, value in content.items():
        name = f"{before}{_named(str(key))}"
        if isinstance(value, dict):
            found |= _flat(value, f"{name}.")
        elif isinstance(value, str | int | float):
            found[name] = value
        elif value is not None:
            found[name] = json.dumps(value)
    return found


def _clean(value: Any, longest: int = _LONGEST) -> str:
    return cut(without_secrets(str(value)), longest)


def _seconds(stamp: str | None) -> float | None:
    try:
        return datetime.datetime.fromisoformat(stamp).timestamp() if stamp else None
    except (ValueError, OverflowError):
        return None
