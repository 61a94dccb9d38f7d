"""One result file of PEFT's method comparison as a cell, as ``log_results`` of its ``utils.py`` writes it.

Three sections: ``run_info`` (what was asked), ``train_info`` (what happened) and ``meta_info`` (the environment). Older
files say ``cuda_memory_max`` for ``accelerator_memory_max`` and ``gpu`` for ``accelerator``, and have fewer entries.
"""

import csv
import io
import math
from typing import Any, NamedTuple

from bench.results.files import Damaged
from bench.results.imported import Cell
from bench.results.importing import _json, _sizes
from bench.results.schema import LARGEST
from bench.results.statuses import UNKNOWN
from bench.words import cut, shown

_SECTIONS = ("run_info", "train_info")
_NO_SIZE = 99999999
"""What PEFT writes as ``file_size`` where the checkpoint could not be saved."""
_GSM8K = 1319
"""Problems of GSM8K's test split (Cobbe et al. 2021), on the whole of which the text task is tested."""

_COSTS = {
    "training_seconds": ("s", ("train_time",)),
    "training_peak_reserved": ("bytes", ("accelerator_memory_max", "cuda_memory_max")),
    "training_mean_reserved": ("bytes", ("accelerator_memory_reserved_avg", "cuda_memory_reserved_avg")),
    "training_p99_reserved": ("bytes", ("accelerator_memory_reserved_99th", "cuda_memory_reserved_99th")),
    "checkpoint_bytes": ("bytes", ("file_size",)),
    "trainable_parameters": ("", ("num_trainable_params",)),
    "total_parameters": ("", ("num_total_params",)),
}
"""Ours, to its unit and PEFT's names in ``train_info``, newest first; all are the better the lower."""

_TESTED = {
    "test accuracy": ("accuracy", "", "higher"),
    "test dino_similarity": ("dino_similarity", "", "higher"),
    "forgetting": ("forgetting", "nats/token", "lower"),
    "drift": ("drift", "", "lower"),
    "train loss": ("train_loss", "", "none"),
    "step": ("training_steps", "", "none"),
    "train samples": ("training_examples", "", "none"),
    "train total tokens": ("training_tokens", "", "none"),
}
"""Entries of the last of ``metrics`` to ours, with unit and direction; of other entries the direction is not known."""

_COUNTED = ("train loss", "step", "train samples")
"""Those that both tasks have."""


class NoResult(Damaged):
    """JSON of another kind."""


class Task(NamedTuple):
    """What a file is about: the domain, what kind of model learned it, and which test entries belong to it."""

    target: str
    family: str
    modality: str
    tested: tuple[str, ...]


def cell(content: Any, stem: str, folder: str) -> Cell:
    """The cell of a file.

    Args:
        content: its JSON.
        stem: its name without ending, which speaks where the experiment has no name.
        folder: name of the task's folder, the target where the file names none.

    Raises:
        NoResult: where it is another kind of file.
    """
    if not isinstance(content, dict):
        raise NoResult("no result of PEFT's comparison: it holds no sections")
    if absent := [name for name in _SECTIONS if not isinstance(content.get(name), dict)]:
        raise NoResult(f"no result of PEFT's comparison: it has no {absent[0]}")
    run, trained, meta = content["run_info"], content["train_info"], _json.mapping(content, "meta_info")
    config = _json.mapping(run, "train_config")
    metrics = [one for one in _json.entries(trained, "metrics") if isinstance(one, dict)]
    test = next((one for one in reversed(metrics) if any(str(key).startswith("test ") for key in one)), {})
    task, doubts = _task(config, meta, folder), list[str]()

    def said(value: Any, what: str, instead: Any, kind: type) -> Any:
        if type(value) is kind:
            return value
        doubts.append(f"{stem}.json: {what} is not said; {instead} stands for it")
        return instead

    asked = {
        "model": said(config.get("model_id"), "the model", UNKNOWN, str),
        "family": task.family,
        "modality": task.modality,
        "target": task.target,
        "approach": run["experiment_name"] if _json.text(run.get("experiment_name")) else stem.replace("--", "/"),
        "seed": said(config.get("seed"), "the seed", 0, int),
        "definition": {"budget": _budget(config), "tuning": [], "evaluation": {}},
    }
    asked["options"] = _options(run, str(asked["approach"]), f"{stem}.json: peft_config", doubts)
    asked |= _sizes.entry(_data_size(config, test, task), asked["options"])
    asked["definition"]["train_config"] = _json.bounded(config, f"{stem}.json: train_config", doubts)
    status, reason = _end(run, trained, test)
    scores, skipped = _scores(trained, test, task, meta, config) if status == "ok" else ([], {})
    happened: dict[str, Any] = {"status": status, "reason": reason, "scores": scores, "skipped": skipped}
    happened |= {"trials": [], "chosen": {}, "seconds": _json.number(run.get("total_time")) or 0.0}
    curve = _curve(metrics)
    environment = _environment(run, meta, config) | ({"left_out": doubts} if doubts else {})
    return Cell(asked, happened, environment, {"curve.csv": curve} if curve else {})


