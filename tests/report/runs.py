"""A finished run as the runner leaves it, with plausible numbers, odd texts and cells that ended badly."""

import csv
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from bench.report.aggregate import REAL
from bench.results import files, runs, tidy

SIZES, SEEDS = (50, 200, 800), (0, 1, 2)
PRIMARY = {"text": "bits_per_byte", "image": "kid[digit_classifier]"}
MODELS = {
    "tiny_gpt2": ("causal_lm", "text", "python_docstrings", "python_reference"),
    "tiny_unet": ("diffusion", "image", "glyphs", "handwritten_digits"),
}
# name: (its parts, quality at the smallest size, gain per doubling of the data, training seconds, stored parameters)
APPROACHES: dict[str, tuple[dict[str, Any], float, float, float, int]] = {
    "zero_shot": ({"zero_shot": {}}, 0.60, 0.0, 0.0, 0),
    "from_scratch": ({"from_scratch": {}}, 1.25, 0.09, 21.0, 2_214_000),
    "real_data": ({"real_data": {}}, 0.0, 0.0, 0.0, 0),
    "training_data": ({"training_data": {}}, 0.1, 0.0, 0.0, 0),
    "full_finetuning": ({"full_finetuning": {}}, 0.36, 0.05, 22.0, 2_214_000),
    "feature_extraction": ({"feature_extraction": {}}, 0.52, 0.02, 11.0, 524_288),
    "gradual_unfreezing": ({"gradual_unfreezing": {}}, 0.37, 0.048, 18.0, 2_214_000),
    "lora": ({"lora": {"rank": 8}}, 0.42, 0.035, 17.0, 18_432),
    "lora_r64": ({"lora": {"rank": 64}}, 0.38, 0.045, 19.0, 147_456),
    "distillation": ({"distillation": {}}, 0.75, 0.05, 34.0, 703_000),
    "lora + augmentation": ({"augmentation": {"flip": 0.0}, "lora": {"rank": 8}}, 0.40, 0.035, 20.0, 18_432),
    "soft_prompts": ({"soft_prompts": {}}, 0.50, 0.02, 12.0, 2_560),
}
TEXTS = (
    "The `with` statement is used to wrap the execution of a block with methods defined by a context manager. " * 3,
    "<script>alert('escaped?')</script> & <b>bold</b> \N{RIGHT-TO-LEFT OVERRIDE}gnitirw desrever",
    "Emoji 🐍 → 漢字 and a lone surrogate \ud800, a bell \x07, a null \x00\nnew line\n\n\tan indented line",
)
RATES = (0.0003, 0.001, 0.003)
NO_FID = "fid[digit_classifier] needs more than 64 samples and test items; there are 60 and 61"
_FIELDS = ("trial", "step", "train_loss", "validation_loss", "learning_rate", "seconds")


def make_run(
    folder: Path,
    *,
    suite: str = "quickstart",
    seeds: tuple[int, ...] = SEEDS,
    sizes: tuple[int, ...] = SIZES,
    models: dict[str, tuple[str, str, str, str]] = MODELS,
    extra_metrics: int = 0,
    beside: bool = True,
) -> Path:
    """Write ``folder/<suite>/20251121-032300`` and return it; ``beside`` adds curves and samples."""
    run, cells = folder / suite / "20251121-032300", []
    for model in models:
        for approach, (parts, *_) in APPROACHES.items():
            for size in (0,) if {"zero_shot", *REAL} & set(parts) else sizes:
                for seed in seeds:
                    record = _record(suite, run.name, model, models[model], approach, size, seed, extra_metrics)
                    cells.append(record["cell"])
                    files.write_json(runs.record_path(run, record["cell"]), record)
                    if beside and record["happened"]["status"] == "ok":
                        _files(run / "cells" / record["cell"], record)
    files.write_json(run / "run.json", _description(suite, run.name, cells, sizes, seeds))
    tidy.write(run, runs.records(run))
    return run


