"""What a suite would do, without doing it: its matrix, what does not apply, and how long it may take. No torch."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from bench import dataset_cache
from bench.checkpoints import hub, inspection, tensor_files
from bench.errors import SuiteError, Unusable
from bench.results import runs
from bench.running import environment
from bench.suite.cell import Cell, ModelSpec
from bench.suite.loading import Suite
from bench.words import columns, counted


class Weights(NamedTuple):
    """What the trained weights take that stay when a run of a suite is over.

    Attributes:
        files: how many there are, at most.
        bytes: of the missing cells', at most; None where it is not known how large a model is.
    """

    files: int
    bytes: int | None


@dataclass(frozen=True)
class Plan:
    """A suite's matrix before it runs.

    Attributes:
        suite: the suite.
        cells: all cells.
        finished: ids of the cells that the latest run has already.
        run: that run's folder, or None.
        left_out: what was left out or changed when its datasets were read, as far as they were.
        unchecked: datasets that are not in the cache yet, so that sizes asked of them could not be checked.
        seconds: estimate for the missing cells from earlier results on this machine; None where there are none.
        faults: models and datasets that will certainly not do, as far as their files tell: a run has failed cells for
            each.
        weights: what trained weights will take that stay.
    """

    suite: Suite
    cells: list[Cell]
    finished: set[str]
    run: Path | None
    left_out: list[str]
    unchecked: list[str]
    seconds: float | None
    faults: list[SuiteError]
    weights: "Weights"

    @property
    def not_applicable(self) -> dict[tuple[str, str], str]:
        """(approach, model) to the reason it does not apply."""
        return {(cell.approach, cell.model_name): cell.reason for cell in self.cells if cell.reason}

    def as_json(self) -> dict[str, Any]:
        """The plan for scripts."""
        return {
            "suite": self.suite.name,
            "cells": [
                {
                    "cell": cell.id,
                    "model": cell.model_name,
                    "target": cell.target.name,
                    "approach": cell.approach,
                    "data_size": cell.data_size,
                    "data_quality": cell.data_quality.label,
                    "seed": cell.seed,
                    "trials": len(cell.tuning),
                    "finished": cell.id in self.finished,
                    "reason": cell.reason,
                }
                for cell in self.cells
            ],
            "run": str(self.run) if self.run else None,
            "left_out": self.left_out,
            "unchecked": self.unchecked,
            "seconds": self.seconds,
            "faults": [str(fault) for fault in self.faults],
            "weights": {"keep": self.suite.file.keep} | self.weights._asdict(),
        }

    def __str__(self) -> str:
        """The plan for a terminal."""
        return "\n".join(_lines(self))


def plan(suite: Suite, results_folder: Path, workers: int | None = None) -> Plan:
    """The plan of a suite, compared with its latest run under ``results_folder``."""
    cells = suite.cells
    run = runs.latest(results_folder / suite.name)
    finished = _finished(cells, run) if run else set()
    targets = {cell.target.name: cell.target for cell in cells}
    read = {cell.model.recipe.source.name: cell.model.recipe.source for cell in cells if cell.model.recipe} | targets
    there = {name: spec for name, spec in read.items() if not spec.fault}
    unchecked = [n for n, s in there.items() if n in targets and dataset_cache.sizes(s.plugin, s.options) is None]
    told = [line for name, spec in there.items() for line in dataset_cache.left_out(name, spec.plugin, spec.options)]
    missing = [cell for cell in cells if cell.id not in finished and not cell.reason]
    estimate = _estimate(missing, run, workers)
    faults = list(_faults(suite))
    return Plan(suite, cells, finished, run, told, unchecked, estimate, faults, _weights(suite, missing))


def _weights(suite: Suite, missing: list[Cell]) -> Weights:
    """Cells keep about as many numbers as their checkpoints have, at most, in float32; of a recipe nobody knows."""
    pairs: dict[tuple[str, str], list[int | None]] = {}
    sizes: dict[str, int | None] = {}
    for cell in missing if suite.file.keep != "none" else ():
        if cell.data_size:
            if cell.model_name not in sizes:
                sizes[cell.model_name] = _size(cell.model)
            pairs.setdefault((cell.model_name, cell.target.name), []).append(sizes[cell.model_name])
    kept = [size for each in pairs.values() for size in (each if suite.file.keep == "all" else each[:1])]
    known = [size for size in kept if size is not None]
    return Weights(len(kept), sum(known) if len(known) == len(kept) else None)


def _size(spec: ModelSpec) -> int | None:
    """Bytes of a checkpoint's weights in float32, as its files tell."""
    try:
        folder = None if spec.fault else hub.local(spec)
        return 4 * sum(map(tensor_files.whole, folder.rglob("*.safetensors"))) or None if folder else None
    except (Unusable, OSError):  # which is told elsewhere
        return None


def _finished(cells: list[Cell], run: Path) -> set[str]:
    stored = runs.Cells(run)
    return {cell.id for cell in cells if stored.readable(cell.id)}


