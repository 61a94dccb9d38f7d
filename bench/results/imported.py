"""What others measured, as a run of ours: what a source (:mod:`bench.results.importing`) gives, and the run made of it.

What a source does not find is missing, never made up. Imports no torch.
"""

import datetime
import json
import re
import shutil
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.cache import content_hash
from bench.errors import ResultsError
from bench.results import checks, disk, files, packed, packed_records, runs, tidy
from bench.results.schema import FOLDER
from bench.words import cut

_PLACE = ("model", "target", "approach", "data_quality", "data_size", "seed")
_UNSAID = {"family": "", "modality": "", "source": "", "data_quality": "clean", "control": False}


@dataclass
class Cell:
    """One result.

    Attributes:
        asked, happened, environment: the parts of a record (:mod:`bench.results.schema`); of ``asked`` what is not
            known, and suite and run, may be missing.
        beside: name to content of files that lie beside its record.
    """

    asked: dict[str, Any]
    happened: dict[str, Any]
    environment: dict[str, Any] = field(default_factory=dict)
    beside: dict[str, bytes] = field(default_factory=dict)

    @property
    def place(self) -> tuple[Any, ...]:
        """What tells it from the others of a run: model, target, approach, data quality, data size and seed.

        The size is None for as long as a source does not know it.
        """
        return tuple((_UNSAID | {"data_size": None} | self.asked)[name] for name in _PLACE)

    def record(self, suite: str, run: str) -> dict[str, Any]:
        """Its record, under a name made as :attr:`bench.suite.cell.Cell.id` is.

        Raises :class:`bench.results.files.Damaged` where nobody could read it again.
        """
        asked = _UNSAID | self.asked | {"suite": suite, "run": run}
        quality = "" if asked["data_quality"] == "clean" else f"-{asked['data_quality']}"
        slug = f"{asked['target']}-{asked['approach']}-n{asked['data_size']}{quality}-s{asked['seed']}"
        name = f"{re.sub(r'[^A-Za-z0-9_+-]', '_', slug)[:100]}-{content_hash(['imported', files.plain(self.place)])}"
        parts = {"cell": name, "asked": asked, "happened": self.happened, "environment": self.environment}
        return checks.checked(files.plain(parts), name)


@dataclass
class Imported:
    """What a source holds.

    Attributes:
        cells: in the order in which they are shown.
        primary: family to the metric that ranks approaches.
        description: of all of it, for the head of the page.
        left_out: a line for each kind of thing that was left out for a reason of ours or of the user's.
        unreadable: a line for each that was left out because it could not be read.
        told: what else the user should know.
    """

    cells: list[Cell]
    primary: dict[str, str]
    description: str
    left_out: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def missing(self) -> dict[str, int]:
        """Metric to the number of cells that have no value of it."""
        return dict(Counter(metric for cell in self.cells for metric in cell.happened.get("skipped", {})))

    def ends(self) -> dict[str, int]:
        """Status to the number of cells."""
        return dict(Counter(cell.happened["status"] for cell in self.cells).most_common())


def folder(results: Path, suite: str, run: str | None) -> Path:
    """Where an import goes, which exists afterwards: a new run named by the time, or the one of that name.

    A named run that is there is replaced where an import made it. :class:`ResultsError` where it was trained here, or
    is no run.
    """
    for flag, name in (("--suite", suite), ("--run", run)):
        if name is not None and not re.fullmatch(FOLDER, name):
            said = f"{flag} {cut(name, 100)!r}: no name for a folder"
            raise ResultsError(f"{said}; begin with a letter or digit, then letters, digits, spaces and _.+,:=()%-")
    stamp = datetime.datetime.now().strftime("%Y-%m-%d_%H%M%S")
    names = (stamp if not count else f"{stamp}-{count}" for count in range(1000))
    found = results / suite / (run or next(name for name in names if not (results / suite / name).exists()))
    if any(found.glob("[!.]*")) and not runs.is_imported(found):
        holds = "a run that was trained here" if (found / "run.json").exists() else "something else than a run"
        raise ResultsError(f"{found}: holds {holds}, which no import replaces; take another --run or --suite")
    with disk.clear_errors(found):
        found.mkdir(parents=True, exist_ok=True)
    return found


def write(found: Imported, into: Path, source: str, how: str) -> bool:
    """Make a finished, packed run of it, in the place of an earlier import.

    Args:
        found: at least one cell, no two of one place.
        into: from :func:`folder`; nobody else may work on it meanwhile.
        source: name of the source.
        how: the command, for the page.

    Returns:
        Whether there was one.
    """
    replaced = (into / "run.json").exists()
    suite, run = into.parent.name, into.name
    records = [cell.record(suite, run) for cell in found.cells]
    beside = {
        f"cells/{record['cell']}/{name}": content
        for record, cell in zip(records, found.cells, strict=True)
        for name, content in cell.beside.items()
    }
    now = datetime.datetime.now().astimezone().isoformat()
    info: dict[str, Any] = {
        "suite": suite, "run": run, "description": found.description, "source": how,
        "imported": {"source": source},
        "cells": [record["cell"] for record in records], "primary": found.primary,
        "environment": {"left_out": [*found.unreadable, *found.left_out, *found.told]},
        "started": now, "finished": None, "seconds": 0.0, "workers": None, "cell_seconds": {}, "ends": {}, "packed": {},
    }  # fmt: skip
    files.remove_partial(into)
    files.write_json(into / "run.json", info)  # first: what is killed from here on is known as an import
    for part in ("cells", "logs"):
        shutil.rmtree(into / part, ignore_errors=True)
    packed.write_archive(into, beside, beside.__getitem__)
    packed_records.write(into, {one["cell"]: json.dumps(one, indent=1, allow_nan=False) + "\n" for one in records})
    tidy.write(into, records)
    done = {"finished": now, "ends": found.ends(), "packed": packed.checksums(into)}
    files.write_json(into / "run.json", files.sealed(info | done))
    return replaced
