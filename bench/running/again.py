"""Cells of an earlier run once more, as that run asked for them, in today's environment: a run of its own.

It lies beside the old one in ``<run>.reruns/<time>-rerun``, a folder deeper than a suite's runs, so that nothing takes
it for one of these; the old one is only read. Imports no torch.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from bench.errors import DataError, PluginError, ResultsError, Unusable
from bench.results import runs
from bench.running import environment, runner, status
from bench.running.preparation import Preparation
from bench.suite.again import as_today
from bench.suite.cell import Cell
from bench.suite.complaints import explain
from bench.suite.declaration import SuiteFile
from bench.suite.loading import Suite

_ENVIRONMENT = ("machine", "python", "packages", "commit")
"""Of a stopped rerun: what must be the same for another to go on with it."""

Record = dict[str, Any]


@dataclass(frozen=True)
class Again(Suite):
    """Cells of an earlier run, as a suite.

    Attributes:
        of: that run's folder.
        text: of its suite's file then.
        before: id of each cell, which is another than then where what determines its outcome is, to its old record.
        changed: whether data and checkpoints may be others than then.
        command: to make it once more, or to go on with it.
    """

    of: Path
    text: str
    before: dict[str, Record]
    changed: bool
    command: str

    @property
    def source(self) -> str:
        return self.text

    def about(self) -> dict[str, Any]:
        found = super().about()
        said = f"Cells of the run {self.of.name} once more. {self.file.description}".strip()
        return found | {"description": said, "rerun": {"of": self.of.name, "command": self.command}}

    def check(self, preparation: Preparation) -> None:
        """:class:`ResultsError` where cells cannot be trained as they were: before any of them is."""
        here, other = preparation.device["device"], list[str]()
        for cell in self.cells:
            environment = self.before[cell.id]["environment"]
            there = environment.get("device") or here
            if there != here:
                which = f" ({environment['accelerator']})" if environment.get("accelerator") else ""
                raise _refusal(self.of, cell.id, f"it was trained on {there}{which}, and here is {here}", "go there")
            if lack := preparation.lack(cell):
                raise ResultsError(f"{self.of}: {cell.id}: {lack}")
            known = environment.get("datasets", {})
            for name, spec in cell.domains().items():
                now = preparation.fingerprint(spec)
                if now and known.get(name, now) != now:
                    other.append(f"{name} holds other items (fingerprint {known[name]} then, {now} now)")
        self.refuse(other)

    def refuse(self, other: list[str]) -> None:
        """:class:`ResultsError` where data or checkpoints are others and that was not allowed."""
        if other and not self.changed:
            remedy = "put back what there was, or train on what there is now with --changed"
            raise ResultsError(f"{self.of}: changed since: {'; '.join(dict.fromkeys(other))}; {remedy}")


def load(found: runs.Found, cells: list[str], command: str, *, changed: bool = False) -> Again:
    """Some cells of a run, in its order, as they are trained today.

    Args:
        found: the run.
        cells: ids of some of its cells.
        command: what makes this rerun.
        changed: whether data and checkpoints may be others than then.

    Raises:
        ResultsError: a cell cannot be trained any more, or would learn from something else; why, and what to do.
    """
    run = found.folder
    if found.info.get("imported"):
        raise ResultsError(f"{run}: holds imported results, of which nothing was trained here; name a run of a suite")
    try:
        file = SuiteFile.model_validate(found.info.get("definition"))
    except ValidationError as error:
        key, problem, _ = explain(error, SuiteFile)
        made = _made_by(found.info["environment"])
        raise ResultsError(f"{run / 'run.json'}: definition.{key}: {problem}; {made}") from None
    records = {record["cell"]: record for record in found.records}
    pairs = [(_then(found, records.get(name), name), records[name]) for name in cells]
    now = [_now(run, cell, record) for cell, record in pairs]
    before = {cell.id: record for cell, (_, record) in zip(now, pairs, strict=True)}
    again = Again(
        name=found.info["suite"],
        path=run / "run.json",
        file=file,
        cells=now,
        of=run,
        text=found.info["source"],
        before=before,
        changed=changed,
        command=command,
    )
    again.refuse([line for (old, _), cell in zip(pairs, now, strict=True) for line in _others(old, cell)])
    return again


def start(again: Again, results: Path | None = None) -> Path:
    """The folder of a new rerun, or of one that was stopped in this very environment; it exists afterwards.

    Args:
        again: what is trained.
        results: where runs lie; by default the rerun lies beside the old run, wherever that is.
    """
    folder = (again.of.parent if results is None else results / again.name) / f"{again.of.name}.reruns"
    if (latest := runs.latest(folder)) and _goes_on(latest, again):
        return runner.made(latest)
    return runner.made(runner.unused(folder, "-rerun"))


def _goes_on(run: Path, again: Again) -> bool:
    info, wrong = runs.read_info(run)
    same = info["cells"] == [cell.id for cell in again.cells] and not (wrong or info["finished"])
    here = environment.describe()
    return same and not status.is_held(run) and all(info["environment"].get(k) == here[k] for k in _ENVIRONMENT)


def _then(found: runs.Found, record: Record | None, name: str) -> Cell:
    """The cell as its record defines it."""
    run, file = found.folder, f"cells/{name}.json"
    if record is None:
        raise ResultsError(f"{run}: {name}: it has not ended, so there is nothing to hold a rerun against")
    if file in found.damaged:
        raise ResultsError(f"{run}: {name}: its record is damaged; see `bench verify {run}`")
    asked, happened = record["asked"], record["happened"]
    if happened["status"] == "not_applicable":
        raise ResultsError(f"{run}: {name}: it was not trained ({happened['reason']}); name others")
    if not asked["definition"]:
        raise _refusal(run, name, "an early version wrote it, which did not say all that was asked")
    try:
        return Cell.model_validate_json(json.dumps(asked["definition"] | {"suite": asked["suite"]}))
    except ValidationError as error:
        key, problem, _ = explain(error, Cell)
        raise _refusal(run, name, f"asked.definition.{key}: {problem}", _made_by(record["environment"])) from None


def _now(run: Path, cell: Cell, record: Record) -> Cell:
    name = record["cell"]
    try:
        return as_today(cell)
    except Unusable as error:
        raise _refusal(run, name, f"checkpoint: {error.problem}", "put it back") from None
    except PluginError as error:
        raise _refusal(run, name, str(error), f"or {_made_by(record['environment'])}") from None
    except DataError as error:
        raise _refusal(run, name, f"its data are gone ({error})", "put them back") from None


def _others(then: Cell, now: Cell) -> Iterator[str]:
    """What files hold that is not what they held."""
    for name, spec in then.domains().items():
        if spec.content != (content := now.domains()[name].content):
            yield f"the files of {name} (hash {spec.content or 'unknown'} then, {content} now)"
    if then.model.fingerprint != now.model.fingerprint:
        was = then.model.fingerprint or "unknown"
        yield f"checkpoint {now.model.checkpoint} (hash {was} then, {now.model.fingerprint or 'no weights'} now)"


def _refusal(run: Path, cell: str, what: str, remedy: str = "run its suite anew") -> ResultsError:
    return ResultsError(f"{run}: {cell}: cannot be trained again: {what}; {remedy}")


def _made_by(made: dict[str, Any]) -> str:
    """Which version could."""
    commit = f", commit {str(made['commit'])[:12]}" if made.get("commit") else ""
    version = (made.get("packages") or {}).get("transferbench") or "of that time"
    return f"rerun it with the version that made it, transferbench {version}{commit}"
