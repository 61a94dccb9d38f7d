"""The random states of a process."""

import random
from typing import Any

import numpy as np
import torch
from torch import Tensor


def states(tensors: dict[str, Tensor]) -> dict[str, Any]:
    """The random states of this process; tensors among them are added to those that are written."""
    tensors["chance"] = torch.get_rng_state()
    devices = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else []
    tensors |= {f"chance-{index}": device for index, device in enumerate(devices)}
    name, words, *rest = np.random.get_state()
    numpy = [name, np.asarray(words).tolist(), *rest]
    return {"devices": len(devices), "python": random.getstate(), "numpy": numpy}


def restore(told: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Put back what :func:`states` found."""
    torch.set_rng_state(tensors["chance"])
    if told["devices"]:
        torch.cuda.set_rng_state_all([tensors[f"chance-{index}"] for index in range(told["devices"])])
    version, words, normal = told["python"]
    random.setstate((version, tuple(words), normal))
    name, words, *rest = told["numpy"]
    np.random.set_state((name, np.array(words, np.uint32), *rest))