def _record(
    suite: str, run: str, name: str, model: tuple[str, ...], approach: str, size: int, seed: int, extra: int
) -> dict[str, Any]:
    family, modality, source, target = model
    parts = APPROACHES[approach][0]
    cell = f"{name}-{target}-{'+'.join(parts)}-{approach.count('64')}-n{size}-s{seed}-{abs(seed) + size:016x}"
    tuning = [{}] if size == 0 else [{"learning_rate": rate} for rate in RATES]
    status, reason = _end(approach, modality, size, seed)
    scores = _scores(approach, modality, size, seed, extra) if status == "ok" else []
    skipped = {"fidelity": NO_FID} if approach == "real_data" and modality == "image" else {}
    trials = [
        {
            "values": values,
            "status": "ok",
            "reason": "",
            "validation_loss": 1.0 + 0.1 * index,
            "steps": 200,
            "seconds": 4.0,
        }
        for index, values in enumerate(tuning)
    ]
    if size and approach == "full_finetuning":
        trials[2] |= {"status": "diverged", "reason": "loss is NaN at step 17", "validation_loss": math.nan}
    definition = {
        "budget": {"steps": 200, "batch_size": 16, "warmup": 0.1, "decay": "cosine", "clip": 1.0, "time_limit": 600.0},
        "tuning": tuning,
        "metrics": [["perplexity", {}]],
        "evaluation": {"samples": 128, "batch_size": 32},
    }
    if approach == "real_data":
        definition["code"] = {"real_data": "1"}
    return {
        "cell": cell,
        "asked": {
            "suite": suite, "run": run, "model": name, "family": family, "modality": modality, "source": source,
            "target": target, "approach": approach, "options": parts, "data_size": size, "seed": seed,
            "control": bool({"zero_shot", "from_scratch", *REAL} & set(parts)), "key": cell[-16:],
            "definition": definition,
        },
        "happened": {
            "status": status, "reason": reason, "seconds": 14.2, "scores": scores, "skipped": skipped,
            "trials": trials if status == "ok" and size else [],
            "chosen": tuning[(seed + size) % 2] if status == "ok" and size else {},
        },
        "environment": ENVIRONMENT,
    }  # fmt: skip


ENVIRONMENT: dict[str, Any] = {
    "machine": {"processor": "Example CPU @ 2.4 GHz", "cores": 2, "memory_gib": 7.8, "accelerator": ""},
    "python": "3.11.7",
    "packages": {"torch": "2.9.0", "transformers": "4.57.1", "diffusers": "0.35.2", "peft": "0.18.0", "numpy": "2.4.6"},
    "device": "cpu",
    "precision": "fp32",
    "threads": 1,
    "commit": "0123456789abcdef0123456789abcdef01234567",
    "datasets": {"python_reference": "5f3a9c0e1b2d4f68", "handwritten_digits": "77aa01c4e9d2b350"},
    "notes": {"hint": "<i>escaped</i>"},
}


def _end(approach: str, modality: str, size: int, seed: int) -> tuple[str, str]:
    if approach == "soft_prompts" and modality == "image":
        return "not_applicable", "soft_prompts needs text; diffusion has none"
    if approach == "distillation" and size == SIZES[-1] and modality == "text":
        return "out_of_memory", "one example at a time does not fit: 7.9 GiB asked, 7.8 GiB there"
    if approach == "lora_r64" and size == SIZES[0] and seed == 2:
        return "diverged", "loss is NaN at step 17 in each of 3 trials"
    if approach == "feature_extraction" and size == SIZES[0] and modality == "image":
        return "failed", "RuntimeError: shape '[16, 1]' is invalid for input of size 15 <oops>"
    return "ok", ""