def _faults(suite: Suite) -> Iterator[SuiteError]:
    for name, target in {cell.target.name: cell.target for cell in suite.cells}.items():
        if target.fault:
            yield _fault(suite, f"datasets.{name}", target.fault)
    for name, spec in {cell.model_name: cell.model for cell in suite.cells}.items():
        if spec.recipe and spec.recipe.source.fault:
            yield _fault(suite, f"models.{name}.recipe.source", spec.recipe.source.fault)
        if spec.fault:
            yield _fault(suite, f"models.{name}.checkpoint", spec.fault)
            continue
        try:
            inspection.check(spec, hub.local(spec))
        except Unusable as reason:
            key = f"models.{name}.{'recipe.architecture' if spec.recipe else 'checkpoint'}"
            where = "" if spec.recipe else f"{spec.checkpoint}: "
            yield suite.error(key, f"{where}{reason.problem}", reason.remedy)


def _fault(suite: Suite, key: str, said: str) -> SuiteError:
    problem, _, remedy = said.partition("; ")
    return suite.error(key, problem, remedy)


def _estimate(missing: list[Cell], run: Path | None, workers: int | None) -> float | None:
    """Seconds for the missing cells, from what the latest run's cells took, where it ran on this machine."""
    from statistics import mean  # which a plan without an earlier run does not need

    if not missing:
        return 0.0
    if run is None:
        return None
    info, _ = runs.read_info(run)
    earlier: dict[str, float] = info["cell_seconds"]
    here = environment.describe()["machine"]["id"]
    if not earlier or info["environment"].get("machine", {}).get("id") != here:
        return None
    alike: dict[str, list[float]] = {}
    for cell, seconds in earlier.items():
        alike.setdefault(_kind(cell), []).append(seconds)
    typical = mean(earlier.values())
    total = sum(mean(alike.get(_kind(cell.id), [typical])) for cell in missing)
    threads = max(cell.budget.threads for cell in missing)
    return total / (workers or max(1, (os.cpu_count() or 1) // threads))


def _kind(cell: str) -> str:
    """A cell's id without seed and hash: cells alike take alike."""
    return re.sub(r"-s\d+-[0-9a-f]{16}$", "", cell)


def _lines(plan: Plan) -> Iterator[str]:
    for model, target in dict.fromkeys((cell.model_name, cell.target.name) for cell in plan.cells):
        yield f"{model} → {target}"
        yield from columns(_grid([c for c in plan.cells if (c.model_name, c.target.name) == (model, target)]))
        yield ""
    if len(qualities := list(dict.fromkeys(cell.data_quality.label for cell in plan.cells))) > 1:
        yield f"each size in {len(qualities)} qualities: {', '.join(qualities)}"
    applicable = sum(not cell.reason for cell in plan.cells)
    models = counted(len({cell.model_name for cell in plan.cells}), "model")
    seeds = counted(len({cell.seed for cell in plan.cells}), "seed")
    trained = [cell for cell in plan.cells if not cell.reason and cell.data_size]
    steps = sum((cell.budget.planned_steps or 0) * len(cell.tuning) for cell in trained)
    seconds = sum((cell.budget.seconds or 0) * len(cell.tuning) for cell in trained)
    spent = f"{_duration(seconds)} of training" if seconds else f"{steps:,} step{'s' * (steps != 1)}"
    yield f"{counted(len(plan.cells), 'cell')} ({applicable} applicable): {models}, {seeds}, {spent}"
    for (approach, model), why in plan.not_applicable.items():
        yield f"not applicable to {model}: {approach if approach not in why else ''}{': ' * (approach not in why)}{why}"
    yield from (f"will not do: {fault}" for fault in plan.faults)
    if plan.run:
        yield f"finished already: {counted(len(plan.finished), 'cell')} in {plan.run}"
    yield from (f"left out or changed: {line}" for line in plan.left_out)
    if plan.unchecked:
        yield f"sizes are checked when first read: {', '.join(plan.unchecked)}"
    if plan.weights.files:
        most = "" if plan.weights.bytes is None else f", up to about {plan.weights.bytes / 2**30:,.2f} GiB"
        which = "of all cells" if plan.suite.file.keep == "all" else "of the best of each model and target"
        yield f"weights that stay: {which} ({counted(plan.weights.files, 'file')}{most})"
    unknown = "not known until cells have run on this machine"
    yield f"time: {unknown if plan.seconds is None else f'about {_duration(plan.seconds)}'}"


def _grid(cells: list[Cell]) -> list[list[str]]:
    """Head and rows of one pair's table: approach × data size."""
    sizes = sorted({cell.data_size for cell in cells if cell.data_size})
    counts: dict[tuple[str, int], int] = {}
    first: dict[str, Cell] = {}
    for cell in cells:
        counts[cell.approach, cell.data_size] = counts.get((cell.approach, cell.data_size), 0) + (not cell.reason)
        first.setdefault(cell.approach, cell)
    rows = [["approach", "trials", "no data", *(counted(size, "example") for size in sizes)]]
    for name, cell in first.items():
        trials = str(len(cell.tuning)) if cell.data_size else ""
        rows.append([name, trials, *(_entry(counts.get((name, size))) for size in (0, *sizes))])
    return rows


def _entry(count: int | None) -> str:
    if count is None:
        return ""
    return counted(count, "seed") if count else "—"


def _duration(seconds: float) -> str:
    """Seconds in the largest unit that fits."""
    for size, unit in ((3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
