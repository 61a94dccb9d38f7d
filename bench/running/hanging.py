"""Tasks that hang: for a limit they take no step, and neither they nor their children use the processor.

A time limit ends those that go on for too long, this one those that do nothing: a deadlock, a mount that is gone.
Imports no torch.
"""

import time
from collections.abc import Mapping
from typing import Any

import psutil

LIMIT = 1800.0
"""Seconds without progress: more than any library sleeps between two tries."""
PAUSE = 5.0  # seconds between two looks
_WORKING = 0.1  # seconds of the processor that count as progress


class Hung(TimeoutError):
    """A task was ended because it made no progress for ``limit`` seconds."""

    def __init__(self, limit: float) -> None:
        super().__init__(f"made no progress for {limit:g} s: it took no step and did not use the processor")
        self.limit = limit


class Watch:
    """Looks at tasks now and then.

    Args:
        board: for each slot the steps done, those to do, and the process that does them (0: none yet).
    """

    def __init__(self, board: Any) -> None:
        self._board = board
        self._looked = time.monotonic()
        self._before: dict[int, tuple[float, float]] = {}
        self._silent: dict[int, float] = {}

    def hung(self, limits: Mapping[int, float]) -> list[int]:
        """Slots, of those in ``limits``, that have made no progress for their limits; asked often, it looks seldom.

        Time in which this process itself stood still (stopped, or with the whole machine) counts for nothing.
        """
        now = time.monotonic()
        if now - self._looked < PAUSE:
            return []
        passed, self._looked = min(now - self._looked, 2 * PAUSE), now
        self._before = {slot: before for slot, before in self._before.items() if slot in limits}
        for slot in limits:
            steps, used = self._board[3 * slot], _used(int(self._board[3 * slot + 2]))
            before = self._before.get(slot)
            if before is None or steps != before[0] or abs(used - before[1]) >= _WORKING:
                self._before[slot], self._silent[slot] = (steps, used), 0.0
            else:
                self._silent[slot] += passed
        return [slot for slot, limit in limits.items() if self._silent[slot] >= limit]


def _used(process: int) -> float:
    """Seconds of the processor that a process and its living children have used."""
    if not process:
        return 0.0
    try:
        found = psutil.Process(process)
        times = [one.cpu_times() for one in (found, *found.children(recursive=True))]
    except psutil.Error:  # it has just ended
        return 0.0
    return float(sum(one.user + one.system for one in times))
