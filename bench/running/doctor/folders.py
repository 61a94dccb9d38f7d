"""Folders that are written to: whether they can be, what is free on their disks, and what killed processes left."""

import os
import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench.running.doctor.finding import Finding
from bench.running.status import is_locked
from bench.words import counted

_GIB = 2**30
_NOTE, _FAULT = 5 * _GIB, _GIB // 2
_PATIENCE = 5  # seconds that a large cache is counted for


def disks(results: Path, reports: Path) -> Iterator[Finding]:
    """Each folder, whether or not it is there yet."""
    from bench import cache

    home = "set TRANSFERBENCH_CACHE to a folder that is"
    looked = {
        "results": (results, "name another with --results"),
        "reports": (reports, "name another with --reports"),
        "cache": (cache.root(), home),
        "temp": (Path(tempfile.gettempdir()), "set TMPDIR to a folder that is"),
    }
    for name, (folder, elsewhere) in looked.items():
        yield tried(name, folder, elsewhere)


def tried(name: str, folder: Path, elsewhere: str) -> Finding:
    """Whether a folder can be written to, and how much; the remedy is to choose another."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    said = f"{name} {folder}"
    if why := _unwritable(there):
        return Finding("fault", "disk", f"{said}: not writable ({why})", elsewhere)
    free = shutil.disk_usage(there).free
    said += f": {free / _GIB:.1f} GiB free"
    if free < _FAULT:
        return Finding("fault", "disk", said, f"free some space, or {elsewhere.replace('that is', 'elsewhere')}")
    if free < _NOTE:
        return Finding("note", "disk", said, "little for checkpoints of the hub and long runs")
    return Finding("ok", "disk", said)


def cached() -> Iterator[Finding]:
    """Where the cache is, how large, and what nobody will finish in it."""
    from bench import cache

    root = cache.root()
    if not root.is_dir():
        yield Finding("ok", "cache", f"{root}: nothing yet; base models are trained on first use")
        return
    number = sum(1 for _ in root.glob("*/*/key.json"))
    yield Finding("ok", "cache", f"{root}: {counted(number, 'entry').replace('entrys', 'entries')}, {size(root)}")
    building = [path for path in root.glob("*/.*-*") if path.is_dir()]
    locks = {path: path.parent / f"{path.name[1:].partition('-')[0]}.lock" for path in building}
    at_work = [path for path in building if is_locked(locks[path]) is not False]  # where nothing tells, too
    if at_work:
        yield Finding("note", "cache", f"{counted(len(at_work), 'build')} under way, by a process that is at work")
    for path in building:
        if path not in at_work:
            said = f"{path}: a killed process left it half built ({size(path)})"
            yield Finding("note", "cache", said, f"rm -r {shlex.quote(str(path))}")


def size(folder: Path) -> str:
    """How large a folder is; at least so large where it takes long to count."""
    end, whole = time.monotonic() + _PATIENCE, 0
    for at, _, names in os.walk(folder):
        for name in names:
            try:
                whole += os.lstat(os.path.join(at, name)).st_size  # noqa: PTH118  # twice as fast on a large cache
            except OSError:  # gone meanwhile
                continue
        if time.monotonic() > end:
            return f"more than {whole / _GIB:.1f} GiB"
    return f"{whole / _GIB:.1f} GiB" if whole >= _GIB / 10 else f"{whole / 2**20:.1f} MiB"


def _unwritable(folder: Path) -> str:
    """Why no file can be written there; empty where one can. The probe is gone afterwards."""
    if not folder.is_dir():
        return f"{folder} is a file"
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".bench-doctor-") as probe:
            probe.write(b"probe")
            probe.flush()
    except OSError as error:
        return error.strerror or str(error)
    return ""
