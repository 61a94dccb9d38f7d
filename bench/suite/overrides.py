"""What a cell may spend, how it is tuned and scored: the suite's word, unless model, dataset or approach say more."""

import itertools
from typing import Any, TypeVar

from pydantic import ValidationError

from bench.budget import Budget, Strict
from bench.plugins import Plugin
from bench.suite.complaints import explain
from bench.suite.declaration import Declaration, Overrides
from bench.words import cut, shown, suggest

Chain = list[tuple[Plugin, dict[str, Any]]]
"""The parts of an approach in order, each with all its options."""

Layers = list[tuple[str, Overrides]]
"""Who may set things, and what its keys begin with in the suite's file; later ones win."""

Part = TypeVar("Part", bound=Strict)

UNITS = ("steps", "examples", "seconds")
"""Of the budget: in what it is equal for all approaches; the last who names one decides for all three."""

SAME = (*UNITS, "batch_size", "validations", "validation_rows")
"""Of the budget: what no approach may have more of than the others; batches may differ where steps are not counted."""

_AXES = ["learning_rate", "weight_decay", "warmup"]


def merged(suite: Declaration, key: str, part: type[Part], layers: Layers) -> Part:
    """The ``budget`` or ``evaluation`` that the layers come to."""
    values: dict[str, Any] = {}
    for where, layer in layers:
        given = getattr(layer, key)
        if key == "budget" and (units := [unit for unit in UNITS if unit in given]):
            if len(units) > 1:
                problem = f"is given in {' and in '.join(units)}; budgets are equal in one of them"
                raise suite.error(f"{where}budget", problem, "keep one")
            values = {name: value for name, value in values.items() if name not in UNITS}
        values |= given
    try:
        made = part.model_validate(values)
    except ValidationError as error:  # such as `stepz`, which is to be named before the steps that are missing for it
        name, problem, remedy = explain(error, part)
        raise suite.error(f"{_setter(layers, key, name)}{key}.{name}", problem, remedy) from None
    if key == "budget" and all(values.get(unit) is None for unit in UNITS):
        raise suite.error("budget.steps", "missing", "add it, or budget.examples, or budget.seconds")
    return made


def grid(suite: Declaration, chain: Chain, layers: Layers) -> list[dict[str, Any]]:
    """The points of the tuning grid for one approach: axes of other approaches' options do not concern it."""
    mine: dict[str, list[Any]] = {}
    for axis, values in {axis: values for _, layer in layers for axis, values in layer.tuning.items()}.items():
        key = f"{_setter(layers, 'tuning', axis)}tuning.{axis}"
        if not values:
            raise suite.error(key, "is empty", "name at least one value")
        for value in values:
            if values.count(value) > 1:
                raise suite.error(key, f"{shown(value)} stands there twice", "keep one")
        if _concerns(suite, key, axis, values, chain):
            mine[axis] = values
    return [dict(zip(mine, point, strict=True)) for point in itertools.product(*mine.values())]


def _concerns(suite: Declaration, key: str, axis: str, values: list[Any], chain: Chain) -> bool:
    """Whether an axis is one of this approach's; its values are checked."""
    part, _, option = axis.partition(".")
    if not option:
        if axis not in _AXES:
            hint = suggest(axis, _AXES) or f"use {', '.join(_AXES)} or approach.option"
            raise suite.error(key, "unknown axis", hint.strip())
        deciding = [plugin.name for plugin, _ in chain if "rate" in plugin.constants.get("DECIDES", ())]
        if axis == "warmup" and deciding:
            raise suite.error(key, f"{deciding[0]} decides the course of the learning rate", "take it out")
        for value in values:
            try:
                Budget.model_validate({"steps": 1, axis: value})
            except ValidationError as error:
                raise suite.error(key, *explain(error, Budget)[1:]) from None
        return True
    plugin = suite.find(key, "approaches", part)
    if not any(part in entry.parts for entry in suite.file.approaches):
        raise suite.error(key, f"no approach of the suite has {cut(part, 100)!r} in it", "take it out")
    for owner, options in chain:
        if owner is plugin:
            for value in values:
                suite.options(key, plugin, options | {option: value})
            return True
    return False


def _setter(layers: Layers, key: str, name: str) -> str:
    """What the keys of the layer begin with that had the last word on ``name``; nothing where it is set nowhere."""
    return next((where for where, layer in reversed(layers) if name in getattr(layer, key)), "")
