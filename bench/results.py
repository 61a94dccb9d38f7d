"""One JSON per cell, and one tidy table made from them.

::

    results/<suite>/<run>/run.json              the resolved suite, its cells in order, the machine
    results/<suite>/<run>/cells/<cell>.json     what was asked, what happened, in which environment
    results/<suite>/<run>/cells/<cell>/         curve.csv; samples.json, .png, -1.wav …; log.txt, traceback.txt
    results/<suite>/<run>/logs/                 what was written for a terminal before cells trained
    results/<suite>/<run>/results.csv|.parquet  one row per (cell, metric)

Everything is written atomically. Imports no torch.
"""

import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench import disk, record
from bench.errors import ResultsError

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = {
    "suite": "str",
    "run": "str",
    "cell": "str",
    "model": "str",
    "family": "str",
    "modality": "str",
    "source": "str",
    "target": "str",
    "approach": "str",
    "options": "str",
    "data_size": "int64",
    "data_quality": "str",
    "seed": "int64",
    "status": "str",
    "metric": "str",
    "value": "float64",
    "unit": "str",
    "better": "str",
    "n": "int64",
    "error": "float64",
    "reason": "str",
    "damaged": "int64",
}
"""The tidy table's columns. ``options`` is JSON; ``data_size`` is 0 for an approach that uses no target data; a cell
without scores has one row with an empty ``metric`` and a NaN ``value``; ``error`` is the score's own standard error;
``damaged`` is how many items of its domains were left out because they could not be read."""

