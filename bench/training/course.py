"""The trials of a cell that are over, and how they are kept until the cell has ended."""

import math
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.dataset import Dataset
from bench.evaluation import Training
from bench.suite.cell import Cell
from bench.training import intervals
from bench.training.unfinished import Unfinished


@dataclass
class Trial:
    """One point of the grid, and what became of it.

    Attributes:
        values: the point.
        status, reason: how it ended.
        validation_loss: of the weights it ended with.
        steps, seconds: what it took.
        peak_memory: name of a measure (``"peak_rss"`` …) to bytes, of this trial alone.
    """

    values: dict[str, Any]
    status: str = "ok"
    reason: str = ""
    validation_loss: float | None = None
    steps: int = 0
    seconds: float = 0.0
    peak_memory: dict[str, int] = field(default_factory=dict)


class Course:
    """What is known of a cell's trials so far; that of a process that was killed, where it kept it.

    Attributes:
        trials, curve: of those that are over, in order.
        best: one of them.
        training: what it took.
        changed: whether its weights are others than the loop kept.
        lowest: its validation loss; infinite where there is none.
    """

    def __init__(self, cell: Cell, checkpoint: Path, unfinished: Unfinished) -> None:
        self.unfinished, self.checkpoint = unfinished, checkpoint
        self.trials, self.curve = list[Trial](), list[dict[str, Any]]()
        self.best: Trial | None = None
        self.training, self.changed = Training(trials=len(cell.tuning)), False
        self._chosen: Dataset | None = None  # to learn from, by the best trial's approach itself
        self._chose = False  # whether it did, in a process before
        self._kept, self._last = 0, time.perf_counter()
        if kept := unfinished.trials(checkpoint):
            self.trials += [Trial(**trial) for trial in kept["trials"]]
            self.curve += kept["curve"]
            self.best = None if kept["best"] is None else self.trials[kept["best"]]
            self.training, self.changed = Training(**kept["training"]), kept["changed"]
            self._kept, self._chose = len(self.trials), kept["learned"]
            unfinished.note(f"{self._kept} of {len(cell.tuning)} trials were over before, and are not trained again")

    @property
    def lowest(self) -> float:
        return math.inf if self.best is None or self.best.validation_loss is None else self.best.validation_loss

    def improve(self, trial: Trial, chosen: Dataset | None, *, changed: bool) -> None:
        """A trial is the best so far; its approach may have chosen itself which data it learned from."""
        self.best, self.changed, self._chosen, self._chose = trial, changed, chosen, False

    def end(self) -> None:
        """A trial is over; it is kept where that is worth it."""
        if self.unfinished.numbers() or time.perf_counter() - self._last >= intervals.seconds():
            self.keep()

    def keep(self) -> None:
        """Keep the trials that are over, as far as this has not been done."""
        if self._kept == len(self.trials):
            return
        best = None if self.best is None else self.trials.index(self.best)
        kept = {
            "trials": [vars(trial) for trial in self.trials], "curve": self.curve, "best": best,
            "training": vars(self.training), "changed": self.changed,
            "weights": self.unfinished.weights(self.checkpoint), "learned": self._chose or self._chosen is not None,
        }  # fmt: skip
        self.unfinished.keep_trials(kept, self._chosen)
        self._kept, self._last = len(self.trials), time.perf_counter()

    def learned_from(self, data: Dataset) -> Dataset:
        """The data that the best trial learned from, where it was set up with ``data``."""
        if self._chose and self.best:
            return self.unfinished.learned(self.trials.index(self.best), data)
        return self._chosen or data
