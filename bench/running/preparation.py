"""What cells share, made before the first of them trains: datasets, base models, feature spaces, options that fit.

What cannot be made ends the cells that need it, each with the reason, and no others. Imports no torch.
"""

import os
from collections.abc import Callable, Iterable
from typing import Any

from bench import dataset_cache, plugins
from bench.errors import BenchError, ResultsError
from bench.running.ends import said
from bench.running.pool import Task
from bench.suite.cell import Cell, DatasetSpec
from bench.words import counted

_LIMIT = 24 * 3600.0  # seconds
_REMEDY = "then run again with --retry"

Need = tuple[str, str]
"""A kind of thing, and which of them: what two cells need alike is made once."""


class Preparation:
    """What some cells share, and what of it could not be made.

    Args:
        cells: that need it.
        stage: runs tasks side by side, under a name, so many at a time; see :class:`bench.running.pool.Task`.

    Attributes:
        device: what the workers say they run on, after :meth:`read`.
        datasets: (size of the training split, fingerprint) of those that could be read.
    """

    def __init__(self, cells: list[Cell], stage: Callable[[str, list[Task], int], None]) -> None:
        self.cells, self._stage = cells, stage
        self.threads = max((cell.budget.threads for cell in cells), default=1)
        self.cores = max(1, (os.cpu_count() or 1) // self.threads)
        self.device: dict[str, Any] = {}
        self.datasets: dict[Need, tuple[int, str]] = {}
        self._faults: dict[Need, str] = {}

    def fingerprints(self) -> dict[str, str]:
        """Name of each target that could be read to its fingerprint."""
        found = {cell.target.name: self.fingerprint(cell.target) for cell in self.cells}
        return {name: fingerprint for name, fingerprint in found.items() if fingerprint}

    def fingerprint(self, spec: DatasetSpec) -> str:
        """Of a target, or of a base model's source; empty of one that could not be read."""
        return self.datasets[need][1] if (need := _data(spec)) in self.datasets else ""

    def lack(self, cell: Cell) -> str:
        """What a cell lacks that could not be made, and what to do about it; empty where it has all."""
        return next((self._faults[need] for need in _needs(cell) if need in self._faults), "")

    def fault(self, cell: Cell) -> str:
        """Why a cell of a suite cannot run: what it lacks, and how to go on when that is there; empty where it can."""
        return f"{lack}; {_REMEDY}" if (lack := self.lack(cell)) else ""

    def read(self) -> None:
        """Look at the device, and make the datasets, of targets and of what base models are pretrained on."""
        sources = [cell.model.recipe.source for cell in self.cells if cell.model.recipe]
        specs = {_data(spec): spec for spec in (*(cell.target for cell in self.cells), *sources)}
        tasks = [Task("device", "describe_device", (), _LIMIT, self._looked)]
        tasks += [
            self._task(need, f"dataset {spec.name}", "prepare_dataset", spec, done=self._sized(spec))
            for need, spec in specs.items()
        ]
        self._stage("datasets", tasks, self.cores)

    def make(self) -> None:
        """Try options that somebody chose on their models; make base models and feature spaces."""
        chosen = {_setting(c): c for c in self._able(self.cells) if not c.reason and _has_options(c)}
        tasks = [
            Task(f"options of {cell.approach}", "check_options", (cell,), cell.budget.time_limit, self._fitted(need))
            for need, cell in chosen.items()
        ]
        self._stage("options", tasks, self.cores)
        able = list(self._able(self.cells))
        spaces = {need: (name, options) for cell in able for need, name, options in _spaces(cell)}
        models = {_model(cell): (cell.model_name, cell.model) for cell in able}
        tasks = [
            self._task(need, f"feature space {name}", "prepare_features", name, options, self.threads)
            for need, (name, options) in spaces.items()
        ]
        tasks += [
            self._task(need, f"model {name}", "prepare_model", spec, self.threads)
            for need, (name, spec) in models.items()
        ]
        self._stage("base models", tasks, self.cores)

    def _able(self, cells: Iterable[Cell]) -> Iterable[Cell]:
        return (cell for cell in cells if not self.fault(cell))

    def _task(self, need: Need, name: str, function: str, *arguments: Any, done: Any = None) -> Task:
        """A task that makes something; where it cannot, the cells that need it have a fault."""

        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if isinstance(outcome, ResultsError):  # a disk that is full is nobody's fault here, and everybody's
                raise outcome
            if isinstance(outcome, BaseException):
                known = isinstance(outcome, BenchError)
                self._faults[need] = str(outcome) if known else f"{name}: could not be made ({said(outcome)})"
                return "failed", self._faults[need], 0.0
            return done(need, name, outcome) if done else ("ok", "", 0.0)

        return Task(name, function, arguments, _LIMIT, ended)

    def _looked(self, task: Task, outcome: Any) -> tuple[str, str, float]:
        if isinstance(outcome, BaseException):
            raise ResultsError(f"no process can be started here ({said(outcome)}); see to the machine") from outcome
        self.device = outcome
        return "ok", "", 0.0

    def _sized(self, spec: Any) -> Callable[[Need, str, tuple[int, str]], tuple[str, str, float]]:
        def ended(need: Need, name: str, outcome: tuple[int, str]) -> tuple[str, str, float]:
            """A dataset has been read: cells that ask for more of it than there is have a fault."""
            size, _ = self.datasets[need] = outcome
            asked = {cell.data_size for cell in self.cells if _data(cell.target) == need and cell.data_size > size}
            for count in asked:
                problem = f"data_sizes: {counted(count, 'example')} asked, {name} has {size} to train on"
                self._faults[_examples(need, count)] = f"{problem}; ask for {size} or fewer"
            if asked:
                return "failed", self._faults[_examples(need, max(asked))], 0.0
            return "ok", "; ".join(dataset_cache.left_out(spec.name, spec.plugin, spec.options)), 0.0

        return ended

    def _fitted(self, need: Need) -> Callable[[Task, Any], tuple[str, str, float]]:
        def ended(task: Task, outcome: Any) -> tuple[str, str, float]:
            if not isinstance(outcome, str) or not outcome:
                return "ok", "", 0.0  # how a cell ends otherwise is its own to say
            self._faults[need] = f"approaches.{task.arguments[0].approach}.options: {outcome}"
            return "failed", self._faults[need], 0.0

        return ended


def _needs(cell: Cell) -> list[Need]:
    """All that a cell shares with others, in the order in which it is made."""
    target, recipe = _data(cell.target), cell.model.recipe
    data = [target, _examples(target, cell.data_size), *([_data(recipe.source)] if recipe else [])]
    return [*data, _setting(cell), _model(cell), *(need for need, _, _ in _spaces(cell))]


def _data(spec: Any) -> Need:
    return "dataset", spec.model_dump_json()


def _examples(target: Need, count: int) -> Need:
    return "examples", f"{count} of {target[1]}"


def _model(cell: Cell) -> Need:
    return "model", cell.model.model_dump_json()


def _setting(cell: Cell) -> Need:
    """An approach with its options, on a model, for a target."""
    return "options", repr((cell.model_name, cell.target.name, cell.approach))


def _spaces(cell: Cell) -> list[tuple[Need, str, dict[str, Any]]]:
    """The feature spaces a cell is scored in, with their options."""
    makes = plugins.find("families", cell.model.family).stated("OFFERS")
    asked = [options for _, options in cell.metrics if "space" in options]
    found = [
        (options["space"], {"weights": options["weights"]} if options.get("weights") else {})
        for options in asked
        if plugins.find("features", options["space"]).constants["MODALITY"] in makes
    ]
    return [(("feature space", repr(space)), *space) for space in found]


def _has_options(cell: Cell) -> bool:
    """Whether an approach has options that are not its defaults."""
    tuned = any("." in name for values in cell.tuning for name in values)
    return tuned or any(options != plugins.find("approaches", name).defaults for name, options in cell.chain)
