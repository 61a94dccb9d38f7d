"""What is costly and shared is made once per machine: a folder named by the content of its key.

The cache lives in the user's cache folder, or where ``TRANSFERBENCH_CACHE`` points. A folder appears whole or not at
all: it is built beside its place under a lock and renamed, so several processes may ask for it at once. Each process
holds its files against their checksums when it first asks for it; what a disk or a hand has damaged is made anew.
"""

import errno
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from platformdirs import user_cache_dir

from bench.errors import ResultsError

_SUMS = "checksums.json"
_READ = 1 << 28  # bytes of an entry that are read to check it; of a larger one, which is mapped, only the sizes are
_seen: dict[Path, tuple[Any, ...]] = {}
"""Entries that were whole when this process looked, with the state of their files."""

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EEXIST, errno.ENOTDIR)


def root() -> Path:
    """The cache folder of this user."""
    return Path(os.environ.get("TRANSFERBENCH_CACHE") or user_cache_dir("transferbench", appauthor=False))


def content_hash(value: Any) -> str:
    """SHA-256 of the canonical JSON of ``value``, first 16 hex digits: equal content, equal hash, on every machine."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def lookup(kind: str, key: dict[str, Any]) -> Path | None:
    """The folder for ``key`` where it has been made already, and is whole."""
    path = root() / kind / content_hash(key)
    return path if path.is_dir() and not damage(path) else None


def damage(entry: Path) -> str:
    """Which file of an entry is not as it was made; empty where all are, and for entries of earlier versions."""
    try:
        listed = json.loads((entry / _SUMS).read_bytes())
        state = tuple((name, (there := (entry / name).stat()).st_size, there.st_mtime_ns) for name in listed)
        if _seen.get(entry) == state:
            return ""
        small = sum(size for _, size, _ in state) <= _READ
        for name, size, _ in state:
            if size != listed[name][0] or (small and _digest(entry / name) != listed[name][1]):
                return f"{name} is not what was written"
    except FileNotFoundError as error:
        name = Path(error.filename).name
        return "" if name == _SUMS else f"{name} is gone"
    except (OSError, ValueError, TypeError, LookupError, AttributeError) as error:
        return f"cannot be read: {error}"
    _seen[entry] = state
    return ""


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def folder(kind: str, key: dict[str, Any], build: Callable[[Path], None]) -> Path:
    """The folder for ``key``, made by ``build(empty_folder)`` on first use.

    Args:
        kind: what it holds (``"models"``, ``"datasets"`` …): a subfolder of the cache.
        key: JSON-able content that determines the outcome; kept beside it as ``key.json``.
        build: writes everything into the folder it is given. Where it raises, nothing is left behind.
    """
    if found := lookup(kind, key):
        return found
    from filelock import FileLock  # a plan makes nothing, and should not wait for it

    path, building = root() / kind / content_hash(key), False
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{path}.lock"):
            if path.is_dir() and (what := damage(path)):
                sys.stderr.write(f"bench: cache folder {path}: damaged ({what}); it is made anew\n")
                path.rename(path.with_name(f".{path.name}-damaged"))
            if not path.is_dir():
                for abandoned in path.parent.glob(f".{path.name}-*"):  # by a killed process: the lock is ours
                    shutil.rmtree(abandoned, ignore_errors=True)
                partial = Path(tempfile.mkdtemp(prefix=f".{path.name}-", dir=path.parent))
                try:
                    building = True
                    build(partial)
                    building = False
                    (partial / "key.json").write_text(json.dumps(key, indent=1, sort_keys=True))
                    made = [file for file in sorted(partial.rglob("*")) if file.is_file()]
                    sums = {str(file.relative_to(partial)): [file.stat().st_size, _digest(file)] for file in made}
                    (partial / _SUMS).write_text(json.dumps(sums, indent=1))
                    partial.rename(path)
                finally:
                    shutil.rmtree(partial, ignore_errors=True)
    except OSError as error:
        ours = error.errno in _FULL or (error.errno in _FORBIDDEN and _is_in(root(), error.filename))
        if building and not ours:
            raise  # of what is built from, such as a user's file that may not be read
        raise _unusable(path, error) from error
    return path


def make() -> None:
    """Make the cache folder, before much else is done; :class:`ResultsError` where there can be none."""
    try:
        root().mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable(root(), error) from error


def _unusable(path: Path, error: OSError) -> ResultsError:
    where = f"cache folder {error.filename or path}"
    if error.errno in _FULL:
        return ResultsError(f"{where}: the disk is full; free some space or move TRANSFERBENCH_CACHE")
    if error.errno in _FORBIDDEN:
        return ResultsError(f"{where}: not writable; set TRANSFERBENCH_CACHE to a folder that is")
    said = f"cannot be made ({error.strerror or error})"
    return ResultsError(f"{where}: {said}; set TRANSFERBENCH_CACHE to another folder")


def _is_in(folder: Path, name: object) -> bool:
    """Whether an error's file, where it names one, lies in a folder."""
    return not isinstance(name, str | os.PathLike) or Path(name).is_relative_to(folder)
