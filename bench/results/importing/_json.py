"""Entries of JSON that somebody else wrote, each of the type that it should be, or nothing, whatever their size."""

import json
import math
from contextlib import suppress
from typing import Any

from bench.results.schema import LARGEST

_LONGEST, _DEEPEST = 50_000, 8  # characters of a config's JSON, levels


def bounded(config: dict[str, Any], what: str, doubts: list[str]) -> dict[str, Any]:
    """Itself, or nothing, and a doubt, where it is larger or deeper than a config."""
    with suppress(ValueError, RecursionError):
        if len(json.dumps(config)) <= _LONGEST and _depth(config) <= _DEEPEST:
            return config
    doubts.append(f"{what} is larger or deeper than a config, and left out")
    return {}


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)


def mapping(holder: dict[str, Any], name: Any) -> dict[str, Any]:
    """An entry; empty where it is no mapping."""
    found = holder.get(name)
    return found if isinstance(found, dict) else {}


def entries(holder: dict[str, Any], name: str) -> list[Any]:
    """An entry; empty where it is no list."""
    found = holder.get(name)
    return found if isinstance(found, list) else []


def text(value: Any) -> str | None:
    """A text that tables have room for."""
    return value if isinstance(value, str) and 0 < len(value) <= 200 else None


def count(holder: dict[str, Any], name: str) -> int | None:
    """A whole number, 0 or more."""
    value = holder.get(name)
    return value if type(value) is int and value >= 0 else None


def number(value: Any) -> float | None:
    """A number that is finite, and no truth value."""
    try:
        found = float(value) if type(value) in (int, float) else math.nan
    except OverflowError:
        return None
    return found if abs(found) <= LARGEST else None
