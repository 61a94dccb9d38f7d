"""Pydantic's complaints in the words of someone who writes YAML: what is there, and what should be."""

import difflib
import types
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bench.words import cut, shown

_LONGEST = 100  # characters of a name

_WANTED = {
    "typed_dict_type": "a mapping (`key: value`)",
    "dict_type": "a mapping (`key: value`)",
    "model_type": "a mapping (`key: value`)",
    "list_type": "a list such as [a, b]",
    "int_type": "a whole number",
    "float_type": "a number",
    "bool_type": "true or false",
    "string_type": "text",
}


class Complaint(NamedTuple):
    """Where, what, and what to do about it."""

    key: str
    problem: str
    remedy: str


def explain(error: ValidationError, model: type[BaseModel]) -> Complaint:
    """The first of the complaints about a ``model``, a misspelt key before what is missing without it."""
    found = error.errors()
    first = next((one for one in found if one["type"] == "extra_forbidden"), found[0])
    location = first["loc"]
    key = ".".join(str(part) for part in location)
    if first["type"] == "extra_forbidden":
        known = _keys(model, location[:-1])
        remedy = suggest(str(location[-1]), known).strip() or f"use: {', '.join(known)}"
        if first["input"] is None:  # the writer meant a mapping and began its entries too far to the left
            remedy = "indent what belongs to it further, or take it out"
        return Complaint(key, "unknown key", remedy)
    if first["type"] == "missing":
        return Complaint(key, "missing", "add it; see suites/quickstart.yaml")
    if first["type"] == "too_short":
        return Complaint(key, "is empty", "name at least one")
    remedy = wanted(first)
    if first["type"] == "model_type" and "name" in _keys(model, location):
        remedy = "it should be a name, or a name with options (`name: {option: value}`)"
    return Complaint(key, f"{shown(first['input'])} will not do", remedy)


def wanted(first: Any) -> str:
    """What should be there instead of a value; the first of ``ValidationError.errors()``."""
    return f"it should be {_WANTED.get(first['type']) or first['msg'].removeprefix('Input should be ')}"


def suggest(name: str, known: list[str]) -> str:
    """``"did you mean 'lora'? "`` where something known is close, else nothing."""
    close = difflib.get_close_matches(name[:_LONGEST], known, n=1)
    return f"did you mean {cut(close[0], _LONGEST)!r}? " if close else ""


def _keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys there are at a place inside a model."""
    for part in location:
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") else get_args(model)[-1]
        if get_origin(model) in (Union, types.UnionType):
            model = next(option for option in get_args(model) if option is not types.NoneType)
    return list(model.model_fields)
