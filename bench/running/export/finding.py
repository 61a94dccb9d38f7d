"""Which trained cell is meant, and why one has no weights that could be exported. Imports no torch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench import plugins
from bench.errors import PluginError, ResultsError
from bench.results import files, runs, weights
from bench.suite.cell import Cell
from bench.words import counted, cut, suggest

_NAMED = 5  # cells in a message


@dataclass(frozen=True)
class Trained:
    """A cell whose weights are there.

    Attributes:
        run: the folder of its run.
        record: what became of it.
        cell: what was asked.
    """

    run: Path
    record: dict[str, Any]
    cell: Cell

    @property
    def id(self) -> str:
        """Its name in the run, which it has kept whatever became of keys since."""
        return str(self.record["cell"])

    @property
    def weights(self) -> Path:
        """The file of what it adds to its pretrained model."""
        return weights.path(self.run, self.id)


def find(name: str, results: Path) -> Trained:
    """The cell of that name; :class:`ResultsError` says why there is none, or none that can be exported.

    Args:
        name: a cell; or ``RUN/CELL``, also by the path of its weights or its record; or a run that kept one.
        results: where runs lie, if the name says none.
    """
    run, cell = _placed(name, results)
    try:
        record = runs.Cells(run).record(cell)
    except files.Damaged as reason:
        raise ResultsError(f"{run / 'cells' / cell}.json: damaged ({reason}); {files.ANEW}") from None
    if record is None:
        raise ResultsError(f"{cell}: has not ended yet in {run}; go on with the run first")
    _refuse(run, cell, record)
    try:
        definition = {"suite": record["asked"]["suite"]} | record["asked"]["definition"]
        asked = Cell.model_validate_json(json.dumps(definition))  # in which lists stand for tuples
    except ValidationError as error:
        said = f"another version recorded what was asked of it ({error.errors()[0]['msg']})"
        raise ResultsError(f"{run}: {cell}: {said}; train it anew with --new --keep all") from error
    return Trained(run, record, asked)


def _refuse(run: Path, cell: str, record: dict[str, Any]) -> None:
    """Raise :class:`ResultsError` where there is nothing to export."""
    asked, happened = record["asked"], record["happened"]
    info, _ = runs.read_info(run)
    if isinstance(info.get("imported"), dict):
        raise ResultsError(f"{run}: holds imported results, which come without weights; export where they were trained")
    if happened["status"] != "ok":
        why = cut(happened["reason"], 200)
        remedy = "export one that ended well, or train it again (bench run --retry)"
        raise ResultsError(f"{cell}: {happened['status'].replace('_', ' ')} ({why}), so it has no weights; {remedy}")
    if not _trains(asked["options"]):
        names = " + ".join(asked["options"]) or asked["approach"]
        if {"real_data", "training_data"} & set(asked["options"]):
            raise ResultsError(f"{cell}: {names} is no model, real examples stand where samples would; name another")
        raise ResultsError(
            f"{cell}: {names} trains nothing, so it has no weights: it is the pretrained model; name another"
        )
    if not weights.path(run, cell).is_file():
        keep = f"train it again with `bench run {asked['suite']} --new --keep all`"
        raise ResultsError(f"{cell}: its weights were not kept in {run}; {keep}{_others(run)}")
    told = info["weights"].get(weights.path(run, cell).name)
    if told and weights.checksum(weights.path(run, cell)) != told:
        raise ResultsError(
            f"{weights.path(run, cell)}: damaged, its checksum is another than when it was trained; train it again "
            f"with `bench run {asked['suite']} --new --keep all`"
        )


def _trains(parts: dict[str, Any]) -> bool:
    """Whether an approach takes gradient steps; one that is not known here is for who sets it up to refuse."""
    try:
        return all(plugins.find("approaches", part).constants.get("TRAINS", True) for part in parts)
    except PluginError:
        return True


def _others(run: Path) -> str:
    """What of a run could be exported, for the end of a message."""
    there = kept(run)
    more = f" and {len(there) - _NAMED} more" if len(there) > _NAMED else ""
    return f"; it kept those of {', '.join(there[:_NAMED])}{more}" if there else ""


def kept(run: Path) -> list[str]:
    """Cells whose weights a run has."""
    return [weights.cell_of(file) for file in weights.there(run)]


def _placed(name: str, results: Path) -> tuple[Path, str]:
    """A run's folder and the name of one of its cells."""
    path = Path(name)
    parent, cell = path.parent, path.name.removesuffix(".json").removesuffix(".safetensors")
    if parent.name in ("cells", weights.FOLDER):
        parent = parent.parent
    if (parent / "run.json").is_file():
        if cell in (known := _cells(parent)):
            return parent, cell
        near = suggest(cell, known).strip() or f"`ls {parent / weights.FOLDER}` shows whose weights it kept"
        raise ResultsError(f"{parent}: no cell {cut(cell, 150)!r}; {near}")
    for run in (path, runs.latest(path), runs.latest(results / path)):
        if run and (run / "run.json").is_file():
            return run, _only(run)
    found = [run for run in _runs(results) if name in _cells(run)]
    if found:
        return max(found, key=lambda run: (weights.path(run, name).is_file(), (run / "run.json").stat().st_mtime)), name
    known = [cell for run in _runs(results) for cell in _cells(run)]
    near = suggest(name, known).strip() or f"`ls {results}/*/*/{weights.FOLDER}` shows whose weights were kept"
    raise ResultsError(f"{cut(name, 150)!r}: no cell of a run in {results}; {near}")


def _only(run: Path) -> str:
    """The one cell whose weights a run kept."""
    there = kept(run)
    if len(there) == 1:
        return there[0]
    if not there:
        raise ResultsError(f"{run}: kept no weights; run its suite again with --new --keep all")
    named = ", ".join(there[:_NAMED]) + (f" and {len(there) - _NAMED} more" if len(there) > _NAMED else "")
    raise ResultsError(f"{run}: kept the weights of {counted(len(there), 'cell')}; name one of them: {named}")


def _runs(results: Path) -> Iterator[Path]:
    return (path.parent for path in sorted(results.glob("*/*/run.json")))


def _cells(run: Path) -> list[str]:
    return list(dict.fromkeys([*runs.read_info(run)[0]["cells"], *kept(run)]))