def unranked(one: Cell) -> list[str]:
    """Test metrics whose better direction is not known."""
    known = {name for name, *_ in _TESTED.values()}
    return [
        score["metric"]
        for score in one.happened["scores"]
        if score["better"] == "none" and score["metric"] not in known
    ]


def created(one: Cell) -> str:
    """When it was run, in ISO; empty where that is not said."""
    return str(one.environment.get("created") or "")


def _task(config: dict[str, Any], meta: dict[str, Any], folder: str) -> Task:
    if "metamath" in _json.mapping(meta, "dataset_info") or "query_template" in config:
        return Task("MetaMathQA", "causal_lm", "text", ("test accuracy", "forgetting", *_COUNTED, "train total tokens"))
    target = _json.text(config.get("dataset_id")) or _json.text(config.get("dataset_name")) or folder
    if "instance_prompts" in config:
        return Task(target, "text_to_image", "captioned_image", ("test dino_similarity", "drift", *_COUNTED))
    return Task(target, "", "", ())


def _data_size(config: dict[str, Any], test: dict[str, Any], task: Task) -> int | None:
    """Different examples that were learned from, as far as the file says.

    The image task has a prompt for each image of its dataset, and sets some aside. The text task passes over its data
    once at most: as many as it took, or was asked to take. Of other tasks nothing is known.
    """
    if task.family == "text_to_image":
        prompts, held = config["instance_prompts"], [_json.count(config, name) for name in ("valid_size", "test_size")]
        if isinstance(prompts, list) and None not in held:
            return max(len(prompts) - sum(size or 0 for size in held), 0) or None
    if task.family == "causal_lm":
        asked = (_json.count(config, "max_steps") or 0) * (_json.count(config, "batch_size") or 0)
        return _json.count(test, "train samples") or asked or None
    return None


def _options(run: dict[str, Any], approach: str, what: str, doubts: list[str]) -> dict[str, Any]:
    """The method's name as PEFT has it, to what its config says that is not null; null is full fine-tuning."""
    config = run.get("peft_config", {})
    if config is None:
        return {"full_finetuning": {}}
    config = config if isinstance(config, dict) else {}
    name = _json.text(config.get("peft_type")) or approach.partition("/")[0]
    return {name.lower(): _json.bounded({key: one for key, one in config.items() if one is not None}, what, doubts)}


def _budget(config: dict[str, Any]) -> dict[str, Any]:
    settings = _json.mapping(config, "optimizer_kwargs")
    found = {
        "steps": config.get("max_steps"),
        "batch_size": config.get("batch_size"),
        "learning_rate": settings.get("lr"),
        "weight_decay": settings.get("weight_decay"),
        "optimizer": config.get("optimizer_type"),
        "schedule": config.get("lr_scheduler"),
    }
    return {name: value for name, value in found.items() if _json.number(value) is not None or _json.text(value)}


def _end(run: dict[str, Any], trained: dict[str, Any], test: dict[str, Any]) -> tuple[str, str]:
    """Status and reason. PEFT calls ``canceled`` whatever ended early: out of memory and errors too."""
    status, said = trained.get("status"), cut(" ".join(str(run.get("error_msg") or "").split()), 1000)
    if status == "success" or (status is None and test):
        return "ok", ""
    told = f"{status}: {said}" if said else f"its status is {shown(status)}, without a reason"
    return "out_of_memory" if "out of memory" in said.lower() else "failed", told


