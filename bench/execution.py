"""What a worker process does: prepare what cells share, train one cell, measure one cell.

Runs in a fresh process per task, forked from a server that has imported the heavy libraries already.
"""

import errno
import time
import traceback
from collections.abc import Callable
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

import torch

from bench import dataset, environment, memory, plugins, pretrained, results, worker
from bench.cell import Cell, ModelSpec, Named
from bench.dataset import Dataset
from bench.errors import CellEnd, Diverged, NotApplicable, ResultsError
from bench.evaluation import Evaluation, Score, Training
from bench.training import accelerator, precision
from bench.transfer import Transfer, load, save

_KEPT_SAMPLES = 64


def describe_device(slot: int = 0) -> dict[str, Any]:
    """What cells will run on."""
    if not torch.cuda.is_available():
        return {"device": "cpu", "accelerator": None}
    properties = torch.cuda.get_device_properties(0)
    return {"device": "cuda", "accelerator": f"{properties.name} ({properties.total_memory / 2**30:.0f} GiB)"}


def prepare_dataset(spec: Named, slot: int) -> tuple[int, str]:
    """Make a dataset if it is not in the cache; its number of training items and its fingerprint."""
    data = dataset.load(spec.name, spec.options)
    return len(data.train), data.fingerprint


def prepare_model(spec: ModelSpec, threads: int, slot: int) -> None:
    """Pretrain or check a base model, so that cells find it in the cache."""
    _be_quiet(threads)
    pretrained.load(spec, worker.reporter(slot, pretrained.recipe_steps(spec)))


def prepare_features(name: str, options: dict[str, Any], threads: int, slot: int) -> None:
    """Make a feature space, so that cells find it in the cache."""
    _be_quiet(threads)
    plugins.find("features", name).load()(**options)


def train(cell: Cell, run: Path, slot: int) -> None:
    """Train and score a cell and write its record; whatever goes wrong is in the record too."""
    with _recorded(cell, run) as record:
        _be_quiet(cell.budget.threads)
        baseline = memory.resident()
        data = _target(cell)
        report = worker.reporter(slot, cell.budget.steps * len(cell.tuning))
        transfer, training, happened = _search(cell, data, run, report, baseline)
        record["happened"] |= happened
        evaluation = _evaluation(cell, transfer, training, baseline)
        scores, skipped = _score(cell, evaluation, exclusive=False)
        record["happened"] |= {"scores": scores, "skipped": skipped, "training": vars(training)}
        record["happened"]["measured"] = not _metrics(cell, evaluation, exclusive=True)
        _write_samples(evaluation, results.record_path(run, cell.id).with_suffix(""))


def measure(cell: Cell, run: Path, slot: int) -> None:
    """Add to a trained cell's record what is measured while nothing else runs."""
    record = results.read_json(results.record_path(run, cell.id))
    checkpoint = results.checkpoint_path(run, cell.id)
    with _recorded(cell, run, record) as record:
        _be_quiet(cell.budget.threads)
        baseline = memory.resident()
        transfer = _set_up(cell, record["happened"]["chosen"], _target(cell))
        if checkpoint.exists():
            load(transfer.stored(), checkpoint)
        evaluation = _evaluation(cell, transfer, Training(**record["happened"]["training"]), baseline)
        scores, skipped = _score(cell, evaluation, exclusive=True)
        record["happened"]["scores"] += scores
        record["happened"]["skipped"] |= skipped
        record["happened"]["measured"] = True


def blank_record(cell: Cell, run: str, status: str, reason: str) -> dict[str, Any]:
    """A record of a cell that has no scores."""
    happened = {"status": status, "reason": reason, "seconds": 0.0, "scores": [], "trials": [], "chosen": {}}
    return {"cell": cell.id, "asked": cell.asked(run), "happened": happened, "environment": environment.describe()}


