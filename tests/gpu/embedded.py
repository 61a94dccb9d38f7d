"""`suites/gpu_embedded.yaml`, shortened: what a step of its two models takes.

The suite's models, batches and precision, with few steps and one seed, through the real runner, one cell at a time.
Step time is the median over the steps of the chosen trial; memory is PyTorch's own count (`allocated` by tensors,
`reserved` by its allocator); MFU is the step's FLOPs over what the card could do in that time by its data sheet, where
that is known. Nothing here says how good a model is.
"""

from typing import Any

from tests.gpu import runs
from tests.gpu.box import Box

SHARE = 0.22
TABLE = "Training: step time (median of N steps), samples per second, peak memory, MFU"
_SMALL: dict[str, dict[str, Any]] = {
    "causal_lm": {"n_layer": 2, "n_embd": 32, "n_head": 2, "n_positions": 64, "vocab_size": 300},
    "diffusion": {
        "block_out_channels": [8, 8],
        "norm_num_groups": 4,
        "down_block_types": ["DownBlock2D", "DownBlock2D"],
        "up_block_types": ["UpBlock2D", "UpBlock2D"],
    },
}


def measure(box: Box) -> None:
    declared = shortened(box.small)
    records, suite = runs.taken(box, "gpu_embedded", declared, workers=1)
    runs.tell_ends(box, records, suite)
    for record in records:
        if "training_step_seconds" in (found := runs.scores(record)) and found["training_steps"]:
            box.row(TABLE, **_row(record, found))


def shortened(small: bool) -> dict[str, Any]:
    """Few steps, no samples to speak of, one learning rate."""
    declared: dict[str, Any] = runs.suite_file("gpu_embedded")
    for model in declared["models"].values():
        model["recipe"] |= {"steps": 60}
        model["metrics"] = ["perplexity" if model["family"] == "causal_lm" else "loss", "cost"]
        if small:
            model["recipe"] |= {"architecture": _SMALL[model["family"]], "steps": 1, "batch_size": 2}
            model["recipe"] |= {"source": "python_reference" if model["family"] == "causal_lm" else "shapes"}
            model["options"] |= {"context": 32, "max_new_tokens": 2} if model["family"] == "causal_lm" else {}
    rates = {"learning_rate": [1e-4]}
    declared |= {
        "approaches": ["full_finetuning", {"lora": {"rank": 16, "alpha": 32}}],
        "data_sizes": [512],
        "seeds": [0],
    }
    declared |= {"budget": declared["budget"] | {"steps": 60, "validations": 1, "validation_rows": 64}, "tuning": rates}
    declared |= {"evaluation": {"samples": 16, "batch_size": 16}, "metrics": ["cost"]}
    if small:
        declared["models"].popitem()
        declared |= {"datasets": ["python_reference"], "data_sizes": [4], "approaches": ["full_finetuning"]}
        declared["budget"] |= {"steps": 2, "batch_size": 2, "validation_rows": 2}
    return declared


def _row(record: dict[str, Any], found: dict[str, float]) -> dict[str, Any]:
    batch, seconds = record["asked"]["definition"]["budget"]["batch_size"], found["training_step_seconds"]
    peaks = {name.removeprefix("training_"): size for name, size in found.items() if name.startswith("training_peak")}
    return {
        "model": record["asked"]["model"],
        "target": record["asked"]["target"],
        "approach": record["asked"]["approach"],
        "parameters": int(found["total_parameters"]),
        "trainable": int(found["trainable_parameters"]),
        "batch": batch,
        "N": int(found["training_steps"]),
        "step [ms]": 1000 * seconds,
        "samples/s": batch / seconds if seconds else None,
        "TFLOP/step": found["training_step_flops"] / 1e12,
        "MFU": found.get("mfu"),
        **{f"{name} [GiB]": size / 2**30 for name, size in peaks.items()},
        "precision": record["environment"]["precision"],
    }
