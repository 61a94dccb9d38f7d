"""Fields of a JSON object, held to a few types: enough to count ends, in a hundredth of the time that pydantic takes to
be imported. Whoever reads scores holds them to the schema (:mod:`bench.results.checks`)."""

from collections.abc import Mapping, Sequence
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin, get_type_hints

from bench.results.files import Damaged

_MOST = 1e15

Fields = TypeVar("Fields", bound=tuple[Any, ...])


def of(kind: type[Fields], content: Any) -> Fields:
    """A named tuple of a JSON object's fields; those that are of another type than it says keep their default.

    Raises :class:`Damaged` where it is no object.
    """
    if not isinstance(content, dict):
        raise Damaged("it holds no fields")
    hints = get_type_hints(kind)
    return kind(**{name: content[name] for name in hints if name in content and _fits(content[name], hints[name])})


def _fits(value: Any, kind: Any) -> bool:
    """Whether a value is of a type: a number that is none of a million digits, a text, or a container of these."""
    origin, inner = get_origin(kind), get_args(kind)
    if origin is UnionType:
        return any(_fits(value, one) for one in inner)
    if origin is Mapping:
        return isinstance(value, dict) and all(_fits(one, inner[1]) for one in value.values())
    if origin is Sequence:
        return isinstance(value, list) and all(_fits(one, inner[0]) for one in value)
    if origin is tuple:
        return isinstance(value, list) and len(value) == len(inner) and all(map(_fits, value, inner))
    if kind in (int, float):
        return type(value) in (int, kind) and 0 <= value <= _MOST
    return isinstance(value, kind)