@contextmanager
def _recorded(cell: Cell, run: Path, record: dict[str, Any] | None = None) -> Any:
    """Hand out the cell's record and write it at the end, however that comes."""
    started = time.perf_counter()
    record = record or blank_record(cell, run.name, "ok", "")
    happened = record["happened"]
    path = results.record_path(run, cell.id)
    try:
        yield record
    except CellEnd as end:
        happened |= {"status": end.status, "reason": str(end), "scores": []}
    except (torch.OutOfMemoryError, MemoryError) as error:
        happened |= {"status": "out_of_memory", "reason": _line(error), "scores": []}
    except ResultsError:
        raise
    except Exception as error:
        with results.clear_disk_errors(path):
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                raise
        happened |= {"status": "failed", "reason": _line(error), "scores": []}
        results.write_atomically(
            path.with_suffix("") / "traceback.txt", lambda partial: partial.write_text(traceback.format_exc())
        )
    record["environment"] |= describe_device() | {"precision": precision(cell.budget), "threads": cell.budget.threads}
    happened["seconds"] += time.perf_counter() - started
    results.write_json(path, record)


def _search(
    cell: Cell, data: Dataset, run: Path, report: Callable[[int], None], baseline: int
) -> tuple[Transfer, Training, dict[str, Any]]:
    """Train every point of the tuning grid; return the one that is best on validation, trained."""
    checkpoint = results.checkpoint_path(run, cell.id)
    checkpoint.parent.mkdir(parents=True, exist_ok=True)
    trials: list[dict[str, Any]] = []
    curves: list[dict[str, Any]] = []
    best: int | None = None
    device = accelerator(cell.budget).device
    training = Training(trials=len(cell.tuning))
    for index, values in enumerate(cell.tuning):
        transfer = None  # let go of the last trial before the next is loaded
        transfer = _set_up(cell, values, data)
        taken = sum(trial["steps"] for trial in trials)
        transfer.progress = partial(_after, report, taken)
        trial: dict[str, Any] = {"values": values, "status": "ok", "reason": "", "validation_loss": None}
        stored, trainable = transfer.stored(), sum(p.numel() for p in transfer.trainable())
        started = time.perf_counter()
        with memory.Peak(device, baseline) as peak:
            try:
                if transfer.steps:
                    transfer.fit(transfer.steps)
            except Diverged as end:
                trial |= {"status": end.status, "reason": str(end)}
        trial |= {"steps": transfer.taken, "seconds": time.perf_counter() - started}
        curves += [{"trial": index} | row for row in transfer.curve]
        losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
        trials.append(trial)
        if trial["status"] != "ok":
            continue
        trial["validation_loss"] = min(losses, default=None)
        if best is None or min(losses) < trials[best]["validation_loss"]:
            best = index
            save(stored, checkpoint)
            training.steps, training.seconds = trial["steps"], trial["seconds"] if trial["steps"] else 0.0
            training.trainable = trainable if trial["steps"] else 0
            training.peak_memory = {f"training_{name}": value for name, value in peak.measures.items()}
    _write_curve(curves, checkpoint.parent)
    if best is None:
        raise Diverged(f"all {len(trials)} trials diverged; the first: {trials[0]['reason']}")
    if best != len(trials) - 1:
        transfer = None
        transfer = _set_up(cell, cell.tuning[best], data)
        load(transfer.stored(), checkpoint)
    assert transfer is not None
    if not trials[best]["steps"]:
        checkpoint.unlink()
        training.trials = 0
    names = {name for name, _ in transfer.model.named_parameters()}
    training.stored = sum(t.numel() for n, t in transfer.stored().items() if n in names) if trials[best]["steps"] else 0
    training.total = sum(parameter.numel() for parameter in transfer.model.parameters())
    training.checkpoint_bytes = checkpoint.stat().st_size if checkpoint.exists() else 0
    training.tuning_seconds = sum(trial["seconds"] for trial in trials) if trials[best]["steps"] else 0.0
    return transfer, training, {"trials": trials, "chosen": cell.tuning[best]}


