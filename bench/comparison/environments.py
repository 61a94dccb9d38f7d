"""What changed around the numbers: packages, machine, commit, data, options and budgets, by name."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from bench.comparison.sides import Side
from bench.results import cleaning
from bench.results.cleaning import Cleaner
from bench.words import shown

_NONE = object()
_NAMED = ("commit", "python", "device", "accelerator", "driver", "precision", "threads")


class Change(NamedTuple):
    """One fact that differs: ``packages.torch``, ``2.9.0``, ``2.9.1``."""

    what: str
    base: str
    new: str


def changes(base: Side, new: Side) -> list[Change]:
    """All that differs, in the order in which a reader would ask; of tables, which do not say, the suite alone."""
    names = [" + ".join(side.frame["suite"].unique()[:3]) for side in (base, new)]
    suites = [Change("suite", *names)] if names[0] != names[1] else []
    if not (base.info and new.info):
        return suites
    places = [_environment(side) for side in (base, new)]
    asked = [dict(_flat(side.info.get("definition") or {})) for side in (base, new)]
    if not all(asked):
        asked = [{}, {}]  # an import has none
    if any(side.info.get("published") for side in (base, new)):  # whose texts are clean: so are both sides' now
        cleaner = Cleaner(paths=cleaning.paths_in([places, asked]))
        places, asked = ([cleaner.value(one) for one in both] for both in (places, asked))
    return suites + [
        Change(name, _said(first.get(name, _NONE)), _said(second.get(name, _NONE)))
        for first, second in (places, asked)
        for name in dict.fromkeys([*first, *second])
        if first.get(name, _NONE) != second.get(name, _NONE)
    ]


def _environment(side: Side) -> dict[str, Any]:
    known = side.environment
    named = {name: known.get(name) for name in _NAMED}
    parts = {name: known.get(name) or {} for name in ("packages", "machine", "datasets")}
    inner = {f"{name}.{key}": value for name, part in parts.items() for key, value in part.items()}
    facts = {**named, **inner, "workers": side.info.get("workers")}
    return {name: value for name, value in facts.items() if value is not None}


def _flat(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """``models.gpt2.budget.steps`` to 40; entries of lists go by the name that they have, else by their number."""
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{name}.{inner.get('name', inner.get('kind', number))}")
    elif value not in ({}, []):  # what holds nothing says no more than what is not there
        yield name, value


def _said(value: Any) -> str:
    return "" if value is _NONE else value if isinstance(value, str) else shown(value)
