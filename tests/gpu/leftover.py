"""Whether memory of the GPU is given back."""

import time

from tests.gpu import apart
from tests.gpu.box import Box

_NOISE = 64 << 20  # bytes that may come and go by themselves


def free(box: Box) -> int | None:
    """Bytes of the GPU's memory, as a process sees them that has done nothing there; None where there is no GPU."""
    found: int | None = apart.call("machine.free", seconds=max(box.left(), 1))
    return found


def check(box: Box, before: int | None) -> None:
    """As much is free as before, once the driver has taken back what processes had, for which it may take a moment."""
    if before is None:
        return
    for _ in range(6):
        after = free(box) or 0
        if after >= before - _NOISE:
            break
        time.sleep(0.5)
    box.must("no memory is left on the GPU", after >= before - _NOISE, f"{(before - after) / 2**20:.0f} MiB")