def _after(report: Callable[[int], None], before: int, taken: int) -> None:
    report(before + taken)


def _set_up(cell: Cell, values: dict[str, Any], data: Dataset) -> Transfer:
    """A transfer that is ready to fit: the pretrained model, changed by each approach of the chain in turn."""
    torch.manual_seed(cell.seed)
    device = accelerator(cell.budget).device
    model = pretrained.load(cell.model).to(device)
    budget = cell.budget.model_copy(update={name: value for name, value in values.items() if "." not in name})
    recipe = cell.model.recipe
    transfer = Transfer(
        model=model,
        data=data,
        source=dataset.load(recipe.source.name, recipe.source.options) if recipe else None,
        budget=budget,
        steps=budget.steps,
        seed=cell.seed,
        encode=lambda items: pretrained.encode(model, items),
    )
    for name, options in cell.chain:
        chosen = {key.partition(".")[2]: value for key, value in values.items() if key.startswith(f"{name}.")}
        plugins.find("approaches", name).load()(transfer, **options | chosen)
    transfer.model.to(device)
    return transfer


def _target(cell: Cell) -> Dataset:
    data = dataset.load(cell.target.name, cell.target.options)
    return data.subset(cell.data_size, cell.seed) if cell.data_size else data


def _evaluation(cell: Cell, transfer: Transfer, training: Training, baseline: int) -> Evaluation:
    transfer.model.eval()
    return Evaluation(
        model=transfer.model,
        data=transfer.data,
        encode=lambda split: transfer.encode(getattr(transfer.data, split)),
        samples_wanted=cell.evaluation.samples,
        batch_size=cell.evaluation.batch_size,
        seed=cell.seed,
        training=training,
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


def _score(cell: Cell, evaluation: Evaluation, *, exclusive: bool) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Scores of one stage, and why a metric gave none."""
    scores: list[Score] = []
    skipped: dict[str, str] = {}
    for plugin, options in _metrics(cell, evaluation, exclusive=exclusive):
        try:
            scores += plugin.load()(evaluation, **options)
        except NotApplicable as reason:
            skipped[plugin.name] = str(reason)
    return [vars(score) for score in scores], skipped


def _write_curve(rows: list[dict[str, Any]], folder: Path) -> None:
    columns = ("trial", "step", "train_loss", "validation_loss", "learning_rate", "seconds")
    lines = [",".join(columns)] + [",".join(str(row.get(name, "")) for name in columns) for row in rows]
    results.write_atomically(folder / "curve.csv", lambda partial: partial.write_text("\n".join(lines) + "\n"))


def _write_samples(evaluation: Evaluation, folder: Path) -> None:
    """The first samples beside the record: texts as JSON, images as one lossless grid, eight to a row."""
    samples = evaluation.samples[:_KEPT_SAMPLES]
    if isinstance(samples, list):
        results.write_json(folder / "samples.json", samples)
        return
    from PIL import Image

    count, height, width, channels = samples.shape
    rows = samples[: count - count % 8 or count].reshape(-1, min(8, count), height, width, channels)
    grid = rows.transpose(0, 2, 1, 3, 4).reshape(len(rows) * height, -1, channels)
    image = Image.fromarray(grid[..., 0] if channels == 1 else grid)
    results.write_atomically(folder / "samples.png", lambda partial: image.save(partial, optimize=True))


def _be_quiet(threads: int) -> None:
    """One setting of threads for every cell, and no bars of other libraries across ours."""
    import diffusers
    import transformers

    torch.set_num_threads(threads)
    transformers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.disable_progress_bar()
    for library in (transformers, diffusers):
        library.utils.logging.set_verbosity_error()
    with suppress(RuntimeError):
        torch.use_deterministic_algorithms(True, warn_only=True)


def _line(error: BaseException) -> str:
    """An exception as one line, with the place in our code it came through."""
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
