"""What datasets of a user's own files share: what lies in a folder, what it is called, and a hash of it.

A plugin lists its files (:func:`listing`), reads them one by one (:func:`read_each`) and hands what it found to
:func:`dataset`; beside its function it defines ``content``, of :func:`content`.
"""

import hashlib
import os
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from bench import cache
from bench.datasets._gathering import Damaged as Damaged
from bench.datasets._gathering import Found as Found
from bench.datasets._gathering import Item as Item
from bench.datasets._gathering import dataset as dataset
from bench.errors import DataError

ROLES = {"train": "train", "training": "train", "test": "test"}
ROLES |= dict.fromkeys(("validation", "valid", "val", "dev"), "validation")
"""Names of folders, files and splits that say which split they hold, case aside."""

_SHARD = re.compile(r"-\d+-of-\d+$")  # as in train-00000-of-00002.parquet


class File(NamedTuple):
    """A file of a dataset.

    Attributes:
        path: where it is.
        split: that its path names; empty where it names none.
        group: the sub-folder it lies in, that of the split aside; empty where there is none.
    """

    path: Path
    split: str
    group: str


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
        raise DataError(f"{where} cannot be read ({one_line(error)}); name one you may read") from error
    return found


def listing(name: str, path: str, suffixes: Collection[str], *, files_name_splits: bool = False) -> list[File]:
    """The files of a folder and its sub-folders, sorted by path, or the one file that ``path`` is.

    Args:
        name: of the dataset.
        path: as the suite says it: relative to the current folder, ``~`` is the user's home.
        suffixes: that its files have, in lower case with their dot; others, and what is hidden, are left out.
        files_name_splits: whether a file such as ``test.csv`` names a split, or only a folder does.

    Raises:
        DataError: nothing is there, it may not be read, or it holds no such files.
    """
    root = located(name, path)
    if root.is_file():
        return [File(root, "", "")]
    found = []
    try:
        for folder, folders, names in os.walk(root, onerror=_raise):
            folders[:] = [one for one in folders if not one.startswith(".")]
            found += [
                Path(folder, one)
                for one in names
                if not one.startswith(".") and os.path.splitext(one)[1].lower() in suffixes  # noqa: PTH122 - many files
            ]
    except OSError as error:
        raise DataError(f"dataset {name}: {root} cannot be read ({one_line(error)}); make it readable") from error
    if not found:
        raise DataError(f"dataset {name}: {root} holds no files {', '.join(sorted(suffixes))}; name a folder that does")
    return [_placed(file, root, files_name_splits) for file in sorted(found)]


def _raise(error: OSError) -> None:
    raise error


def _placed(file: Path, root: Path, files_name_splits: bool) -> File:
    folders = list(file.relative_to(root).parts[:-1])
    roles = [role(folder) for folder in folders]
    split = next(filter(None, roles), "")
    if split:
        del folders[roles.index(split)]
    elif files_name_splits:
        split = role(file.stem)
    return File(file, split, folders[0] if folders else "")


def role(name: str) -> str:
    """The split that a folder, a file or a split of that name holds; empty where the name does not say."""
    return ROLES.get(_SHARD.sub("", name.lower()), "")


def content(files: Iterable[File]) -> str:
    """Hash of the files' names and content, 16 hex digits: what a dataset made of them depends on.

    They are read once; the hash is remembered for as long as no file's path, size or time of change differs.
    """
    listed = list(files)
    seen = hashlib.sha256()
    for path, _, _ in listed:
        seen.update(f"{path}\0".encode("utf-8", "replace"))
        with suppress(OSError):  # a dangling link, a file one may not read: it is damaged, and counted as such
            about = path.stat()
            seen.update(f"{about.st_size}\0{about.st_mtime_ns}\0{about.st_ctime_ns}\0".encode())

    def build(into: Path) -> None:
        digest = hashlib.sha256()
        for path, split, group in listed:
            digest.update(f"{split}\0{group}\0{path.name}\0".encode("utf-8", "replace"))
            with suppress(OSError), path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        (into / "sha256").write_text(digest.hexdigest()[:16])

    return (cache.folder("contents", {"files": seen.hexdigest()}, build) / "sha256").read_text()


def read_each(files: Iterable[File], read: Callable[[Path], Iterable[Item]]) -> Iterator[Found | Damaged]:
    """What ``read`` finds in each file; where it raises :class:`Damaged` or ``OSError``, that."""
    for file in files:
        try:
            for item in read(file.path):
                yield Found(item, file.split, file.group)
        except (Damaged, OSError) as error:
            yield Damaged(f"{file.path}: {one_line(error)}")


def one_line(error: BaseException) -> str:
    """An exception's text without its line breaks; its type where it says nothing."""
    return " ".join(str(error).split()) or type(error).__name__
