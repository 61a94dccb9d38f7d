"""Pydantic's complaints in the words of someone who writes YAML: what is there, and what should be."""

import types
from typing import Any, NamedTuple, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError

from bench.words import shown, suggest, wanted


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


def _keys(model: Any, location: tuple[int | str, ...]) -> list[str]:
    """The keys there are at a place inside a model."""
    for part in location:
        model = model.model_fields[part].annotation if hasattr(model, "model_fields") else get_args(model)[-1]
        if get_origin(model) in (Union, types.UnionType):
            model = next(option for option in get_args(model) if option is not types.NoneType)
    return list(model.model_fields)