_PARTIAL = ".partial-"
_SURROGATE = re.compile("[\ud800-\udfff]")  # such as in the name of a file that is no UTF-8; no table holds it
_LARGEST = 1 << 26  # bytes of JSON that is read
_ANEW = "run the suite again to make it anew"
_ASKED = ("suite", "run", "model", "family", "modality", "source", "target", "approach", "data_size", "seed")
_PLACE = ("model", "target", "approach", "data_quality", "data_size", "seed")
_SCORED = ("metric", "value", "unit", "better", "n", "error")


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` a temporary neighbour of ``path``, then rename it: a reader sees all of it or nothing."""
    with disk.clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=_PARTIAL, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        partial = Path(name)
        try:
            write(partial)
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def remove_partial(run: Path) -> None:
    """Remove what :func:`write_atomically` was writing into a run when its process was killed."""
    for path in run.rglob(f"{_PARTIAL}*"):
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """:func:`plain` ``value`` as indented JSON."""
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    write_atomically(path, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))


def plain(value: Any) -> Any:
    """``value`` as JSON has it: text as keys, lists for tuples, null for NaN and infinities, ``�`` for no character."""
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def read_json(path: Path) -> Any:
    """The JSON in ``path``; :class:`ResultsError` where there is none."""
    try:
        return parsed(path)
    except record.Damaged as reason:
        raise ResultsError(f"{path}: not a readable result ({reason}); {_ANEW}") from reason


def parsed(path: Path) -> Any:
    """The JSON in ``path``; :class:`bench.record.Damaged` says why there is none."""
    try:
        return json.loads(regular(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise record.Damaged(error.strerror or str(error)) from error
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of 5,000 digits, 5,000 brackets
        raise record.Damaged(" ".join(str(error).split())) from error


def regular(path: Path) -> Path:
    """``path``, of a file that can be read to its end; :class:`bench.record.Damaged` of a pipe, a device or a flood."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise record.Damaged("no regular file")
    if about.st_size > _LARGEST:
        raise record.Damaged(f"larger than {_LARGEST >> 20} MiB")
    return path


def record_path(run: Path, cell: str) -> Path:
    """Where a cell's record lies."""
    return run / "cells" / f"{cell}.json"


def checkpoint_path(run: Path, cell: str) -> Path:
    """Where the weights a cell adds to its pretrained model lie until it has been measured."""
    return run / "cells" / cell / "checkpoint.safetensors"


@dataclass
class Found:
    """What a run's folder holds.

    Attributes:
        folder: the run's.
        info: the content of ``run.json``; a part of it that is damaged is empty.
        records: of its finished cells, in the suite's order; what :func:`bench.record.stand_in` makes of damaged ones.
        damaged: file, relative to the folder, to what is wrong with it.
    """

    folder: Path
    info: dict[str, Any]
    records: list[dict[str, Any]] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)

    def note(self, path: Path, what: object) -> None:
        """Say that a file below the folder is damaged."""
        self.damaged[path.relative_to(self.folder).as_posix()] = " ".join(str(what).split())

    def told(self) -> list[str]:
        """A line for each damaged file; what lies beside a record is made anew with it alone."""
        found = []
        for file, what in self.damaged.items():
            record = (path := self.folder / file).parent.with_suffix(".json")
            first = f"remove {record} and " if path.parent.parent.name == "cells" else ""
            found.append(f"{path}: damaged ({what}); {first}{_ANEW}")
        return found


def read(run: Path) -> Found:
    """All of a run that can be read, and what cannot; :class:`ResultsError` where there is no run."""
    path = run / "run.json"
    if not path.exists():
        raise ResultsError(f"{run}: holds no run.json; name a folder such as results/quickstart/<run>")
    info, wrong = read_info(run)
    if not info["cells"]:
        raise ResultsError(f"{path}: not the record of a run; name a folder such as results/quickstart/<run>")
    found = Found(run, info)
    if wrong:
        found.note(path, "; ".join(wrong))
    before: dict[str, dict[str, Any]] | None = None
    places: dict[tuple[Any, ...], str] = {}
    for cell in info["cells"]:
        if (path := record_path(run, cell)).exists():
            content = None
            try:
                content = parsed(path)
                one = _with_its_name(record.checked(content, cell))
                if (other := places.setdefault(tuple(one["asked"][name] for name in _PLACE), cell)) != cell:
                    raise record.Damaged(f"asked: what {other} was asked")
                found.records.append(one)
            except record.Damaged as reason:
                before = _before(run) if before is None else before
                found.note(path, reason)
                why = f"damaged record: {path.relative_to(run)}: {reason}; {_ANEW}"
                found.records.append(record.stand_in(content, cell, before.get(cell, {}), why))
    return found


def _before(run: Path) -> dict[str, dict[str, Any]]:
    """What the run's table says of its cells; nothing where there is none."""
    found: dict[str, dict[str, Any]] = {}
    with suppress(ResultsError, ValueError):
        cells = read_table(run).drop_duplicates("cell").set_index("cell")
        for cell, row in cells.to_dict("index").items():
            found[str(cell)] = {str(name): value for name, value in row.items()} | {
                "options": json.loads(row["options"])
            }
    return found


def records(run: Path) -> list[dict[str, Any]]:
    """The records of a run's finished cells, in the suite's order."""
    return read(run).records


def read_record(run: Path, cell: str) -> dict[str, Any] | None:
    """The record of a cell; None where there is none that can be read."""
    with suppress(record.Damaged):
        return record.checked(parsed(record_path(run, cell)), cell)
    return None


def read_info(run: Path) -> tuple[dict[str, Any], list[str]]:
    """What can be read of ``run.json``, what cannot is empty; and what is wrong with it."""
    content, wrong = None, list[str]()
    try:
        content = parsed(run / "run.json")
    except record.Damaged as reason:
        wrong = [str(reason)]
    here = run.resolve()
    cells = sorted(file.stem for file in (run / "cells").glob("*.json"))
    info, more = record.run_info(content, {"suite": here.parent.name, "run": here.name, "cells": cells})
    return info, wrong or more


def _with_its_name(record: dict[str, Any]) -> dict[str, Any]:
    """A record of ``real_data`` from before its first generation says ``training_data``: that is what it was."""
    asked = record["asked"]
    if list(asked["options"]) != ["real_data"] or asked.get("definition", {}).get("code", {}).get("real_data"):
        return record
    name = "training_data" if asked["approach"] == "real_data" else asked["approach"]
    return record | {"asked": asked | {"approach": name, "options": {"training_data": {}}}}


def latest(suite_folder: Path) -> Path | None:
    """The newest run of a suite that was not given a name: those are named by the time they began."""
    pattern = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]_*/run.json"
    try:
        runs = sorted(path.parent for path in suite_folder.glob(pattern)) if suite_folder.is_dir() else []
    except OSError as error:
        raise ResultsError(f"{suite_folder}: cannot be read ({error.strerror}); name another folder") from error
    return runs[-1] if runs else None


def table(found: list[dict[str, Any]]) -> "pd.DataFrame":
    """One row per (cell, metric), with the columns and types of :data:`COLUMNS`."""
    import pandas as pd

    rows = []
    for one in found:
        asked, happened = one["asked"], one["happened"]
        cell = {key: asked[key] for key in _ASKED} | {"cell": one["cell"], "status": happened["status"]}
        cell["data_quality"] = asked.get("data_quality", "clean")  # which runs of earlier versions do not say
        cell["damaged"] = sum(one.get("environment", {}).get("damaged_items", {}).values())
        cell |= {"options": json.dumps(asked["options"], sort_keys=True), "reason": happened["reason"]}
        for score in happened["scores"] or [
            {"metric": "", "value": None, "unit": "", "better": "", "n": 0, "error": None}
        ]:
            rows.append(cell | {key: math.nan if score[key] is None else score[key] for key in _SCORED})
    return pd.DataFrame(rows, columns=list(COLUMNS)).astype(COLUMNS)


def write_tables(run: Path) -> "pd.DataFrame":
    """Make ``results.csv`` and ``results.parquet`` of a run from its records, and return the table."""
    frame = table(records(run))
    write_atomically(run / "results.csv", lambda partial: frame.to_csv(partial, index=False))
    write_atomically(run / "results.parquet", lambda partial: frame.to_parquet(partial, index=False))
    return frame


def read_table(run: Path) -> "pd.DataFrame":
    """The tidy table of a run, from ``results.parquet``."""
    import pandas as pd

    path = run / "results.parquet"
    try:
        return pd.read_parquet(regular(path))[list(COLUMNS)].astype(COLUMNS)
    except Exception as error:  # what libraries say of a damaged file is of many kinds
        said = " ".join(str(error).split())[:200]
        raise ResultsError(f"{path}: not a readable table ({said}); {_ANEW}") from error
