"""How fast training went, and what share of the accelerator's arithmetic it used."""

import re
from itertools import pairwise
from statistics import median
from typing import Any

from torch.utils.flop_counter import FlopCounterMode

from bench.training.loop import Loop
from bench.transfer import Transfer, restore

_DENSE_HALF_PRECISION = {  # TFLOP/s without sparsity, from the vendors' data sheets; longer names first
    "H200": 989.0,
    "H100 PCIe": 756.0,
    "H100 NVL": 835.0,
    "H100": 989.0,
    "A100": 312.0,
    "L40S": 362.0,
    "L4": 121.0,
    "A10": 125.0,
    "A10G": 70.0,
    "V100": 125.0,
    "T4": 65.0,
}


def peak_flops(accelerator: str | None) -> float | None:
    """Dense bf16/fp16 FLOP/s an accelerator can do at best, by its name; None where it is not known."""
    known = _DENSE_HALF_PRECISION.items()
    return next((peak * 1e12 for name, peak in known if re.search(rf"\b{name}\b", accelerator or "")), None)


def step_seconds(curve: list[dict[str, Any]]) -> float:
    """Median seconds a gradient step on the target took: from the row before it, a step or a validation, to its own."""
    steps = [
        after["seconds"] - before["seconds"]
        for before, after in pairwise(curve)
        if "learning_rate" in after and not after.get("stage")
    ]
    return median(steps) if steps else 0.0


def step_flops(transfer: Transfer) -> int:
    """Floating-point operations of one gradient step with all that trains awake: forward, terms, and backward.

    Takes no step: weights and gradients are left as they were found.
    """
    loop, stored = Loop(transfer, 1, ""), transfer.stored()
    before = {name: tensor.detach().clone() for name, tensor in stored.items()}  # statistics move in a forward
    batch = loop.batch()
    transfer.model.train()
    while True:
        micro = loop.fitting.micro
        with FlopCounterMode(display=False) as counter:
            for player, optimizer in loop.optimizers:
                loop.backward(batch, player, optimizer)
                optimizer.zero_grad()
        if loop.fitting.micro == micro:  # else it counted what ran out of memory, too, and is no step's arithmetic
            break
    restore(stored, before)
    transfer.model.eval()
    return int(counter.get_total_flops())


def mfu(step_flops: int, seconds: float, peak: float) -> float:
    """Model FLOPs utilisation: the arithmetic a step needs, over what the accelerator could have done meanwhile.

    Paper: Chowdhery et al. 2022, PaLM: Scaling Language Modeling with Pathways (appendix B)
    """
    return step_flops / (seconds * peak)
