"""The run in a published folder: the same scores, without logs and without what names the machine."""

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.errors import ResultsError
from bench.results import cleaning, files, items, packed, packed_items, packed_records, runs, tidy
from bench.results.cleaning import Cleaner
from bench.results.statuses import STATUSES
from bench.words import cut

_KEPT = re.compile(r"curve\.csv|(?:samples|conditions)(?:-\d+)?\.(?:json|png|wav)")
_NAMES = ("suite", "run", "model", "family", "modality", "source", "target", "approach", "data_quality")
_MARK = "published"


def copy(found: runs.Found, into: Path) -> runs.Found:
    """Write a finished run, packed, into an empty folder, and read it again.

    ``run.json`` has a part ``published`` more: ``left_out``, names of files to how many of them stay behind, and
    ``cleaned``, :attr:`bench.results.cleaning.Cleaner.found`.

    Raises :class:`ResultsError` where the name of a model, target or approach would have to be cleaned, as what was
    measured goes by it; :class:`bench.results.files.Damaged` where a file cannot be read.
    """
    cleaner = Cleaner(_words(found), cleaning.paths_in(found.info.get("definition")))
    texts = {record["cell"]: _text(found, record["cell"], cleaner) for record in found.records}
    left_out: Counter[str] = Counter()
    packed_records.write(into, texts)
    _write_beside(found, into, left_out)
    _write_items(found, into)
    info: dict[str, Any] = files.parsed(found.folder / "run.json")
    names = {name: info[name] for name in ("suite", "run", "cells", "primary", "cell_seconds") if name in info}
    clean = cleaner.value({name: value for name, value in info.items() if name not in (*names, "packed", "sha256")})
    said = {"left_out": dict(sorted(left_out.items())), "cleaned": dict(sorted(cleaner.found.items()))}
    whole = {**names, **clean, "packed": {}, _MARK: said}
    files.write_json(into / "run.json", whole)
    tidy.write(into, runs.records(into))
    files.write_json(into / "run.json", files.sealed(whole | {"packed": packed.checksums(into)}))
    return runs.read(into)


def left_behind(info: dict[str, Any]) -> list[str]:
    """What is not as it was in the run that was published, in words."""
    said = info[_MARK]
    lines = [f"{count} × {name} left out" for name, count in said["left_out"].items()]
    cleaned = cleaning.told(said["cleaned"])
    return [*lines, *([f"texts cleaned: {cleaned}"] if cleaned else [])]


def _words(found: runs.Found) -> set[str]:
    """What the suite itself says, and what scores go by, which is no secret even if a machine is called so."""
    info = found.info
    of_suite = [info["suite"], info["run"], info.get("definition"), info["cells"], info["primary"], STATUSES]
    of_scores = {
        (score["metric"], score["unit"], score["better"])
        for record in found.records
        for score in record["happened"]["scores"]
    }
    asked = {record["asked"].get(name, "") for record in found.records for name in _NAMES}
    return set(re.findall(r"[\w-]+", json.dumps([of_suite, *of_scores, *asked], ensure_ascii=False)))


def _text(found: runs.Found, cell: str, cleaner: Cleaner) -> str:
    """A record's text: as it was written where it is clean."""
    path = runs.record_path(found.folder, cell)
    text = files.content(path).decode() if path.exists() else found.cells.pack.records[cell]
    before = files.parsed_text(text)
    clean = cleaner.value(before)
    for (what, name), (_, now) in zip(_named(before), _named(clean), strict=True):
        if name != now:
            said = f"{what} {cut(str(name), 100)!r} names a place on this machine, its user or a secret"
            raise ResultsError(f"{found.folder}: {said}, and scores go by it; give it another name in the suite")
    return text if clean == before else json.dumps(clean, indent=1, allow_nan=False) + "\n"


def _named(record: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """What scores of a record go by."""
    yield from ((name, record["asked"].get(name)) for name in _NAMES)
    yield from (("metric", score["metric"]) for score in record["happened"]["scores"])


def _write_beside(found: runs.Found, into: Path, left_out: Counter[str]) -> None:
    kept: dict[str, tuple[str, str]] = {}
    for cell in found.info["cells"]:
        for name in found.cells.beside(cell):
            if _KEPT.fullmatch(name):
                kept[f"cells/{cell}/{name}"] = (cell, name)
            elif name != items.NAME:
                left_out[name if name in ("log.txt", "traceback.txt") else "other file"] += 1
    logs = {path.name for path in found.folder.glob("logs/*")}
    logs |= {name.partition("/")[2] for name in found.cells.pack.names() if name.startswith("logs/")}
    if logs:
        left_out["log of preparations"] = len(logs)
    packed.write_archive(into, kept, lambda name: found.cells.content(*kept[name]) or b"")


def _write_items(found: runs.Found, into: Path) -> None:
    """As they are packed, or packed now."""
    loose = any(runs.items_path(found.folder, cell).exists() for cell in found.info["cells"])
    if not loose and (path := found.folder / packed.ITEMS).exists():
        shutil.copyfile(path, into / packed.ITEMS)
    elif loose:
        scores = {record["cell"]: found.cells.items(record["cell"]) for record in found.records}
        scores = {cell: one for cell, one in scores.items() if one}
        asked = {record["cell"]: record["asked"] for record in found.records}
        kinds = {cell: [asked[cell][name] for name in ("model", "target", "seed")] for cell in scores}
        packed_items.write(into / packed.ITEMS, scores, kinds)
