"""Whether what is read is what the schema says; what stands in for a record that breaks it.

Imports no torch, and pydantic when there is something to hold to the schema: `bench status` need not wait for it.
"""

import re
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.results import files
from bench.results.files import Damaged
from bench.results.statuses import UNKNOWN
from bench.words import shown, wanted

if TYPE_CHECKING:
    from pydantic import TypeAdapter, ValidationError

_ID = re.compile(r".*-n(?P<data_size>\d{1,18})(-.+)?-s(?P<seed>\d{1,18})-[0-9a-f]{16}")
_CUT = 117  # characters of a cell's name (bench.suite.cell.Cell.id), whose end may be cut from there on


@cache
def _types() -> dict[str, Any]:
    from bench.results.schema import Info, Name, Place, Record, Score

    return {
        "scores": list[Score],
        "record": Record,
        **{f"run.{name}": kind for name, kind in Info.__annotations__.items()},
        **{f"asked.{name}": kind for name, kind in (Place.__annotations__ | {"data_quality": Name}).items()},
    }


@cache
def _adapter(name: str) -> "TypeAdapter[Any]":
    """What holds a value to a type; made when it is first asked for, as a plan may read no record."""
    from pydantic import ConfigDict, TypeAdapter

    kind = _types()[name]
    return TypeAdapter(kind, config=None if hasattr(kind, "__pydantic_config__") else ConfigDict(strict=True))


_NOTHING: dict[str, Any] = {
    "description": "", "source": "", "cells": [], "primary": {}, "started": None, "finished": None, "seconds": 0.0,
    "workers": None, "cell_seconds": {}, "ends": {}, "failures": [], "packed": {}, "weights": {}, "environment": {},
}  # fmt: skip


def check_scores(scores: list[dict[str, Any]]) -> None:
    """:class:`Damaged` where a record that holds these could not be read again."""
    from pydantic import ValidationError

    try:
        _adapter("scores").validate_python(scores)
    except ValidationError as error:
        raise Damaged(_said(error)) from None
    _check_each_once(scores)


def checked(content: Any, cell: str) -> dict[str, Any]:
    """``content`` as the record of a cell, with what older versions left out; :class:`Damaged` where it is none."""
    from pydantic import ValidationError

    try:
        found: dict[str, Any] = _adapter("record").validate_python(content)
    except ValidationError as error:
        raise Damaged(_said(error), content) from None
    return _whole(found, cell)


def read(text: str | bytes, cell: str) -> dict[str, Any]:
    """:func:`checked` of a record's JSON, in one go where nothing is wrong with it."""
    from pydantic import ValidationError

    try:
        found: dict[str, Any] = _adapter("record").validate_json(text)
    except ValidationError:
        return checked(files.parsed_text(text), cell)
    return _whole(found, cell)


def _whole(found: dict[str, Any], cell: str) -> dict[str, Any]:
    if found["cell"] != cell:
        raise Damaged(f"cell: {shown(found['cell'])} is another one's name", found)
    try:
        _check_whole(found)
    except Damaged as reason:
        raise Damaged(str(reason), found) from None
    found["asked"] = {"data_quality": "clean", "definition": {}} | found["asked"]
    found["happened"] = {"trials": [], "chosen": {}, "skipped": {}} | found["happened"]
    found.setdefault("environment", {})
    return found


def _check_whole(found: dict[str, Any]) -> None:
    """Each part may be right, and the whole impossible."""
    asked, happened = found["asked"], found["happened"]
    for name, value in _told(found["cell"]).items():
        if asked[name] != value:
            raise Damaged(f"asked.{name}: {asked[name]} is not what the cell's name says, {value}")
    if happened["scores"] and happened["status"] != "ok":
        raise Damaged(f"happened.scores: a cell that is {happened['status']} has none")
    _check_each_once(happened["scores"], "happened.scores: ")


def _check_each_once(scores: list[dict[str, Any]], where: str = "") -> None:
    seen = set[str]()
    for score in scores:
        if score["metric"] in seen:
            raise Damaged(f"{where}{shown(score['metric'])} is there twice")
        seen.add(score["metric"])


def _told(cell: str) -> dict[str, int]:
    """What a cell's name says of its size and seed; nothing where it may be cut."""
    told = _ID.fullmatch(cell) if len(cell) < _CUT else None
    return {name: int(value) for name, value in told.groupdict().items()} if told else {}


def stand_in(content: Any, cell: str, before: dict[str, Any], why: str) -> dict[str, Any]:
    """A record that says ``why`` there is none: a failed cell, of what can still be told about what was asked.

    Args:
        content: of the damaged file, whatever it is.
        cell: its name.
        before: the cell's row in the run's table, or nothing; it speaks where the file does not.
        why: the row's reason.
    """
    said = content.get("asked") if isinstance(content, dict) else None
    asked: dict[str, Any] = dict.fromkeys(("model", "target", "approach"), UNKNOWN)
    asked |= dict.fromkeys(("suite", "run", "family", "modality", "source"), "")
    asked |= {"options": {}, "data_size": 0, "seed": 0, "data_quality": "clean", "definition": {}}
    for source in (before, said if isinstance(said, dict) else {}):
        asked |= {name: value for name, value in source.items() if _fits(f"asked.{name}", value)}
    asked |= _told(cell)
    happened = {"status": "failed", "reason": why, "scores": [], "trials": [], "chosen": {}, "skipped": {}}
    return {"cell": cell, "asked": asked, "happened": happened, "environment": {}}


def run_info(content: Any, instead: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """The content of ``run.json``, and what is wrong with it; a part that will not do is taken from ``instead``."""
    from pydantic import ValidationError

    from bench.results.schema import Info

    given = content if isinstance(content, dict) else {}
    found, wrong = _NOTHING | instead, [] if "cells" in given else [f"{shown(content)} names no cells"]
    for name in Info.__annotations__:
        if name in given:
            try:
                found[name] = _adapter(f"run.{name}").validate_python(given[name])
            except ValidationError as error:
                wrong.append(_said(error, name))
    if len(cells := list(dict.fromkeys(found["cells"]))) < len(found["cells"]):
        wrong.append("cells: one stands there twice")
        found["cells"] = cells
    return {name: value for name, value in given.items() if name not in Info.__annotations__} | found, wrong


def _fits(name: str, value: Any) -> bool:
    from pydantic import ValidationError

    try:
        _adapter(name).validate_python(value)
    except (KeyError, ValidationError):
        return False
    return True


def _said(error: "ValidationError", where: str = "") -> str:
    """The first complaint, of what is there before what is missing."""
    found = error.errors(include_url=False)
    first = next((one for one in found if one["type"] != "missing"), found[0])
    key = ".".join(str(part) for part in (where, *first["loc"]) if part != "")
    if first["type"] == "missing":
        return f"{key}: missing"
    return f"{key or 'it'}: {shown(first['input'])} will not do, {wanted(first)}"
