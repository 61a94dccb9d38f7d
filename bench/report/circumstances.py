"""What was asked and in which environment, and what ended badly: from records, each different answer once."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from bench.report import tables, wording
from bench.report.sections import Section
from bench.words import few

_MOST_LINES = 20  # of one kind

_NOTHING: dict[str, Any] = {"budget": {}, "tuning": [], "evaluation": {}}  # as far as a record does not say

Facts = list[tuple[str, list[str]]]
"""Names with one value, or several where records differ."""


@dataclass(frozen=True)
class Failure:
    """Cells of one approach that ended alike: ``where`` says which sizes and seeds."""

    approach: str
    status: str
    where: str
    reason: str


def failures(section: Section) -> list[Failure]:
    """All cells without scores, those with the same approach, status and reason as one entry."""
    found: dict[tuple[str, str, str], list[tuple[int, list[int]]]] = {}
    for (approach, size), ends in section.ends.items():
        for end in ends:
            if end.status != "ok":
                found.setdefault((approach, end.status, end.reason), []).append((size, end.seeds))
    return [
        Failure(approach, tables.STATUS_WORDS.get(status, status), _where(places), reason)
        for (approach, status, reason), places in found.items()
    ]


def _where(places: list[tuple[int, list[int]]]) -> str:
    """``50 and 200 examples, seeds 0, 1 and 2``; places whose seeds differ are told one by one."""
    if len({tuple(seeds) for _, seeds in places}) > 1:
        return "; ".join(_where([place]) for place in places)
    sizes = [wording.number(size, 0) for size, _ in places if size]
    seeds = [str(seed) for seed in places[0][1]]
    examples = f"{wording.listed(sizes)} example{'s' if sizes != ['1'] else ''}, " if sizes else ""
    return f"{examples}seed{'s' if len(seeds) > 1 else ''} {wording.listed(seeds)}"


def skipped(records: list[dict[str, Any]]) -> list[tuple[str, str, list[str]]]:
    """Metrics that gave no value in finished cells: (metric, reason, approaches)."""
    found: dict[tuple[str, str], list[str]] = {}
    for record in records:
        for metric, reason in record["happened"].get("skipped", {}).items():
            found.setdefault((metric, reason), []).append(record["asked"]["approach"])
    return [(metric, reason, list(dict.fromkeys(names))) for (metric, reason), names in found.items()]


def unmeasured(records: list[dict[str, Any]]) -> list[str]:
    """The same in a line each: ``fidelity of 8 approaches: fid[digit_classifier] needs …``."""
    found = [
        (metric, names[0] if len(names) == 1 else f"{len(names)} approaches", reason)
        for metric, reason, names in skipped(records)
    ]
    return _few([f"{metric} of {names}: {reason}" for metric, names, reason in found])


def asked(records: list[dict[str, Any]]) -> Facts:
    """Budgets, tuning grids and evaluation settings, each with whom it holds for where it does not hold for all."""
    trained = [record["asked"] for record in records if record["asked"]["data_size"]]
    facts: Facts = [
        ("Data sizes", [_numbers(sorted({entry["data_size"] for entry in trained}))]),
        ("Seeds", [_numbers(sorted({record["asked"]["seed"] for record in records}))]),
        ("Budget of a trial", _by_pair(trained, lambda definition: _words(definition["budget"]))),
        ("Tuning grid", _by_pair(trained, lambda definition: _grid(definition["tuning"]))),
        ("Evaluation", _by_pair(trained, lambda definition: _words(definition["evaluation"]))),
    ]
    return [(name, [value for value in values if value]) for name, values in facts if any(values)]


def environment(info: dict[str, Any], records: list[dict[str, Any]]) -> Facts:
    """Machine, device, versions, commit, dataset fingerprints, and what of the domains was left out or changed."""
    places = [record["environment"] for record in records]
    machines = _unique(machine(place.get("machine", {}), place.get("accelerator")) for place in places)
    named = ("device", "driver", "precision", "threads")
    settings = _unique(_words({key: place.get(key) for key in named}) for place in places)
    versions = _unique(_words({"python": place.get("python")} | place.get("packages", {})) for place in places)
    prints = _unique(
        f"{name} {value}"
        for place in [info.get("environment") or {}, *places]
        for name, value in (place.get("datasets") or {}).items()
    )
    notes = _unique(_words(place["notes"]) for place in places if place.get("notes"))
    commits = _unique(place.get("commit") or "" for place in places)
    facts = [
        ("Machine", machines),
        ("Settings", settings),
        ("Versions", versions),
        ("Commit", commits),
        ("Dataset fingerprints", prints),
        (
            "Input left out or changed",
            _unique([*(info.get("environment") or {}).get("left_out", []), *left_out(records)]),
        ),
        ("Notes", notes),
    ]
    return [(name, _few(values)) for name, values in facts if values]


def left_out(records: list[dict[str, Any]]) -> list[str]:
    """What was left out or changed when the domains were read; runs of earlier versions say how much was damaged."""
    found: list[str] = []
    for place in (record["environment"] for record in records):
        damaged = [f"{count} of {name}" for name, count in (place.get("damaged_items") or {}).items()]
        found += place.get("left_out") or damaged
    return _unique(found)


def damaged(files: dict[str, str]) -> Facts:
    """Which of the run's files could not be read, and why."""
    lines = [f"{file}: {what}" for file, what in files.items()]
    return [("Damaged files", _few(lines))] if lines else []


def _few(lines: list[str]) -> list[str]:
    return few(lines, _MOST_LINES)


def _by_pair(trained: list[dict[str, Any]], describe: Any) -> list[str]:
    """Each different description, with the pairs or the approaches it holds for."""
    found: dict[str, list[dict[str, Any]]] = {}
    for entry in trained:
        if words := describe(_NOTHING | entry["definition"]):
            found.setdefault(words, []).append(entry)
    if len(found) < 2:
        return list(found)
    shown = []
    for words, entries in found.items():
        pairs = _unique(f"{entry['model']} → {entry['target']}" for entry in entries)
        names = _unique(entry["approach"] for entry in entries)
        others = {entry["approach"] for other, rest in found.items() if other != words for entry in rest}
        whom = pairs if set(names) & others else names
        shown.append(f"{wording.listed(whom)}: {words}")
    return shown


def machine(machine: dict[str, Any], accelerator: str | None) -> str:
    """A machine in words, as its record has it; the accelerator stands elsewhere."""
    parts = [
        machine.get("processor"),
        f"{machine['cores']} cores" if machine.get("cores") else "",
        f"{machine['memory_gib']:g} GiB memory" if machine.get("memory_gib") else "",
        accelerator or machine.get("accelerator"),
        machine.get("system"),
    ]
    return ", ".join(str(part) for part in parts if part)


def _grid(points: list[dict[str, Any]]) -> str:
    axes: dict[str, list[str]] = {}
    for point in points:
        for name, value in point.items():
            axes.setdefault(name, []).append(_short(value))
    return "; ".join(f"{name}: {', '.join(dict.fromkeys(values))}" for name, values in axes.items())


def _words(values: dict[str, Any]) -> str:
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items() if value is not None)


def _short(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:g}"
    return value if isinstance(value, str) else json.dumps(value)


def _numbers(values: list[int]) -> str:
    return ", ".join(wording.number(value, 0) for value in values)


def _unique(values: Iterable[str]) -> list[str]:
    return [value for value in dict.fromkeys(values) if value]
