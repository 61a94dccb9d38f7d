"""A run's folder: one JSON per cell, and one tidy table made from them.

::

    results/<suite>/<run>/run.json            the resolved suite, its cells in order, the machine
    results/<suite>/<run>/cells/<cell>.json   what was asked, what happened, in which environment
    results/<suite>/<run>/cells/<cell>/       curve.csv, items.parquet; samples.json, .png …; log.txt, traceback.txt
    results/<suite>/<run>/weights/            <cell>.safetensors: what a cell's training adds to its pretrained model
    results/<suite>/<run>/logs/               what was written for a terminal before cells trained
    results/<suite>/<run>/results.parquet     one row per (cell, metric)
    results/<suite>/<run>/progress.json       how far a run is that works or was stopped (bench.running.tracking)

Of a finished run all but the first, the table and weights are packed (:mod:`bench.results.packed`); both forms are read
here. Everything is written atomically. Imports no torch.
"""

import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from bench.errors import ResultsError
from bench.results import checks, files, items, packed, tidy

_PLACE = ("model", "target", "approach", "data_quality", "data_size", "seed")


def record_path(run: Path, cell: str) -> Path:
    """Where a cell's record lies."""
    return run / "cells" / f"{cell}.json"


def items_path(run: Path, cell: str) -> Path:
    """Where what each test item adds to a cell's scores lies (:mod:`bench.results.items`)."""
    return run / "cells" / cell / items.NAME


class Cells:
    """The files of a run's cells, each by itself in the folder or packed; where in both, that in the folder.

    For a while in which nothing is written: what there is is looked up once.
    """

    def __init__(self, run: Path) -> None:
        self.run, self.pack = run, packed.Pack(run)

    def names(self) -> list[str]:
        """Cells that have a record, sorted."""
        return sorted(self._loose | self.pack.records.keys())

    def record(self, cell: str) -> dict[str, Any] | None:
        """What :func:`bench.results.checks.checked` makes of a record; None where there is none.

        Raises :class:`bench.results.files.Damaged`, which knows the ``content`` as far as it is JSON.
        """
        if cell in self._loose and (path := record_path(self.run, cell)).exists():  # packed meanwhile, perhaps
            return checks.read(files.content(path), cell)
        text = self.pack.records.get(cell)
        return None if text is None else checks.read(text, cell)

    def readable(self, cell: str) -> dict[str, Any] | None:
        """:meth:`record`; None where it cannot be read, too."""
        with suppress(files.Damaged):
            return self.record(cell)
        return None

    def beside(self, cell: str) -> list[str]:
        """Names of the files beside a record, sorted."""
        there = {path.name for path in record_path(self.run, cell).with_suffix("").glob("[!.]*") if not path.is_dir()}
        return sorted(there | self.pack.beside(cell))

    def content(self, cell: str, name: str) -> bytes | None:
        """A file beside a record; None where there is none of that name, :class:`Damaged` where it cannot be read."""
        path = record_path(self.run, cell).with_suffix("") / name
        if path.exists():
            return files.content(path)
        return self.pack.content(f"cells/{cell}/{name}")

    def items(self, cell: str) -> items.Scores:
        """What each test item adds to a cell's scores; nothing where that is not kept, :class:`Damaged` where it cannot
        be read."""
        if content := self.content(cell, items.NAME):
            return items.decoded(content)
        return self.pack.items.scores(cell)

    @cached_property
    def _loose(self) -> set[str]:
        return {file.stem for file in (self.run / "cells").glob("*.json")}


@dataclass
class Found:
    """What a run's folder holds.

    Attributes:
        folder: the run's.
        info: the content of ``run.json``; a part of it that is damaged is empty.
        cells: the files of its cells.
        records: of its finished cells, in the suite's order; :func:`bench.results.checks.stand_in` for damaged ones.
        damaged: file, relative to the folder, to what is wrong with it.
    """

    folder: Path
    info: dict[str, Any]
    cells: Cells
    records: list[dict[str, Any]] = field(default_factory=list)
    damaged: dict[str, str] = field(default_factory=dict)

    def note(self, file: str, what: object) -> None:
        """Say that a file of the folder, which may be packed, is damaged."""
        self.damaged[file] = " ".join(str(what).split())

    def content(self, cell: str, name: str) -> bytes | None:
        """:meth:`Cells.content`; one that is damaged is noted, and is None."""
        try:
            return self.cells.content(cell, name)
        except files.Damaged as reason:
            self.note(f"cells/{cell}/{name}", reason)
            return None

    def items(self, record: dict[str, Any]) -> items.Scores:
        """Metric to what each test item adds to the record's score: shape (N,), NaN for an item that has no part in it.

        Items are numbered as in the test split, the same ones for every approach, seed and data size of a model and
        target. Nothing for runs of earlier versions; what is damaged is noted, and is nothing.
        """
        scored = {score["metric"] for score in record["happened"]["scores"]}
        try:
            found = self.cells.items(record["cell"]) if scored else {}
        except files.Damaged as reason:
            self.note(f"cells/{record['cell']}/{items.NAME}", reason)
            return {}
        return {metric: values for metric, values in found.items() if metric in scored}

    def told(self) -> list[str]:
        """A line for each damaged file, with what to do about it."""
        return [f"{self.folder / file}: damaged ({what}); {self.remedy(file)}" for file, what in self.damaged.items()]

    def remedy(self, file: str) -> str:
        """What to do about a damaged file: what lies beside a record is made anew with it alone."""
        if file == packed.BESIDE:
            return "no score is in it; for samples and curves start another run with --new"
        if file == packed.ITEMS:
            return "no score is in it; for intervals over test items start another run with --new"
        if (path := self.folder / file).parent.parent.name != "cells":
            return files.ANEW
        record = path.parent.with_suffix(".json")
        first = "" if record.exists() else f"unpack the run (`bench unpack {self.folder}`), "
        return f"{first}remove {record} and {files.ANEW}"


