"""Result files as PEFT's method comparison writes them, with numbers of our own invention."""

import copy
import json
from pathlib import Path
from typing import Any

TEXT: dict[str, Any] = {
    "run_info": {
        "created_at": "2026-01-05T10:00:00+00:00",
        "total_time": 640.5,
        "experiment_name": "lora/tiny-rank8",
        "peft_branch": "main",
        "train_config": {
            "model_id": "some-lab/tiny-1B", "dtype": "bfloat16", "max_seq_length": 512, "batch_size": 2,
            "batch_size_eval": 10, "max_steps": 300, "eval_steps": 100, "compile": False, "seed": 0,
            "query_template": "Q: {query}", "optimizer_type": "AdamW",
            "optimizer_kwargs": {"lr": 0.0002, "weight_decay": 0.05}, "lr_scheduler": "cosine",
        },
        "peft_config": {
            "task_type": "CAUSAL_LM", "peft_type": "LORA", "auto_mapping": None, "r": 8, "lora_alpha": 16,
            "target_modules": ["q", "v"], "bias": "none", "rank_pattern": {}, "revision": None,
        },
        "error_msg": "",
    },
    "train_info": {
        "accelerator_memory_reserved_avg": 4_000_000_000,
        "accelerator_memory_max": 6_500_000_000,
        "accelerator_memory_reserved_99th": 5_200_000_000,
        "train_time": 512.25,
        "file_size": 3_200_000,
        "num_trainable_params": 800_000,
        "num_total_params": 1_000_800_000,
        "status": "success",
        "metrics": [
            {"step": 100, "valid accuracy": 0.22, "train loss": 1.1, "train samples": 200, "elapsed time": 170.0},
            {"step": 200, "valid accuracy": 0.3, "train loss": 0.9, "train samples": 400, "elapsed time": 340.0},
            {"step": 300, "valid accuracy": 0.32, "train loss": 0.8, "train samples": 600, "elapsed time": 510.0},
            {
                "step": 300, "test accuracy": 400 / 1319, "train loss": 0.8, "train samples": 600,
                "train total tokens": 125_000, "forgetting": 0.07,
            },
        ],
    },
    "meta_info": {
        "model_info": {"sha": "aa11", "created_at": "2025-01-01T00:00:00+00:00"},
        "dataset_info": {
            "metamath": {"sha": "bb22", "created_at": "2024-01-01T00:00:00+00:00"},
            "gsm8k": {"sha": "cc33", "created_at": "2024-01-01T00:00:00+00:00"},
        },
        "package_info": {
            "transformers-version": "5.1.0", "transformers-commit-hash": None, "peft-version": "0.20.0",
            "peft-commit-hash": "dd44", "torch-version": "2.10.0", "torch-commit-hash": None,
        },
        "system_info": {"system": "Linux", "machine": "x86_64", "processor": "x86_64", "accelerator": "Some GPU 48GB"},
        "pytorch_info": "PyTorch built with: …",
    },
}  # fmt: skip
"""The text task."""


def _image() -> dict[str, Any]:
    found = copy.deepcopy(TEXT)
    config = found["run_info"]["train_config"]
    config |= {
        "model_id": "some-lab/tiny-painter", "dataset_id": "some-lab/one-dog", "valid_size": 2, "test_size": 3,
        "instance_prompts": [f"sks dog {number}" for number in range(15)], "drift_image_prompts": ["a cat", "a boat"],
    }  # fmt: skip
    del config["query_template"]
    found["run_info"]["experiment_name"] = "lora/painter-rank8"
    found["train_info"]["metrics"] = [
        {"step": 100, "valid dino_similarity": 0.6, "train loss": 0.7, "train samples": 200, "elapsed time": 90.0},
        {"step": 300, "test dino_similarity": 0.71, "drift": 0.2, "train loss": 0.6, "train samples": 600},
    ]
    found["meta_info"]["dataset_info"] = {"sha": "ee55", "created_at": "2026-01-01T00:00:00+00:00"}
    return found


IMAGE = _image()
"""The image task."""


def changed(base: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A copy in which ``run_info__error_msg="…"`` sets an entry; ``...`` takes it away."""
    found = copy.deepcopy(base)
    for path, value in changes.items():
        *above, name = path.split("__")
        holder = found
        for part in above:
            holder = holder[part]
        if value is ...:
            del holder[name]
        else:
            holder[name] = value
    return found


def scored(base: dict[str, Any], name: str, **test: Any) -> dict[str, Any]:
    """A copy of an experiment under another name, with other entries of its last ``metrics``."""
    found = changed(base, run_info__experiment_name=name)
    found["train_info"]["metrics"][-1] |= {key.replace("_", " ", 1): value for key, value in test.items()}
    return found


def put(folder: Path, **results: Any) -> Path:
    """Write each as a file of its name (text as it is), and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in results.items():
        text = content if isinstance(content, str) else json.dumps(content)  # NaN too, as PEFT's has it
        (folder / f"{name.replace('__', '--')}.json").write_text(text)
    return folder
