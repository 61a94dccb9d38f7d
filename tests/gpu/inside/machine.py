"""The machine that the figures come from."""

from typing import Any

import torch

from bench.budget import Budget
from bench.device import precision
from bench.running import environment, execution


def described() -> dict[str, Any]:
    """As in a record of a run, with what the GPU's software is."""
    found = environment.describe() | execution.describe_device() | {"precision": precision(Budget(steps=1))}
    if not torch.cuda.is_available():
        return found
    properties = torch.cuda.get_device_properties(0)
    found["gpu"] = {
        "name": properties.name,
        "memory_gib": round(properties.total_memory / 2**30, 1),
        "multiprocessors": properties.multi_processor_count,
        "capability": f"{properties.major}.{properties.minor}",
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "devices": torch.cuda.device_count(),
    }
    return found


def free() -> int | None:
    """Of the GPU's memory, while this process has its context there; None where there is no GPU."""
    return torch.cuda.mem_get_info()[0] if torch.cuda.is_available() else None
