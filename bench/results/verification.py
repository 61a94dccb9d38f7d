"""Whether a run is what it was when it was complete: each file against its checksum, the table against the records.

Imports no torch.
"""

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.errors import ResultsError
from bench.results import files, items, manifest, packed, runs, tidy, weights
from bench.results.files import ANEW, Damaged
from bench.words import counted, shown

if TYPE_CHECKING:
    import pandas as pd

TABLE = "results.parquet"
_OURS = {"run.json", TABLE, packed.RECORDS, packed.ITEMS, packed.BESIDE, "progress.json", "verdict.json", ".lock"}
_NAMED = 5  # cells, or columns
_NO_SCORE = "no score is in it; to have these weights train their cell again in another run with --new"


class Fault(NamedTuple):
    """What is wrong with a file of the run, which may be packed, and what to do about it."""

    file: str
    what: str
    remedy: str


@dataclass
class Verdict:
    """What was found.

    Attributes:
        folder: the run's.
        faults: in the order in which they were found.
        strange: what lies in the folder and belongs to no run, and why it may be there.
        checked: what was held against something, in words, to how many there were.
        unchecked: a line for each thing that nothing tells about.
    """

    folder: Path
    faults: list[Fault] = field(default_factory=list)
    strange: dict[str, str] = field(default_factory=dict)
    checked: dict[str, int] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)

    def note(self, file: str, what: object, remedy: str = ANEW) -> None:
        """Say that something is wrong, once for each file and fault."""
        if (fault := Fault(file, " ".join(str(what).split()), remedy)) not in self.faults:
            self.faults.append(fault)


def verify(folder: Path) -> Verdict:
    """Read all of a run, or of a publication; :class:`ResultsError` where there is none."""
    return _verify_publication(folder) if manifest.is_published(folder) else _verify_run(folder)


def _verify_publication(folder: Path) -> Verdict:
    """All files against the list, and the run in it as any other."""
    of_run = _verify_run(folder / manifest.RUN)
    found = Verdict(folder, unchecked=of_run.unchecked)
    again = "get it again, or publish it again"
    try:
        checked = manifest.check(folder)
        found.checked["file"] = len(checked.listed)
        for name in checked.gone:
            found.note(name, "it is gone", again)
        for name, what in checked.wrong.items():
            found.note(name, what, again)
        found.strange = dict.fromkeys(checked.strange, f"not in {manifest.NAME}")
    except Damaged as reason:
        found.note(manifest.NAME, reason, again)
    for fault in of_run.faults:
        found.note(f"{manifest.RUN}/{fault.file}", fault.what, again)
    found.checked |= of_run.checked
    return found


def _verify_run(folder: Path) -> Verdict:
    found = Verdict(folder)
    run = runs.read(folder)
    _folder(found, set(run.info["cells"]))
    for file, what in run.damaged.items():
        found.note(file, what, run.remedy(file))
    _checksums(found, run)
    _records(found, run)
    _beside(found, run)
    _items(found, run)
    _weights(found, run)
    _table(found, run)
    if isinstance(run.info.get("imported"), dict):  # nothing of it is made by a suite
        found.faults = [fault._replace(remedy="import it again") for fault in found.faults]
    return found


def _folder(found: Verdict, cells: set[str]) -> None:
    """What lies there that no run puts there."""
    for parent, folders, names in os.walk(found.folder):  # which follows no link
        for path in sorted(Path(parent, name) for name in (*folders, *names)):
            name = path.relative_to(found.folder).as_posix()
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(found.folder.resolve()):
                found.note(name, "a link that leads out of the run's folder", "remove it")
            elif (why := _why(path, name, cells)) and found.strange.keys().isdisjoint(map(str, Path(name).parents)):
                found.strange[name] = why


def _why(path: Path, name: str, cells: set[str]) -> str:
    """Why something that no run puts there lies there; empty where one does."""
    folder, _, file = name.rpartition("/")
    if path.is_symlink():
        return "a link"
    if re.fullmatch(r"cells/[^/]+/unfinished(/.*)?", name):  # of a cell that works, or was killed
        return "" if name.split("/")[1] in cells else "of no cell that the suite has now"
    if file.startswith(files.PARTIAL):
        return "left by a process that was killed; the next `bench run` that works on it takes it away"
    if folder == "" and file.startswith("damaged-"):
        return "put aside when the run was unpacked; what could not be read of it was made anew"
    if folder == weights.FOLDER:
        known = path.is_file() and weights.cell_of(file) in cells
        return "" if known else "weights of no cell that the suite has now"
    if folder == "cells":
        known = (file.removesuffix(".json") if path.is_file() else file) in cells
        return "" if known else "of no cell that the suite has now"
    if folder == "":
        known = path.is_dir() if file in ("cells", "logs", weights.FOLDER) else file in _OURS
    else:
        known = path.is_file() and (folder == "logs" or folder.removeprefix("cells/") in cells)
    return "" if known else "no run puts it there"


def _checksums(found: Verdict, run: runs.Found) -> None:
    """Files against what ``run.json`` says of them. Those of a run that was unpacked are files of the folder now."""
    told, count = run.info["packed"], 0
    for name, wanted in told.items():
        if name not in _OURS or not (path := found.folder / name).exists():
            continue  # that one is gone is told elsewhere, or it is unpacked
        count += 1
        try:
            there = packed.checksum(path)
        except (Damaged, OSError) as reason:
            found.note(name, reason)
            continue
        found.checked["file checksum"] = count
        if there != wanted and name not in run.damaged:
            said = f"not what run.json says: {there[:16]}, it was {wanted[:16]}"
            found.note(name, said, run.remedy(name))
    try:
        content = files.parsed(found.folder / "run.json")
    except Damaged:
        return  # which is told
    if files.is_broken(content):
        found.note("run.json", "not what its own checksum says")
    if not files.has_seal(content):
        found.unchecked.append("run.json has no checksum of its own: an earlier version wrote it")
    if run.info["finished"] and not told:
        found.unchecked.append("run.json has no checksums: an earlier version wrote it")


