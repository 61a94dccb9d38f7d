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
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.errors import ResultsError
from bench.results import files, schema, tidy

_PLACE = ("model", "target", "approach", "data_quality", "data_size", "seed")


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
        records: of its finished cells, in the suite's order; :func:`bench.results.schema.stand_in` for damaged ones.
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
            found.append(f"{path}: damaged ({what}); {first}{files.ANEW}")
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
                content = files.parsed(path)
                one = _with_its_name(schema.checked(content, cell))
                if (other := places.setdefault(tuple(one["asked"][name] for name in _PLACE), cell)) != cell:
                    raise files.Damaged(f"asked: what {other} was asked")
                found.records.append(one)
            except files.Damaged as reason:
                before = _before(run) if before is None else before
                found.note(path, reason)
                why = f"damaged record: {path.relative_to(run)}: {reason}; {files.ANEW}"
                found.records.append(schema.stand_in(content, cell, before.get(cell, {}), why))
    return found


def _before(run: Path) -> dict[str, dict[str, Any]]:
    """What the run's table says of its cells; nothing where there is none."""
    found: dict[str, dict[str, Any]] = {}
    with suppress(ResultsError, ValueError):
        cells = tidy.read(run).drop_duplicates("cell").set_index("cell")
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
    with suppress(files.Damaged):
        return schema.checked(files.parsed(record_path(run, cell)), cell)
    return None


def read_info(run: Path) -> tuple[dict[str, Any], list[str]]:
    """What can be read of ``run.json``, what cannot is empty; and what is wrong with it."""
    content, wrong = None, list[str]()
    try:
        content = files.parsed(run / "run.json")
    except files.Damaged as reason:
        wrong = [str(reason)]
    here = run.resolve()
    cells = sorted(file.stem for file in (run / "cells").glob("*.json"))
    info, more = schema.run_info(content, {"suite": here.parent.name, "run": here.name, "cells": cells})
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
