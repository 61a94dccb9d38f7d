"""Train every point of a cell's tuning grid, and keep the trial that is best on validation."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench import plugins
from bench.dataset import Dataset, Items
from bench.device import accelerator, precision
from bench.errors import DataError, Diverged, PluginError
from bench.evaluation import Training
from bench.model import Batch
from bench.pauses import Pauses
from bench.results import files
from bench.suite.cell import Cell
from bench.training import intervals, loop, memory, pretrained, quality, throughput, validation
from bench.training.course import Course, Trial
from bench.training.resuming import CannotGoOn, Keeper, together
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer, load, save

TICKS = 100
"""What progress is told in where the clock says how many steps a trial takes."""

_CALIBRATION = 8  # steps, at least, of the first of two runs that tell how long one takes


@dataclass
class Search:
    """The outcome of :func:`search`.

    Attributes:
        transfer: the best trial's, trained.
        training: what it took.
        trials: of the whole grid, in order; empty for an approach that trains nothing.
        chosen: the best trial's values.
        curve: rows of all trials' training curves, each with its ``trial``.
    """

    transfer: Transfer
    training: Training
    trials: list[Trial] = field(default_factory=list)
    chosen: dict[str, Any] = field(default_factory=dict)
    curve: list[dict[str, Any]] = field(default_factory=list)


def set_up(
    cell: Cell, values: dict[str, Any], data: Dataset, steps: int | None = None, *, trained: bool = True
) -> Transfer:
    """A transfer that is ready to fit: the pretrained model, changed by each approach of the chain in turn.

    Args:
        cell: what is asked.
        values: the trial's, of budget fields and of ``approach.option``.
        data: the target; what this cell may learn from is taken of it here.
        steps: where the budget does not say.
        trained: whether the model must have been pretrained; what does not depend on its weights can do without.
    """
    torch.manual_seed(cell.seed)
    device = accelerator(cell.budget).device
    model = pretrained.load(cell.model, trained=trained).to(device)
    if fault := model.misfit(data):
        raise DataError(f"dataset {data.name}: {fault}")
    data = quality.degraded(data, cell.data_quality, cell.seed)
    budget = cell.budget.model_copy(update={name: value for name, value in values.items() if "." not in name})
    transfer = Transfer(
        model=model,
        data=data.subset(cell.data_size, cell.seed) if cell.data_size else data,
        source=pretrained.source(cell.model),
        pool=data.train,
        budget=budget,
        steps=steps or budget.planned_steps or 0,
        seed=cell.seed,
        samples=cell.evaluation.samples,
        encode=(encoder := _Encoder()),
        loop=loop,
    )
    encoder.transfer = transfer
    for name, options in cell.chain:
        chosen = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        plugins.find("approaches", name).load()(transfer, **options | chosen)
    transfer.model.to(device)
    del model
    memory.release()
    return transfer


def affordable(cell: Cell, values: dict[str, Any], data: Dataset) -> int | None:
    """How many steps of a trial fit into a budget of seconds (on this machine) or of examples; None for one of steps.

    The trial is run on a small scale first, with all that the approach does, and forgotten: after a warm-up with so
    many steps that all validations are taken, and with twice as many, which tells what a step takes and what the rest.
    """
    within = cell.budget.seconds or cell.budget.examples
    if within is None:
        return None
    few = max(_CALIBRATION, cell.budget.validations)
    spent: list[float] = []
    for steps in (few, few, 2 * few):
        transfer = set_up(cell, values, data, steps)
        if transfer.steps == 0:
            return None
        trial = _fit(transfer, values)
        spent.append(trial.seconds if cell.budget.seconds else transfer.examples)
        del transfer
        memory.release()
    each = max((spent[2] - spent[1]) / few, spent[2] / (200 * few))  # should the clock say that more steps take less
    return max(1, int((within - (spent[2] - each * 2 * few)) / each))


class _Encoder:
    """Items to encoded rows, read from the cache once for each model: an approach may replace the first.

    Attributes:
        transfer: whose model encodes.
        known: pairs of items, which are kept so that no other gets their identity, and their rows.
    """

    transfer: Transfer

    def __init__(self) -> None:
        self.known = dict[tuple[int, str], tuple[Items, Batch]]()

    def __call__(self, items: Items) -> Batch:
        key = id(items), repr(self.transfer.model.encoding())
        if key not in self.known:
            self.known[key] = items, pretrained.encode(self.transfer.model, items)
        return self.known[key][1]


def search(
    cell: Cell,
    data: Dataset,
    checkpoint: Path,
    report: Callable[[int], None],
    baseline: int,
    unfinished: Unfinished,
) -> Search:
    """Train the grid; :class:`bench.errors.Diverged` where no trial reaches its end.

    Args:
        cell: what is asked.
        data: the target; what this cell may learn from is taken of it.
        checkpoint: file for what the best trial adds to the pretrained model.
        report: is told the steps taken so far, over all trials.
        baseline: resident memory of this process before any model was loaded, in bytes.
        unfinished: what is kept for the case that this process is killed, and was by one that was.
    """
    course = Course(cell, checkpoint, unfinished)
    training, trials, curve = course.training, course.trials, course.curve
    transfer: Transfer | None = None
    for index, values in enumerate(cell.tuning):
        if index < len(trials):
            continue
        while True:
            if transfer is not None:
                transfer = stored = keeper = None  # let go of the last trial before the next is loaded
                memory.release()
            keeper = Keeper(unfinished, index, interval=intervals.seconds(), share=intervals.share())
            transfer = _begun(cell, values, data, keeper)
            if transfer.steps == 0:
                return Search(transfer, Training(total=_total(transfer)))
            transfer.progress = partial(_report, report, index, cell.budget.planned_steps or TICKS, transfer.steps)
            stored, trainable = transfer.stored(), _size(transfer.trainable())
            keeper.before_first = course.keep
            with memory.Peak(accelerator(cell.budget).device, baseline) as peak:
                keeper.look = peak.so_far
                try:
                    trial = _fit(transfer, values, keeper.seconds)
                    break
                except CannotGoOn as reason:
                    unfinished.discard(reason.number, str(reason))
        trial.peak_memory = together(keeper.memory, peak.measures)
        trials.append(trial)
        curve += [{"trial": index} | row for row in transfer.curve]
        if trial.validation_loss is not None and trial.validation_loss < course.lowest:
            course.improve(trial, keeper.own_choice, changed=transfer.changed)
            checkpoint.parent.mkdir(parents=True, exist_ok=True)
            files.write_atomically(checkpoint, partial(save, transfer.of_now(stored)))
            training.steps, training.seconds, training.trainable = trial.steps, trial.seconds, trainable
            training.stages, training.examples, training.looked = transfer.spent, transfer.examples, transfer.looked
            training.step_seconds = throughput.step_seconds(transfer.curve)
        course.end()
    if (best := course.best) is None:
        more = f"all {len(trials)} trials diverged; the first: " if len(trials) > 1 else ""
        raise Diverged(f"{more}{trials[0].reason}")
    if course.changed or best is not trials[-1] or transfer is None:
        transfer = stored = keeper = None
        memory.release()
        transfer = set_up(cell, best.values, data)
        load(transfer.stored(), checkpoint)
        transfer.data = course.learned_from(transfer.data)
        if course.changed:
            _check_kept(transfer, best, cell)
    assert transfer is not None
    training.tuning_seconds = sum(trial.seconds for trial in trials)
    training.peak_memory = {f"training_{name}": size for name, size in best.peak_memory.items()} | {
        f"tuning_{name}": max(trial.peak_memory[name] for trial in trials) for name in best.peak_memory
    }
    _complete(training, transfer, cell, checkpoint)
    return Search(transfer, training, trials, best.values, curve)


def _begun(cell: Cell, values: dict[str, Any], data: Dataset, keeper: Keeper) -> Transfer:
    """A trial that is set up; of one that goes on it is known how many steps it has."""
    steps = keeper.newest["affordable"] if keeper.newest else affordable(cell, values, data)
    transfer = set_up(cell, values, data, steps)
    keeper.about["affordable"] = steps
    transfer.pauses = keeper.use(transfer.encode)
    return transfer


def _fit(transfer: Transfer, values: dict[str, Any], before: float = 0.0) -> Trial:
    """Train one trial to its end, whichever that is; it has taken ``before`` seconds already."""
    trial, started = Trial(values), time.perf_counter() - before
    transfer.deadline = started + (transfer.budget.seconds or math.inf)
    try:
        transfer.run()
        trial.validation_loss = transfer.validation_loss
    except Diverged as end:
        trial.status, trial.reason = end.status, str(end)
    trial.steps, trial.seconds = transfer.taken, time.perf_counter() - started
    transfer.pauses = Pauses()
    return trial


def _check_kept(transfer: Transfer, trial: Trial, cell: Cell) -> None:
    """Weights that changed after training are what was validated also when they come back from the checkpoint."""
    loss, _ = validation.settle(transfer)
    if not math.isclose(loss, trial.validation_loss or 0.0, rel_tol=1e-3, abs_tol=1e-6):
        raise PluginError(
            f"approach {cell.approach}: what it changed after training is not kept (the validation loss was "
            f"{trial.validation_loss:.6g}, and is {loss:.6g} once the weights are loaded again); change weights that "
            "train or that it added, and nothing else"
        )


def _complete(training: Training, transfer: Transfer, cell: Cell, checkpoint: Path) -> None:
    """Fill in what can be said of the chosen trial once the search is over."""
    parameters = {name for name, _ in transfer.model.named_parameters()}
    training.stored = _size(tensor for name, tensor in transfer.stored().items() if name in parameters)
    training.total = _total(transfer)
    training.checkpoint_bytes = checkpoint.stat().st_size
    training.step_flops = throughput.step_flops(transfer)
    if torch.cuda.is_available() and precision(cell.budget) != "fp32" and training.step_seconds:
        peak = throughput.peak_flops(torch.cuda.get_device_name())
        training.mfu = throughput.mfu(training.step_flops, training.step_seconds, peak) if peak else None


def _report(report: Callable[[int], None], trial: int, scale: int, steps: int, taken: int) -> None:
    report(round((trial + taken / steps) * scale))


def _total(transfer: Transfer) -> int:
    return sum(_size(network.parameters()) for network in (transfer.model, *transfer.beside))


def _size(tensors: Any) -> int:
    return sum(tensor.numel() for tensor in tensors)
