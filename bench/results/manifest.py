"""A published folder (:mod:`bench.publication`), as who reads it knows it: by its list of files with their checksums.

::

    SHA256SUMS    of every file but itself, as `sha256sum --check` takes it
    run/          the run, which all commands read

Imports no torch.
"""

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from bench.results import files, runs
from bench.results.files import Damaged

NAME = "SHA256SUMS"
RUN = "run"

_LINE = re.compile(r"([0-9a-f]{64})  ([^\\\n]+)")
_LARGEST = 1 << 34  # bytes of a file


class Checked(NamedTuple):
    """What lies in a folder, held against its list.

    Attributes:
        listed: path to SHA-256.
        wrong: path to what is wrong with it.
        gone: paths that are listed, and are not there.
        strange: paths of files and links that are there, and not listed.
    """

    listed: dict[str, str]
    wrong: dict[str, str]
    gone: list[str]
    strange: list[str]


def is_published(folder: Path) -> bool:
    """Whether a folder is a publication."""
    return (folder / NAME).is_file() and is_published_run(folder / RUN)


def is_published_run(run: Path) -> bool:
    """Whether a run's folder is the one in a publication."""
    return (run / "run.json").is_file() and isinstance(runs.read_info(run)[0].get("published"), dict)


def write(folder: Path) -> None:
    """List every file of a folder."""
    lines = [f"{_digest(folder / name)}  {name}\n" for name in _there(folder) if name != NAME]
    files.write_atomically(folder / NAME, lambda partial: partial.write_text("".join(lines), encoding="utf-8"))


def check(folder: Path) -> Checked:
    """Read all files of a published folder; :class:`Damaged` where its list is none."""
    listed = _read(folder / NAME)
    there = _there(folder)
    wrong: dict[str, str] = {}
    for name in sorted(listed.keys() & set(there)):
        try:
            found = _digest(folder / name)
        except (Damaged, OSError) as reason:
            wrong[name] = str(reason)
            continue
        if found != listed[name]:
            wrong[name] = f"not what {NAME} says: {found[:16]}, it was {listed[name][:16]}"
    strange = [name for name in there if name not in listed and name != NAME]
    return Checked(listed, wrong, sorted(listed.keys() - set(there)), strange)


def _read(path: Path) -> dict[str, str]:
    try:
        text = files.content(path).decode()
    except ValueError as error:
        raise Damaged(f"{NAME}: {error}") from error
    found: dict[str, str] = {}
    for line in text.splitlines():
        parts = _LINE.fullmatch(line)
        if not parts or not _is_within(parts[2]) or parts[2] in found:
            raise Damaged(f"{NAME}: a line is no checksum of a file in the folder")
        found[parts[2]] = parts[1]
    return found


def _is_within(name: str) -> bool:
    """Whether a listed path stays in the folder."""
    path = PurePosixPath(name)
    return path.as_posix() == name and not path.is_absolute() and ".." not in path.parts


def _there(folder: Path) -> list[str]:
    """Paths of all files, and of links whatever they lead to; none is followed."""
    found = []
    for parent, folders, names in os.walk(folder):
        links = [name for name in folders if Path(parent, name).is_symlink()]
        found += [Path(parent, name).relative_to(folder).as_posix() for name in (*names, *links)]
    return sorted(found)


def _digest(path: Path) -> str:
    if path.is_symlink():
        raise Damaged("a link")
    with files.regular(path, _LARGEST).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
