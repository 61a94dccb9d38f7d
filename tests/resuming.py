"""Trials that are cut off, as by a kill."""

import math
from pathlib import Path
from typing import Any

from bench.training.resuming import Keeper
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer


class _Cell:
    key = "0123456789abcdef"


CELL: Any = _Cell()


class Cut(Exception):
    """The end of a process, as far as a test can have it."""


def keeper_of(transfer: Transfer, folder: Path) -> Keeper:
    """Keeps a checkpoint after each step, whatever it costs."""
    return Keeper(Unfinished(folder, CELL), 0, interval=0, share=math.inf).use(transfer.encode)


def cut_off(transfer: Transfer, folder: Path, at: int) -> Keeper:
    """Run a trial with a checkpoint after each step until ``at`` steps are taken, and no further."""
    keeper = transfer.pauses = keeper_of(transfer, folder)
    after = keeper.after_step

    def step(loop: Any, taken: int) -> None:
        after(loop, taken)
        if transfer.taken >= at:
            raise Cut

    keeper.after_step = step  # type: ignore[method-assign]
    try:
        transfer.run()
    except Cut:
        return keeper
    raise AssertionError("it was over before")