def about(run: Path) -> tuple[dict[str, Any], list[str]]:
    """:func:`read_info` of a run; :class:`ResultsError` where there is none."""
    path = run / "run.json"
    if not path.exists():
        raise ResultsError(f"{run}: holds no run.json; name a folder such as results/quickstart/<run>")
    info, wrong = read_info(run)
    if not info["cells"]:
        raise ResultsError(f"{path}: not the record of a run; name a folder such as results/quickstart/<run>")
    return info, wrong


def read(run: Path) -> Found:
    """All of a run that can be read, and what cannot; :class:`ResultsError` where there is no run."""
    info, wrong = about(run)
    found = Found(run, info, Cells(run))
    if wrong:
        found.note("run.json", "; ".join(wrong))
    with _collecting_nothing():
        before = _read_records(found)
    found.damaged |= found.cells.pack.check()
    for file in info["packed"] if not any((run / "cells").glob("*")) else ():
        if not (run / file).exists():
            found.note(file, "it is gone")
    if packed.RECORDS in found.damaged or info["finished"]:  # all cells have ended, so each has a record
        _stand_in(found, before)
    return found


def _read_records(found: Found) -> dict[str, dict[str, Any]] | None:
    """Fill in the records, as what they are or as what stands in for them; the run's table, where that was needed."""
    before: dict[str, dict[str, Any]] | None = None
    places: dict[tuple[Any, ...], str] = {}
    for cell in found.info["cells"]:
        try:
            if (one := found.cells.record(cell)) is None:
                continue
            one = _with_its_name(one)
            if (other := places.setdefault(tuple(one["asked"][name] for name in _PLACE), cell)) != cell:
                raise files.Damaged(f"asked: what {other} was asked", one)
            found.records.append(one)
        except files.Damaged as reason:
            before = _before(found.folder) if before is None else before
            found.note(f"cells/{cell}.json", reason)
            why = f"damaged record: cells/{cell}.json: {reason}; {files.ANEW}"
            found.records.append(checks.stand_in(reason.content, cell, before.get(cell, {}), why))
    return before


@contextmanager
def _collecting_nothing() -> Iterator[None]:
    """Records are no garbage, and looking for some among them takes longer than reading them."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


def _stand_in(found: Found, before: dict[str, dict[str, Any]] | None) -> None:
    """Rows for the cells whose records are gone, or were packed and cannot be read."""
    there = {record["cell"]: record for record in found.records}
    if not (gone := [cell for cell in found.info["cells"] if cell not in there]):
        return
    before = _before(found.folder) if before is None else before
    for cell in gone:
        if packed.RECORDS in found.damaged:
            where, what = packed.RECORDS, found.damaged[packed.RECORDS]
        else:
            where, what = f"cells/{cell}.json", "it is gone"
            found.note(where, what)
        why = f"damaged record: {where}: {what}; {files.ANEW}"
        there[cell] = checks.stand_in(None, cell, before.get(cell, {}), why)
    found.records = [there[cell] for cell in found.info["cells"]]


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
    """The record of a cell; None where there is none that can be read. Of many cells ask :class:`Cells`."""
    with suppress(files.Damaged):
        if (path := record_path(run, cell)).exists():
            return checks.read(files.content(path), cell)
        return Cells(run).record(cell)
    return None


def read_info(run: Path) -> tuple[dict[str, Any], list[str]]:
    """What can be read of ``run.json``, what cannot is empty; and what is wrong with it."""
    content, wrong = None, list[str]()
    try:
        content = files.parsed(run / "run.json")
    except files.Damaged as reason:
        wrong = [str(reason)]
    here = run.resolve()
    instead = {"suite": here.parent.name, "run": here.name}
    info, more = checks.run_info(content, instead)
    if not info["cells"]:
        info["cells"] = Cells(run).names()
    return info, wrong or more


def is_imported(run: Path) -> bool:
    """Whether an import made what lies in a folder (:mod:`bench.results.imported`)."""
    return (run / "run.json").exists() and isinstance(read_info(run)[0].get("imported"), dict)


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