def _scores(approach: str, modality: str, size: int, seed: int, extra: int) -> list[dict[str, Any]]:
    _, start, gain, seconds, stored = APPROACHES[approach]
    shared = np.random.default_rng([seed, size, len(modality)])  # what a subset does to every approach alike
    own = np.random.default_rng([seed, size, *approach.encode(), *modality.encode()])
    quality = max(0.02, start - gain * math.log2(max(size, SIZES[0]) / SIZES[0])) if approach != "real_data" else 0.0
    quality = quality * (1 + 0.02 * shared.normal()) + 0.006 * own.normal()
    scores = []

    def score(metric: str, value: float, unit: str = "", better: str = "lower", n: int = 512) -> None:
        scores.append({"metric": metric, "value": float(value), "unit": unit, "better": better, "n": n, "error": None})

    if modality == "text" and approach not in REAL:
        score("bits_per_byte", 1.9 + quality, "bits/byte", n=412)
        score("perplexity", 2 ** (4.2 * (1.9 + quality) / 1.4), n=412)
    if modality == "text":
        score("distinct_2", 0.8 - 0.2 * quality, better="higher", n=128)
        score("self_bleu", 20 + 9 * quality + own.normal(), n=128)
    else:
        score("kid[digit_classifier]", quality if approach != "real_data" else 0.0004 * own.normal(), n=512)
        if approach != "real_data":
            score("fid[digit_classifier]", 12 + 90 * quality, n=512)
        score("precision[digit_classifier]", 0.95 - 0.4 * quality, better="higher", n=512)
        score("recall[digit_classifier]", 0.9 - 0.6 * quality, better="higher", n=512)
    for index in range(extra):
        score(f"extra_{index}", quality + index, n=64)
    if approach in REAL:
        return scores
    slow = 1 + 0.05 * own.normal()
    score("training_seconds", seconds * slow, "s", n=1)
    score("tuning_seconds", 3 * seconds * slow, "s", n=3)
    peak = 4.1e8 + 5e7 * own.random()
    score("training_peak_rss", peak, "bytes", n=1)
    score("tuning_peak_rss", 2 * peak, "bytes", n=1)
    score("trainable_parameters", stored, n=1)
    score("stored_parameters", stored, n=1)
    score("checkpoint_bytes", 4 * stored, "bytes", n=1)
    score("trials", 3 if stored else 0, better="none", n=1)
    score("latency_p50[batch=1]", 9.1 + own.random(), "ms", n=50)
    score("latency_p95[batch=1]", 11.4 + own.random(), "ms", n=50)
    score("throughput[batch=32]", 812 + 30 * own.normal(), "samples/s", "higher", n=50)
    return scores


def _files(folder: Path, record: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    asked, seed = record["asked"], record["asked"]["seed"]
    if asked["data_size"]:
        start = APPROACHES[asked["approach"]][1]
        with (folder / "curve.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(_FIELDS)
            for trial in range(len(RATES)):
                for step in range(0, 201, 10):
                    loss = (
                        2
                        + start
                        + math.exp(-step / (40 + 20 * trial))
                        + 0.02 * seed
                        + (step / 200) ** 2 * 10 / asked["data_size"]
                    )
                    writer.writerow(
                        [trial, step, "" if step == 0 else loss - 0.1, "" if step % 40 else loss, 1e-3, step / 20]
                    )
    if asked["modality"] == "text":
        texts = [f"{TEXTS[(index + seed) % 3]} ({asked['approach']}, {index})" for index in range(8)]
        (folder / "samples.json").write_text(json.dumps(texts))
        return
    digits = np.random.default_rng([seed, *asked["approach"].encode()])
    rows, columns = np.mgrid[:16, :16] - 7.5
    grid = np.zeros((8 * 16, 8 * 16), np.uint8)
    for index in range(64):
        wide, tall = digits.uniform(2, 6, size=2)
        ring = np.exp(-(((rows / tall) ** 2 + (columns / wide) ** 2 - 1) ** 2) * 4) + 0.08 * digits.normal(
            size=rows.shape
        )
        top, left = 16 * (index // 8), 16 * (index % 8)
        grid[top : top + 16, left : left + 16] = np.clip(255 * ring, 0, 255)
    Image.fromarray(grid).save(folder / "samples.png")


def _description(
    suite: str, run: str, cells: list[str], sizes: tuple[int, ...], seeds: tuple[int, ...]
) -> dict[str, Any]:
    source = (
        f"description: What each way of transferring a small pretrained model buys & costs <b>\n"
        f"data_sizes: {list(sizes)}\nseeds: {list(seeds)}\n"
        f"budget: {{steps: 200, batch_size: 16}}\ntuning:\n  learning_rate: {list(RATES)}\n"
    )
    return {
        "suite": suite, "run": run, "cells": cells, "primary": PRIMARY, "source": source, "environment": ENVIRONMENT,
        "description": "What each way of transferring a small pretrained model buys & costs <b>",
        "definition": {"data_sizes": list(sizes), "seeds": list(seeds)}, "workers": 2,
        "started": "2025-11-21T03:23:00+00:00", "finished": "2025-11-21T03:28:12+00:00", "seconds": 312.4,
    }  # fmt: skip
