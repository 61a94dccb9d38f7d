"""A finished run in three files. ``records.jsonl.gz`` has the records (:mod:`bench.results.packed_records`),
``items.parquet`` what test items add to scores (:mod:`bench.results.packed_items`), and ``beside.zip`` all else:
curves, samples and logs, under their paths in the run's folder.

All are written whole and read again, and only then what they hold is taken from the folder: whenever a process is
killed, each file is in one of the two places. Where it is in both, that in the folder is newer. Imports no torch.
"""

import errno
import hashlib
import os
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bench.errors import ResultsError
from bench.results import disk, files, items, packed_items, packed_records
from bench.results.files import Damaged
from bench.words import counted

RECORDS, BESIDE, ITEMS = packed_records.NAME, "beside.zip", packed_items.NAME

_FILE = r"[A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,250}"
_CELL = re.compile(_FILE)
_PATH = re.compile(rf"cells/{_FILE}/{_FILE}|logs/{_FILE}")
_LONGEST, _MOST = packed_records.LONGEST, packed_records.MOST  # bytes of a file, and of all of them
_NO_NAMES = (errno.ENOTDIR, errno.EISDIR, errno.EEXIST, errno.ENAMETOOLONG)
_BROKEN = (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


class Pack:
    """What is packed in a run's folder, as far as it can be read.

    Attributes:
        damaged: file to what is wrong with it; filled as they are read.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.damaged: dict[str, str] = {}
        self._records: dict[str, str] | None = None
        self._items: packed_items.PackedItems | None = None
        self._archive: zipfile.ZipFile | None = None
        self._beside: dict[str, set[str]] = {}

    @property
    def records(self) -> dict[str, str]:
        """Cell to the text of its record; read once, when there is a file."""
        if self._records is None and (path := self.run / RECORDS).exists():
            self._records, wrong = packed_records.read(path)
            if wrong:
                self.damaged[RECORDS] = f"{wrong}; {counted(len(self._records), 'record')} of it can be read"
        return self._records or {}

    @property
    def items(self) -> packed_items.PackedItems:
        """What test items add to the cells' scores; read once."""
        if self._items is None:
            self._items = packed_items.PackedItems(self.run)
            self.damaged |= {ITEMS: what} if (what := self._items.damaged) else {}
        return self._items

    def names(self) -> list[str]:
        """Paths of the files in the archive."""
        archive = self._opened()
        return [name for name in (archive.namelist() if archive else ()) if _PATH.fullmatch(name)]

    def content(self, name: str) -> bytes | None:
        """A file of the archive; None where it has none of that path, :class:`Damaged` where it cannot be read."""
        archive = self._opened()
        if archive is None or name not in archive.NameToInfo:
            return None
        try:
            if archive.getinfo(name).file_size > _LONGEST:
                raise Damaged(f"larger than {_LONGEST >> 20} MiB")
            return archive.read(name)
        except _BROKEN as error:
            raise Damaged(f"in {BESIDE}: {files.said(error)}") from error

    def every(self) -> Iterator[tuple[str, str]]:
        """Each file of the archive, whatever it is called, and what is wrong with it; each is read."""
        archive = self._opened()
        for name in archive.namelist() if archive else ():
            try:
                self.content(name)
                yield name, "" if _PATH.fullmatch(name) else "a name that no run gives to a file"
            except Damaged as reason:
                yield name, str(reason)

    def beside(self, cell: str) -> set[str]:
        """Names of the files in the archive that lie beside a cell's record."""
        self._opened()
        return self._beside.get(cell, set())

    def check(self) -> dict[str, str]:
        """:attr:`damaged`, of all that can be told without reading every file of the archive."""
        _ = self.records, self.items, self._opened()  # which notes what is wrong
        return self.damaged

    def close(self) -> None:
        """Let go of the archive."""
        if self._archive:
            self._archive.close()

    def _opened(self) -> zipfile.ZipFile | None:
        if self._archive is None and BESIDE not in self.damaged and (path := self.run / BESIDE).exists():
            try:
                self._archive = zipfile.ZipFile(files.regular(path, _MOST))
                if sum(about.file_size for about in self._archive.infolist()) > _MOST:
                    raise Damaged(f"holds more than {_MOST >> 30} GiB")
            except _BROKEN as error:
                self.close()
                self._archive, self.damaged[BESIDE] = None, files.said(error)
            for folder, _, name in (path.rpartition("/") for path in self.names()):
                self._beside.setdefault(folder.removeprefix("cells/"), set()).add(name)
        return self._archive


def pack(run: Path) -> None:
    """Pack a finished run; the same bytes from the same files. What was packed before and is not in the folder stays.

    Weights, links, and what has a name or a content that no run gives, stay where they are.
    """
    before, records, beside = Pack(run), dict[str, str](), dict[str, Path]()
    for path in sorted(path for folder in ("cells", "logs") for path in (run / folder).rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_symlink() or not path.is_file() or path.suffix == ".safetensors" or path.stat().st_size > _LONGEST:
            continue
        if path.parent == run / "cells" and path.suffix == ".json" and _CELL.fullmatch(path.name):
            with suppress(UnicodeDecodeError):
                records[path.stem] = path.read_bytes().decode()
        elif _PATH.fullmatch(name):
            beside[name] = path

    each = {path.parent.name: path for name, path in beside.items() if path.name == items.NAME}
    for cell in (safe := packed_items.pack(run, each, before.items, before.records | records)):
        del beside[f"cells/{cell}/{items.NAME}"]

    def content(name: str) -> bytes:
        return beside[name].read_bytes() if name in beside else before.content(name) or b""

    write_archive(run, {*beside, *before.names()}, content)
    packed_records.write(run, before.records | records)
    for path in filter(Path.exists, (run / BESIDE, run / RECORDS, run / ITEMS)):
        with path.open("rb") as file:
            os.fsync(file.fileno())  # before anything is taken away, whatever becomes of the power
    written = Pack(run)
    for cell, text in records.items():
        if written.records.get(cell) == text:
            (run / "cells" / f"{cell}.json").unlink()
    for name, path in beside.items():
        with suppress(Damaged):
            if written.content(name) == path.read_bytes():
                path.unlink()
    for cell in safe:
        each[cell].unlink()
    written.close()
    before.close()
    for folder in sorted((path for part in ("cells", "logs") for path in (run / part).rglob("*/")), reverse=True):
        _remove_empty(folder)
    for part in ("cells", "logs"):
        _remove_empty(run / part)


def unpack(run: Path) -> dict[str, str]:
    """Make each packed file one in the folder again, where it has no newer one; the packed ones go when all are there.

    One that cannot be read whole is put aside under the name ``damaged-…``.

    Returns:
        The files put aside, and what is wrong with them. :class:`ResultsError` where the system gives no access to one.
    """
    for path in (run / RECORDS, run / BESIDE, run / ITEMS):
        try:
            if path.is_file():
                path.open("rb").close()
        except OSError as error:  # which is no damage: it may pass
            raise ResultsError(f"{path}: cannot be read ({error.strerror}); see that you may read it") from error
    found, aside = Pack(run), dict[str, str]()
    for cell, text in found.records.items():
        _restore(run / "cells" / f"{cell}.json", text.encode())
    for name in found.names():
        try:
            _restore(run / name, found.content(name) or b"")
        except Damaged as reason:
            found.damaged[BESIDE] = str(reason)
        except ResultsError as reason:  # a name that this folder cannot have is damage, a full disk is none
            if getattr(reason.__cause__, "errno", None) not in _NO_NAMES:
                raise
            found.damaged[BESIDE] = f"{name}: no file can have this name"
    found.close()
    for cell in found.items.cells:
        try:
            _restore(run / "cells" / cell / items.NAME, items.encoded(found.items.scores(cell)))
        except Damaged as reason:
            found.damaged[ITEMS] = str(reason)
    for name in (RECORDS, BESIDE, ITEMS):
        if name in found.damaged:
            names = (f"damaged-{number}-{name}" if number else f"damaged-{name}" for number in range(10**6))
            put = next(run / one for one in names if not (run / one).exists())
            with disk.clear_errors(put):
                (run / name).replace(put)
            aside[put.name] = found.damaged[name]
        (run / name).unlink(missing_ok=True)
    return aside


def write_archive(run: Path, names: Iterable[str], content: Callable[[str], bytes]) -> None:
    """Make the archive of what lies beside a run's records: the same bytes of the same files.

    Args:
        run: its folder.
        names: paths in that folder.
        content: of the file of such a path.
    """

    def write(partial: Path) -> None:
        with zipfile.ZipFile(partial, "w") as archive:
            for name in sorted(names):
                archive.writestr(zipfile.ZipInfo(name), content(name), zipfile.ZIP_DEFLATED, 9)

    files.write_atomically(run / BESIDE, write)


def checksums(run: Path) -> dict[str, str]:
    """SHA-256 of a finished run's records, items and table, and the size of all else: whether they still are these."""
    named = [RECORDS, "results.parquet", *([ITEMS] if (run / ITEMS).exists() else [])]  # no item adds to some scores
    return {name: checksum(run / name) for name in (*named, BESIDE)}


def checksum(path: Path) -> str:
    """SHA-256 of a finished run's file; of the archive, whose files have checksums of their own, its size."""
    if path.name == BESIDE:
        return f"{path.stat().st_size} bytes"
    return hashlib.sha256(files.regular(path, _MOST).read_bytes()).hexdigest()


def _restore(path: Path, content: bytes) -> None:
    if not path.exists():
        files.write_atomically(path, lambda partial: partial.write_bytes(content))


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):  # something else lies in it
        folder.rmdir()
