"""What a worker process does: prepare what cells share, train one cell, measure one cell.

Runs in a fresh process per task, forked from a server that has imported the heavy libraries already.
"""

import importlib
import math
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from logging import CRITICAL
from pathlib import Path
from typing import Any

import torch

from bench import dataset, plugins
from bench.device import out_of_memory, precision
from bench.errors import BenchError, CellEnd, DataError, NotApplicable, PluginError, ResultsError
from bench.evaluation import Evaluation, Score, Training
from bench.results import checks, columns, disk, files, items, runs, schema, weights
from bench.running import board, environment, exhibit
from bench.running.ends import said
from bench.running.export import writing
from bench.suite.cell import Cell, DatasetSpec, ModelSpec
from bench.training import intervals, memory, pretrained, tuning
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer, load


def describe_device() -> dict[str, Any]:
    """What cells will run on."""
    if not torch.cuda.is_available():
        return {"device": "cpu", "accelerator": None}
    properties = torch.cuda.get_device_properties(0)
    return {"device": "cuda", "accelerator": f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"}


def prepare_dataset(spec: DatasetSpec) -> tuple[int, str]:
    """Make a dataset if it is not in the cache; its number of training items and its fingerprint."""
    if spec.fault:  # even if it is there by now: the cells have no key of what it holds
        raise DataError(spec.fault)
    data = dataset.load(spec.plugin, spec.options)
    return len(data.train), data.fingerprint


def prepare_model(spec: ModelSpec, threads: int) -> None:
    """Pretrain or check a base model, so that cells find it in the cache."""
    plugins.find("families", spec.family).load()
    _be_quiet(threads)
    pretrained.load(spec, board.reporter(pretrained.recipe_steps(spec)))


def check_options(cell: Cell) -> str:
    """Set an approach up on its model with each value of its options: what is wrong with one, or nothing."""
    _be_quiet(cell.budget.threads)
    options = [{name: value for name, value in values.items() if "." in name} for values in cell.tuning]
    for index, values in enumerate(options):
        if values not in options[:index]:
            try:
                tuning.set_up(cell, values, dataset.load(cell.target.plugin, cell.target.options), trained=False)
            except PluginError as error:
                return str(error)
    return ""


def prepare_features(name: str, options: dict[str, Any], threads: int) -> None:
    """Make a feature space, so that cells find it in the cache."""
    _be_quiet(threads)
    plugins.find("features", name).load()(**options)


def train(cell: Cell, run: Path) -> None:
    """Train and score a cell and write its record; whatever goes wrong is in the record too."""
    unfinished = Unfinished(intervals.folder(run, cell.id), cell)
    with _recorded(cell, run, unfinished) as happened:
        baseline = _begin(cell)
        data = dataset.load(cell.target.plugin, cell.target.options)
        report = board.reporter((cell.budget.planned_steps or tuning.TICKS) * len(cell.tuning))
        found = tuning.search(cell, data, weights.path(run, cell.id), report, baseline, unfinished)
        _write_curve(found.curve, runs.record_path(run, cell.id).with_suffix(""))
        evaluation = _evaluation(cell, found.transfer, found.training, baseline)
        scores, skipped, each = _score(cell, evaluation, exclusive=False)
        items.write(runs.items_path(run, cell.id), each)
        happened |= {"trials": [vars(trial) for trial in found.trials], "chosen": found.chosen}
        happened |= {"scores": scores, "skipped": skipped, "training": vars(found.training)}
        happened["measured"] = not _metrics(cell, evaluation, exclusive=True)
        exhibit.write(evaluation, runs.record_path(run, cell.id).with_suffix(""))
    unfinished.remove()


def measure(cell: Cell, run: Path) -> None:
    """Add to a trained cell's record what is measured while nothing else runs; what is in it stays."""
    path, checkpoint = runs.record_path(run, cell.id), weights.path(run, cell.id)
    whole = files.read_json(path)
    happened, started = whole["happened"], time.perf_counter()
    try:
        baseline = _begin(cell)
        transfer = tuning.set_up(cell, happened["chosen"], dataset.load(cell.target.plugin, cell.target.options))
        if checkpoint.exists():
            load(transfer.stored(), checkpoint)
        evaluation = _evaluation(cell, transfer, Training(**happened["training"]), baseline)
        evaluation.encode("test")  # before the memory of inference is measured, and that of a teacher is given back
        del transfer
        memory.release()
        scores, skipped, each = _score(cell, evaluation, exclusive=True)
        items.add(runs.items_path(run, cell.id), each)
        happened["scores"] += scores
        happened["skipped"] |= skipped
    except Exception as error:
        happened["skipped"]["measurement"] = ": ".join(_end(error, path))
    happened["measured"] = True
    happened["seconds"] += time.perf_counter() - started
    files.write_json(path, whole)


def export(cell: Cell, chosen: dict[str, Any], stored: Path, into: Path, merged: bool, known: str) -> dict[str, Any]:
    """Write a trained cell so that others' libraries load it (:func:`bench.running.export.writing.write`)."""
    _be_quiet(cell.budget.threads)
    return writing.write(cell, chosen, stored, into, merged, known)


def _begin(cell: Cell) -> int:
    """Import all that the cell uses; the resident set then, before any model is loaded, in bytes."""
    used = [("families", cell.model.family)]
    used += [("approaches", name) for name, _ in cell.chain] + [("metrics", name) for name, _ in cell.metrics]
    for kind, name in used:
        plugins.find(kind, name).load()
    for name, options in cell.metrics:  # what a metric needs is there before anything trains
        if "fetch" in (plugin := plugins.find("metrics", name)).functions:
            importlib.import_module(plugin.module).fetch(**options)
    _be_quiet(cell.budget.threads)
    return memory.resident()


@contextmanager
def _recorded(cell: Cell, run: Path, unfinished: Unfinished) -> Iterator[dict[str, Any]]:
    """Hand out what happens to the cell and write it into its record at the end, however that comes."""
    started = time.perf_counter()
    happened: dict[str, Any] = {"status": "ok", "reason": "", "scores": [], "trials": [], "chosen": {}}
    path = runs.record_path(run, cell.id)
    try:
        yield happened
    except Exception as error:
        status, reason = _end(error, path)
        happened |= {"status": status, "reason": reason, "scores": []}
    happened["seconds"] = time.perf_counter() - started + unfinished.seconds
    if unfinished.notes:
        happened["resumed"] = unfinished.notes
    found = environment.describe() | describe_device()
    found |= {"precision": precision(cell.budget), "threads": cell.budget.threads} | _domains(cell)
    asked = cell.asked(run.name)
    files.write_json(path, {"cell": cell.id, "asked": asked, "happened": happened, "environment": found})


def _domains(cell: Cell) -> dict[str, Any]:
    """What the cell's domains held, the target and the source where it is known, and what of them was left out."""
    held = {name: dataset.load(spec.plugin, spec.options) for name, spec in cell.domains().items()}
    damaged = {name: data.skipped for name, data in held.items() if data.skipped}
    told = [line for name, data in held.items() for line in data.left_out(name)]
    return (
        {"datasets": {name: data.fingerprint for name, data in held.items()}}
        | ({"damaged_items": damaged} if damaged else {})
        | ({"left_out": told} if told else {})
    )


def _end(error: Exception, path: Path) -> tuple[str, str]:
    """Status and reason; the traceback of what we did not foresee lies beside the record.

    A full disk is not the cell's end but the run's: :class:`ResultsError`.
    """
    if isinstance(error, ResultsError) or disk.is_full(error):
        with disk.clear_errors(path):
            raise error
    if isinstance(error, CellEnd):
        return error.status, str(error)
    if isinstance(error, BenchError):
        return "failed", str(error)
    if out_of_memory(error):
        return "out_of_memory", said(error)
    lines = "".join(traceback.format_exception(error))
    files.write_atomically(path.with_suffix("") / "traceback.txt", lambda partial: partial.write_text(lines))
    return "failed", said(error)


def _evaluation(cell: Cell, transfer: Transfer, training: Training, baseline: int) -> Evaluation:
    model, data = transfer.model.eval(), transfer.data
    return Evaluation(
        model=model,
        data=data,
        encode=lambda split: pretrained.encode(model, getattr(data, split)),
        samples_wanted=transfer.samples,
        stands_for=transfer.stands_for,
        batch_size=cell.evaluation.batch_size,
        seed=cell.seed,
        training=training,
        budget=cell.budget,
        baseline_memory=baseline,
    )


def _metrics(cell: Cell, evaluation: Evaluation, *, exclusive: bool) -> list[tuple[plugins.Plugin, dict[str, Any]]]:
    """The cell's metrics of one stage that the model, as it now is, can be asked for."""
    found = [(plugins.find("metrics", name), options) for name, options in cell.metrics]
    return [
        (plugin, options)
        for plugin, options in found
        if plugin.constants.get("EXCLUSIVE", False) == exclusive
        and evaluation.model.offers >= set(plugin.constants.get("NEEDS", ()))
    ]


def _score(
    cell: Cell, evaluation: Evaluation, *, exclusive: bool
) -> tuple[list[dict[str, Any]], dict[str, str], items.Scores]:
    """Scores of one stage, why a metric gave none, and what test items add to them.

    Nothing of the latter where the floor is found on a part of the test split, whose items have other numbers.
    """
    scores: list[Score] = []
    each: items.Scores = {}
    skipped: dict[str, str] = {}
    for plugin, options in _metrics(cell, evaluation, exclusive=exclusive):
        try:
            found = list(plugin.load()(evaluation, **options))
        except NotApplicable as reason:
            found, skipped[plugin.name] = reason.scores, str(reason)
        for index, score in enumerate(found):
            if isinstance(score.value, float) and not abs(score.value) <= schema.LARGEST:  # which no table holds
                skipped[score.metric] = f"its value is {score.value}"
                found[index] = replace(score, value=math.nan)
        try:
            checks.check_scores(files.plain([_described(score) for score in (*scores, *found)]))
            for score in found if not evaluation.stands_for else ():
                if score.items is not None and math.isfinite(score.value):
                    each[score.metric] = items.checked(score.items, score.metric, len(evaluation.data.test))
        except files.Damaged as reason:
            raise PluginError(f"metric {plugin.name}: no score can be like that ({reason}); mend it") from reason
        scores += found
    return [_described(score) for score in scores], skipped, each


def _described(score: Score) -> dict[str, Any]:
    """What a record says of a score."""
    return {name: value for name, value in vars(score).items() if name != "items"}


def _write_curve(rows: list[dict[str, Any]], folder: Path) -> None:
    lines = [",".join(columns.CURVES), *(",".join(str(row.get(name, "")) for name in columns.CURVES) for row in rows)]
    files.write_atomically(folder / "curve.csv", lambda partial: partial.write_text("\n".join(lines) + "\n"))


def _be_quiet(threads: int) -> None:
    """One setting of threads for every cell, and no bars of other libraries across ours."""
    torch.set_num_threads(threads)
    for name in {"transformers", "diffusers"} & set(sys.modules):  # a family has imported what it needs
        logging = sys.modules[name].utils.logging
        logging.disable_progress_bar()
        logging.set_verbosity(CRITICAL)  # of an error the exception that follows says enough
    with suppress(RuntimeError):
        torch.use_deterministic_algorithms(True, warn_only=True)
