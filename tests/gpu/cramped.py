"""An approach that leaves its own training little memory; the part `memory` installs this file as a plugin."""

import json
import resource
from collections.abc import Callable
from pathlib import Path

import psutil
import torch
from torch import Tensor

from bench.batches import rows_of
from bench.model import Batch
from bench.transfer import Transfer

_STEP = 16 << 20  # bytes by which less is taken where all of it is not to be had


def cramped(transfer: Transfer, *, megabytes: int = 0, into: str = "") -> None:
    """Full fine-tuning, with so much memory left once a step has been taken; on a CPU, before the first.

    Args:
        megabytes: that it may have beside what it has.
        into: file for the numbers of rows that gradients were then taken of at a time.
    """
    fit, rows, given_back = transfer.fit, list[int](), list[Callable[[], None]]()

    def take(progress: float) -> None:
        if not given_back and (transfer.taken or not torch.cuda.is_available()):
            given_back.append(_taken_but(megabytes << 20))

    def note(batch: Batch, outputs: Tensor) -> Tensor:
        if given_back:
            rows.append(rows_of(batch))
        return outputs.new_zeros(())

    def narrow(steps: int) -> None:
        try:
            fit(steps)
        finally:
            for give_back in given_back:
                give_back()
            Path(into).write_text(json.dumps(rows))

    transfer.schedule.append(take)
    transfer.terms.append(note)
    transfer.fit = narrow


def _taken_but(rest: int) -> Callable[[], None]:
    """Take all memory but that; returns what gives it back."""
    if not torch.cuda.is_available():
        before = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (psutil.Process().memory_info().vms + rest, before[1]))
        return lambda: resource.setrlimit(resource.RLIMIT_AS, before)
    torch.cuda.empty_cache()
    wanted = torch.cuda.mem_get_info()[0] - rest
    held: list[Tensor] = []
    while not held:
        try:
            held.append(torch.empty(wanted, dtype=torch.uint8, device="cuda"))
        except torch.OutOfMemoryError:
            wanted -= _STEP
    return held.clear