def _records(found: Verdict, run: runs.Found) -> None:
    there = set(run.cells.names())
    lost = [cell for cell in run.info["cells"] if cell not in there]
    if packed.RECORDS in run.damaged and lost:
        named = ", ".join(lost[:_NAMED]) + (f" and {len(lost) - _NAMED} more" if len(lost) > _NAMED else "")
        found.note(packed.RECORDS, f"records are lost: {named}")
    elif lost and not run.info["finished"]:
        found.unchecked.append(f"the run is not finished: {counted(len(lost), 'cell')} left")
    found.checked["record"] = len(run.info["cells"]) - len(lost)
    ends = dict(Counter(record["happened"]["status"] for record in run.records))
    if run.info["finished"] and run.info["ends"] not in ({}, ends) and not run.damaged:
        found.note("run.json", f"ends: {shown(run.info['ends'])}, the records say {shown(ends)}")


def _beside(found: Verdict, run: runs.Found) -> None:
    """The archive by its checksums; of files in the folder there are none."""
    count = 0
    for name, wrong in run.cells.pack.every():
        count += 1
        if wrong:
            found.note(f"{packed.BESIDE}: {name}", wrong, run.remedy(name))
    found.checked["archived file"] = count
    loose = [path for part in ("cells/*/*", "logs/*") for path in found.folder.glob(part) if path.name != items.NAME]
    if loose:
        found.unchecked.append(f"{counted(len(loose), 'file')} beside records in the folder have no checksum")


def _weights(found: Verdict, run: runs.Found) -> None:
    told, count = run.info["weights"], 0
    there = set(weights.there(found.folder))
    for file in sorted(told.keys() | there if run.info["finished"] else ()):
        name = f"{weights.FOLDER}/{file}"
        if file not in there:
            found.note(name, "it is gone", _NO_SCORE)
        elif file not in told:
            found.unchecked.append(f"{name}: run.json has no checksum of it")
        else:
            count += 1
            try:
                now = weights.checksum(found.folder / name)
            except OSError as error:
                found.note(name, error.strerror or error, _NO_SCORE)
                continue
            if now != told[file]:
                found.note(name, f"not what run.json says: {now[:16]}, it was {told[file][:16]}", _NO_SCORE)
    if there and not run.info["finished"]:
        found.unchecked.append(f"{counted(len(there), 'file')} of weights: they get checksums when the run is complete")
    found.checked["weights file"] = count


def _items(found: Verdict, run: runs.Found) -> None:
    count = 0
    for record in run.records:
        before = len(run.damaged)
        count += bool(run.items(record))
        if len(run.damaged) > before:
            file = f"cells/{record['cell']}/{items.NAME}"
            found.note(file, run.damaged[file], run.remedy(file))
    found.checked["item table"] = count


def _table(found: Verdict, run: runs.Found) -> None:
    """Every value of the table against those of the records, as far as these can be read."""
    path = found.folder / TABLE
    if not path.exists():
        if run.info["finished"]:
            found.note(TABLE, "it is gone")
        return
    try:
        table = tidy.read(found.folder)
    except ResultsError as error:
        found.note(TABLE, str(error).removeprefix(f"{path}: ").removesuffix(f"; {ANEW}"))
        return
    if not run.info["finished"]:
        found.unchecked.append(f"{TABLE}: written when a run is finished or stopped, so it may be older than records")
        return
    names = set(run.cells.names())
    whole = [one for one in run.records if one["cell"] in names and f"cells/{one['cell']}.json" not in run.damaged]
    expected = tidy.table(whole)
    found.checked["table row"] = len(table)
    if not expected.reset_index(drop=True).equals(table[table["cell"].isin(expected["cell"])].reset_index(drop=True)):
        there, named = _rows(table), {record["cell"]: record for record in whole}
        for cell, wanted in _rows(expected).items():
            differ = _difference(wanted, there.get(cell, []))
            as_named = _rows(tidy.table([run.cells.record(cell) or named[cell]]))  # then: names have changed since
            if differ and _difference(as_named[cell], there.get(cell, [])):
                found.note(TABLE, f"{cell}: {differ}")
    for cell in sorted(set(table["cell"]) - set(run.info["cells"])):
        found.note(TABLE, f"{cell}: the run has no such cell")


_Rows = list[dict[str, Any]]


def _rows(table: "pd.DataFrame") -> dict[str, _Rows]:
    """Cell to its rows."""
    found: dict[str, _Rows] = {}
    for row in table.to_dict("records"):
        found.setdefault(str(row["cell"]), []).append({str(name): value for name, value in row.items()})
    return found


def _difference(wanted: _Rows, there: _Rows) -> str:
    """What is another in a cell's rows of the table than its record says; empty where nothing is."""
    if not there:
        return "no row of it is there"
    if [row["metric"] for row in wanted] != [row["metric"] for row in there]:
        return "its rows are not those of its record's scores"
    differ = [
        f"{name}{' of ' * bool(row['metric'])}{row['metric']} is {shown(other[name])}, its record says {shown(value)}"
        for row, other in zip(wanted, there, strict=True)
        for name, value in row.items()
        if other[name] != value and not (other[name] != other[name] and value != value)  # both are NaN
    ]
    return "; ".join(differ[:_NAMED]) + (f"; and {len(differ) - _NAMED} more" if len(differ) > _NAMED else "")
