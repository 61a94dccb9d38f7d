"""What lies in a folder of a user's own: which of it is a dataset's, in which split, and how much is something else."""

import os
import re
import stat
from collections import Counter, deque
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any, NamedTuple

from bench.datasets._gathering import Remark
from bench.errors import DataError

ROLES = {"train": "train", "training": "train", "test": "test"}
ROLES |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
"""Names of folders, files and splits that say which split they hold, case aside."""

_SHARD = re.compile(r"-\d+-of-\d+$")  # as in train-00000-of-00002.parquet


class File(NamedTuple):
    """A file of a dataset.

    Attributes:
        path: where it is, links to folders followed.
        split: that the path by which it was found names; empty where it names none.
        group: the sub-folder it lies in, that of the split aside; empty where there is none.
        name: as reasons and remarks call it: its path in the dataset's folder.
    """

    path: Path
    split: str = ""
    group: str = ""
    name: str = ""


class Listing(NamedTuple):
    """The files of a dataset, sorted by path, and what was left out on the way to them."""

    files: list[File]
    remarks: list[Remark]


def located(name: str, path: str) -> Path:
    """The absolute path that a dataset's option ``path`` names; :class:`DataError` where nothing is there."""
    where = f"dataset {name}: option 'path': {path!r}"
    if not path:
        raise DataError(f"{where} is empty; name a file or a folder")
    try:
        found = Path(path).expanduser().absolute()
        found.stat()
    except FileNotFoundError:
        raise DataError(f"{where} is not there (looked for {found}); name a file or a folder that is") from None
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user's home, a NUL, a folder one may not read
        raise DataError(f"{where} cannot be read ({error}); name one you may read") from error
    if not (found.is_dir() or found.is_file()):  # a pipe or a device, at which a reader would wait
        raise DataError(f"{where} is neither a file nor a folder; name one that is")
    return found


def listing(name: str, path: str, suffixes: Collection[str], *, files_name_splits: bool = False) -> Listing:
    """The files of a folder and its sub-folders, linked ones too, or the one file that ``path`` is.

    Args:
        name: of the dataset.
        path: as the suite says it: relative to the current folder, ``~`` is the user's home.
        suffixes: that its files have, in lower case with their dot; others are counted, what is hidden is left out.
        files_name_splits: whether a file such as ``test.csv`` names a split, or only a folder does.

    Raises:
        DataError: nothing is there, it may not be read, or it holds no such files.
    """
    root = located(name, path)
    if root.is_file():
        return Listing([File(root, name=root.name)], [])
    found, others = [], Counter[str]()
    try:
        for file, real in _walk(root, others):
            kind = ending(file)
            if kind in suffixes and _plain(real):
                found.append((Path(file), real))
            else:
                others[kind if kind not in suffixes else "no plain file (a pipe, a device)"] += 1
    except OSError as error:
        raise DataError(f"dataset {name}: {root} cannot be read ({error}); make it readable") from error
    again = others.pop(_AGAIN, 0)
    if not found:
        held = f"; it holds {_counted(others)}" if others else ""
        problem = f"{root} holds no files {_few(sorted(suffixes))}{held}"
        raise DataError(f"dataset {name}: {problem}; name a folder that does")
    remarks = []
    if others:
        count = others.total()
        remarks.append(Remark(f"{count} other file{'s' * (count > 1)} left out: {_counted(others)}"))
    if again:
        remarks.append(Remark(f"{again} {_AGAIN}"))
    return Listing([_placed(file, Path(real), root, files_name_splits) for file, real in sorted(found)], remarks)


def _walk(root: Path, others: Counter[str]) -> Iterator[tuple[str, str]]:
    """Files that are not hidden: the path by which each is found, and one with no linked folder in it.

    Links to folders are followed, but into each folder only once for each split that a way to it names, and never into
    one that the link lies in: folders that link to each other have more ways through them than can be walked. What is
    reached without a link comes first, so that a folder's own place names its group.

    Paths are ``str``, since a folder may hold a million.
    """
    waiting = deque([_Folder(str(root), os.path.realpath(root))])
    seen: set[tuple[str, str]] = set()
    while waiting:
        folder = waiting.popleft()
        if (folder.real, folder.split) in seen or folder.leads_back():
            others[_AGAIN] += 1
            continue
        seen.add((folder.real, folder.split))
        inside = []
        with os.scandir(folder.real) as entries:  # the real one: a path with more than forty links cannot be opened
            for entry in sorted(entries, key=lambda entry: entry.name):
                if entry.name.startswith("."):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    inside.append(folder.holding(entry))
                elif entry.is_symlink() and os.path.isdir(entry.path):  # noqa: PTH112
                    waiting.append(folder.linked(entry))
                else:
                    yield f"{folder.path}/{entry.name}", entry.path
        waiting.extendleft(reversed(inside))


class _Folder(NamedTuple):
    """A folder on the walk.

    Attributes:
        path: by which it was found.
        real: where it is.
        split: that the path names, below the root.
        via: the real folder of the last link on the way, and of those before it.
    """

    path: str
    real: str
    split: str = ""
    via: "tuple[str, Any] | None" = None

    def holding(self, entry: "os.DirEntry[str]") -> "_Folder":
        return _Folder(
            f"{self.path}/{entry.name}", f"{self.real}/{entry.name}", self.split or role(entry.name), self.via
        )

    def linked(self, entry: "os.DirEntry[str]") -> "_Folder":
        return self.holding(entry)._replace(real=os.path.realpath(entry.path), via=(self.real, self.via))

    def leads_back(self) -> bool:
        """Whether a link on the way lies in it."""
        via, start = self.via, f"{self.real.rstrip('/')}/"
        while via:
            if f"{via[0]}/".startswith(start):
                return True
            via = via[1]
        return False


_AGAIN = "linked folders left out, which lead to where they lie or to what is read already"


def ending(name: str) -> str:
    """A file's ending in lower case with its dot, and with the one before ``.gz``: ``.csv``, ``.jsonl.gz``."""
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122
    return os.path.splitext(stem)[1] + suffix if suffix == ".gz" else suffix  # noqa: PTH122


def _plain(path: str) -> bool:
    """No pipe or device, at which a reader would wait; a link to nothing is damaged, and counted as such."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116
    except OSError:
        return True


def _few(endings: list[str], most: int = 8) -> str:
    return ", ".join(endings) if len(endings) <= most else f"that can be read ({', '.join(endings[:most])} …)"


def _counted(others: Counter[str], most: int = 6) -> str:
    """``2 .txt, 1 .pdf``, the most frequent first."""
    listed = sorted(others.items(), key=lambda item: (-item[1], item[0]))
    said = [f"{count} {kind or 'without an ending'}" for kind, count in listed[:most]]
    rest = sum(count for _, count in listed[most:])
    return ", ".join([*said, f"{rest} more"] if rest else said)


def _placed(file: Path, real: Path, root: Path, files_name_splits: bool) -> File:
    folders = list(file.relative_to(root).parts[:-1])
    roles = [role(folder) for folder in folders]
    split = next(filter(None, roles), "")
    if split:
        del folders[roles.index(split)]
    elif files_name_splits:
        split = role(file.name[: len(file.name) - len(ending(file.name))])
    return File(real, split, folders[0] if folders else "", str(file.relative_to(root)))


def role(name: str) -> str:
    """The split that a folder, a file or a split of that name holds; empty where the name does not say."""
    return ROLES.get(_SHARD.sub("", name.lower()), "")
