"""How much memory a stretch of work takes at its peak."""

import ctypes
import gc
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import torch

_STATUS, _CLEAR = Path("/proc/self/status"), Path("/proc/self/clear_refs")
_RESET_HIGH_WATER = "5"  # what proc(5) wants written to set the high-water mark back to the present resident set
_INTERVAL = 0.002  # seconds between two looks, where the system keeps no mark that can be set back


def resident() -> int:
    """Resident set of this process now, in bytes."""
    return int(psutil.Process().memory_info().rss)


def release() -> None:
    """Give back what nothing refers to any more: to the GPU, and to the system where the C library can."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    with suppress(OSError, AttributeError):  # a C library other than glibc
        ctypes.CDLL(None).malloc_trim(0)


class Peak:
    """Context manager that measures the peak of its block; one at a time, since the marks it sets back are global.

    On a GPU these are PyTorch's own figures for the device: ``peak_allocated`` (by tensors) and ``peak_reserved`` (by
    its allocator). On a CPU it is ``peak_rss``, the highest resident set above ``baseline``: the kernel's high-water
    mark on Linux, and elsewhere the largest of frequent looks, which can miss a shorter peak.

    Args:
        device: where the work happens.
        baseline: resident set that does not count, in bytes; :func:`resident` before any model was loaded.

    Attributes:
        measures: name of a measure to bytes; filled when the block ends, also by an exception.
    """

    def __init__(self, device: torch.device, baseline: int = 0) -> None:
        self.device, self.baseline = device, baseline
        self.measures: dict[str, int] = {}
        self._looks: _Looks | None = None

    def __enter__(self) -> Self:
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        elif not _reset_high_water():
            self._looks = _Looks()
        return self

    def so_far(self) -> dict[str, int]:
        """The measures at this moment."""
        if self.device.type == "cuda":
            allocated = torch.cuda.max_memory_allocated(self.device)
            return {"peak_allocated": allocated, "peak_reserved": torch.cuda.max_memory_reserved(self.device)}
        highest = self._looks.highest() if self._looks else _high_water()
        return {"peak_rss": max(highest - self.baseline, 0)}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.measures = self.so_far()
        if self._looks:
            self._looks.stop()


def _reset_high_water() -> bool:
    """Set the kernel's high-water mark back; False where there is none, or none that can be set back."""
    try:
        _CLEAR.write_text(_RESET_HIGH_WATER)
        return _high_water() > 0
    except (OSError, StopIteration):
        return False


def _high_water() -> int:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


class _Looks:
    """A thread that looks at the resident set until it is stopped."""

    def __init__(self) -> None:
        self._highest, self._stopped = resident(), threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._stopped.wait(_INTERVAL):
            self._highest = max(self._highest, resident())

    def highest(self) -> int:
        return max(self._highest, resident())

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
