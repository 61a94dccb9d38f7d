"""Memory, cores, limits and clock of this machine, or of the container that is all we see of it."""

import os
import resource
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from bench.running.doctor.finding import Finding
from bench.words import counted

_GIB = 2**30
_MEMORY_NOTE, _MEMORY_FAULT = 4 * _GIB, 1 * _GIB  # the libraries alone take most of one
_SHARED = 2**26  # bytes; what a container has unless told otherwise
_FILES = 1024  # what most systems allow
_CGROUP = Path("/sys/fs/cgroup")


def memory() -> Iterator[Finding]:
    """What is free of it."""
    import psutil

    about = psutil.virtual_memory()
    whole, free = about.total, about.available
    if limit := _group("memory.max"):
        used = _group("memory.current") or 0
        whole, free = min(whole, limit), min(free, max(0, limit - used))
    said = f"{free / _GIB:.1f} of {whole / _GIB:.1f} GiB free"
    if free < _MEMORY_FAULT:
        yield Finding("fault", "memory", said, "end what holds it, or take another machine: torch alone needs 1 GiB")
    elif free < _MEMORY_NOTE:
        yield Finding("note", "memory", said, "little for models that are not small: bench run --workers 1 needs least")
    else:
        yield Finding("ok", "memory", said)


def cores() -> Iterator[Finding]:
    """How many there are, and how many of them are ours: a run starts as many workers as the machine has."""
    whole = os.cpu_count() or 1
    ours = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else whole
    try:
        quota, period = (_CGROUP / "cpu.max").read_text().split()
        ours = min(ours, max(1, int(quota) // int(period)))
    except (OSError, ValueError):  # no such file, or "max"
        pass
    if ours < whole:
        yield Finding("note", "cores", f"{ours} of {whole} are for us", f"bench run --workers {ours}")
    else:
        yield Finding("ok", "cores", counted(whole, "core"))


def limits() -> Iterator[Finding]:
    """Shared memory and open files."""
    if (shared := Path("/dev/shm")).is_dir():  # noqa: S108  # it is the system's own
        free = shutil.disk_usage(shared).free
        said = f"{free / 2**20:,.0f} MiB free in /dev/shm"
        if free < _SHARED:
            yield Finding("note", "limits", said, "in a container: docker run --shm-size=1g")
        else:
            yield Finding("ok", "limits", said)
    files = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if files == resource.RLIM_INFINITY:
        yield Finding("ok", "limits", "any number of open files")
    elif files < _FILES:
        yield Finding("note", "limits", counted(files, "open file"), f"ulimit -n {_FILES} before a run")
    else:
        yield Finding("ok", "limits", f"{files:,} open files")


def clock() -> Iterator[Finding]:
    """Runs are named by the time they began, and the latest is gone on with: a clock that is behind mixes them up."""
    now = time.time()
    said = f"{datetime.fromtimestamp(now, UTC):%Y-%m-%d %H:%M} UTC"
    written = max(path.stat().st_mtime for path in Path(__file__).parents[2].glob("*.py"))
    if now < written - 86400:
        since = f"{datetime.fromtimestamp(written, UTC):%Y-%m-%d}"
        yield Finding("fault", "clock", f"it says {said}, before this program was installed ({since})", "set the clock")
    else:
        yield Finding("ok", "clock", said)


def _group(name: str) -> int | None:
    """A number of the control group that we are in; None where there is no limit."""
    try:
        return int((_CGROUP / name).read_text())
    except (OSError, ValueError):
        return None
