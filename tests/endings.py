"""Approaches that end in every way a cell can end; the tests install this file as a plugin."""

import json
import math
import mmap
import os
import signal
import time
import warnings
from pathlib import Path

import torch
from tqdm import tqdm

from bench.errors import NotApplicable
from bench.options import Fraction
from bench.transfer import Transfer


def raising(transfer: Transfer) -> None:
    """Has a fault."""
    raise RuntimeError("a fault\nin two lines")


def diverging(transfer: Transfer) -> None:
    """Makes the loss NaN."""
    transfer.terms.append(lambda batch, outputs: math.nan * outputs.sum())


def hanging(transfer: Transfer) -> None:
    """Never ends, and does not listen."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    while True:
        time.sleep(60)


def killed(transfer: Transfer) -> None:
    """Is killed, as by a system that has run out of memory."""
    os.kill(os.getpid(), signal.SIGKILL)


def leaving(transfer: Transfer, *, code: int = 0) -> None:
    """Ends its process without a word."""
    os._exit(code)


def greedy(transfer: Transfer) -> None:
    """Wants more memory than there is."""
    bytearray(2**60)


def meaningless(transfer: Transfer) -> None:
    """Means nothing for this model."""
    raise NotApplicable("a language model has no wings")


def slow(transfer: Transfer, *, seconds: float = 1.0) -> None:
    """Takes its time."""
    transfer.schedule.append(lambda progress: time.sleep(seconds / transfer.steps))


def hungry(transfer: Transfer, *, megabytes: int = 1) -> None:
    """Holds so much memory in each step, page by page."""

    def hold(progress: float) -> None:
        held = bytearray(megabytes << 20)
        held[:: mmap.PAGESIZE] = bytes(len(range(0, len(held), mmap.PAGESIZE)))

    transfer.schedule.append(hold)


def stamped(transfer: Transfer, *, into: str) -> None:
    """Writes down when it trained."""
    fit, begun = transfer.fit, time.monotonic()

    def timed(steps: int) -> None:
        fit(steps)
        time.sleep(1)
        (Path(into) / f"trained-{os.getpid()}.json").write_text(json.dumps([begun, time.monotonic()]))

    transfer.fit = timed


def noisy(transfer: Transfer) -> None:
    """Says what libraries say: a warning, a bar, a line, and one from C."""
    warnings.warn("this will be gone in 3.0", FutureWarning, stacklevel=2)
    for _ in tqdm(range(3), desc="Writing model shards"):
        pass
    print("Loading …")
    os.write(2, b"from C\n")


def crashing(transfer: Transfer) -> None:
    """Ends as a fault in C code does."""
    os.kill(os.getpid(), signal.SIGSEGV)


def way_back(transfer: Transfer, *, alpha: Fraction = 0.5) -> None:
    """Weights go back a part of the way once they are trained."""
    fit = transfer.fit

    def back(steps: int) -> None:
        start = {weight: weight.detach().clone() for weight in transfer.trainable()}
        fit(steps)
        for weight, before in start.items():
            weight.data = before + alpha * (weight.data - before)

    transfer.fit = back


def forgetful(transfer: Transfer) -> None:
    """Changes what no checkpoint keeps, once it is trained."""
    fit, frozen = transfer.fit, next(transfer.model.parameters()).requires_grad_(False)

    def louder(steps: int) -> None:
        fit(steps)
        with torch.no_grad():
            frozen.mul_(2)

    transfer.fit = louder


def wavering(transfer: Transfer, *, at: str, tries: int = 2) -> None:
    """Fails until it has been tried so often: what may pass later."""
    fit = transfer.fit

    def wavers(steps: int) -> None:
        with Path(at).open("a") as file:
            file.write("tried\n")
        if len(Path(at).read_text().splitlines()) < tries:
            raise RuntimeError("not yet")
        fit(steps)

    transfer.fit = wavers