def _scores(
    trained: dict[str, Any], test: dict[str, Any], task: Task, meta: dict[str, Any], config: dict[str, Any]
) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """All that was measured, and what was not, with the reason."""
    scores: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}

    def take(name: str, value: Any, unit: str, better: str, n: int, error: float | None, least: float) -> None:
        if (number := _json.number(value)) is not None and number >= least:
            scores.append(
                {"metric": name, "value": number, "unit": unit, "better": better, "n": n, "error": error},
            )
        else:
            skipped[name] = "not in the file" if value is None else f"{shown(value)} in the file is no value of it"

    prompts = config.get("drift_image_prompts")
    drawn = len(prompts) if isinstance(prompts, list) else 0
    for key in dict.fromkeys((*task.tested, *test)):
        name, unit, better = _TESTED.get(key) or (key.removeprefix("test ").replace(" ", "_"), "", "none")
        counted = key in ("step", "train samples", "train total tokens")
        n, error = (1, None) if counted else (drawn, None) if key == "drift" else (0, None)
        if key == "test accuracy":
            n, error = _accuracy(test.get(key), meta)
        elif key == "test dino_similarity":
            n = _json.count(config, "test_size") or 0
        take(name, test.get(key), unit, better, n, error, 0 if counted else -LARGEST)
    for name, (unit, keys) in _COSTS.items():
        value = next((trained[key] for key in keys if trained.get(key) is not None), None)
        if name == "checkpoint_bytes" and value == _NO_SIZE:
            skipped[name] = f"{_NO_SIZE} in the file stands for a checkpoint that could not be saved"
        else:
            take(name, value, unit, "lower", 1, None, 0)
    return scores, skipped


def _accuracy(value: Any, meta: dict[str, Any]) -> tuple[int, float | None]:
    """How many problems an accuracy rests on, and its standard error; nothing unless it is a share of GSM8K's."""
    share = _json.number(value)
    if share is None or not 0 <= share <= 1 or "gsm8k" not in _json.mapping(meta, "dataset_info"):
        return 0, None
    right = share * _GSM8K
    return (_GSM8K, math.sqrt(share * (1 - share) / (_GSM8K - 1))) if abs(right - round(right)) < 1e-6 else (0, None)


def _curve(metrics: list[dict[str, Any]]) -> bytes:
    """``curve.csv`` of the validations: columns as of our own, and ``validation_…`` of what PEFT validates by."""
    rows = [one for one in metrics if any(str(key).startswith("valid ") for key in one) and "step" in one]
    valid = list(dict.fromkeys(key for one in rows for key in one if str(key).startswith("valid ")))
    if not rows:
        return b""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    names = [f"validation_{key.removeprefix('valid ').replace(' ', '_')}" for key in valid]
    writer.writerow(["trial", "step", "train_loss", "validation_loss", "seconds", *names])
    for one in rows:
        values = [
            _json.count(one, "step"),
            *(_json.number(one.get(key)) for key in ("train loss", "elapsed time", *valid)),
        ]
        step, loss, seconds, *validated = ["" if value is None else value for value in values]
        writer.writerow([0, step, loss, "", seconds, *validated])
    return text.getvalue().encode()


def _environment(run: dict[str, Any], meta: dict[str, Any], config: dict[str, Any]) -> dict[str, Any]:
    system, packages, data = (_json.mapping(meta, name) for name in ("system_info", "package_info", "dataset_info"))
    if "sha" in data:  # of the one dataset that the config names
        data = {_json.text(config.get("dataset_id")) or "dataset": data}
    versions = {key.removesuffix("-version"): value for key, value in packages.items() if key.endswith("-version")}
    kind = " ".join(filter(None, (_json.text(system.get("system")), _json.text(system.get("machine")))))
    machine = {"accelerator": _json.text(system.get("accelerator")) or _json.text(system.get("gpu")), "system": kind}
    found = {
        "machine": {name: value for name, value in machine.items() if value},
        "precision": _json.text(config.get("dtype")),
        "packages": {name: value for name, value in versions.items() if _json.text(value)},
        "commit": _json.text(packages.get("peft-commit-hash")),
        "datasets": {
            str(name): sha for name, one in data.items() if (sha := _json.text(_json.mapping(data, name).get("sha")))
        },
        "created": _json.text(run.get("created_at")),
        "branch": _json.text(run.get("peft_branch")),
        "model_revision": _json.text(_json.mapping(meta, "model_info").get("sha")),
    }
    return {name: value for name, value in found.items() if value}
