"""A finished run in two files: ``records.jsonl.gz``, and ``beside.zip`` with all that lies beside the records.

A line of the first is JSON: a cell's name, its record as it was written, and the SHA-256 of that. The second holds
curves, samples and logs under their paths in the run's folder. Both are written whole or not at all, and only then what
they hold is taken from the folder: whenever a process is killed, each file is in one of the two places. Where it is in
both, the one in the folder is newer. Imports no torch.
"""

import gzip
import hashlib
import json
import re
import zipfile
import zlib
from contextlib import suppress
from functools import cached_property
from pathlib import Path

from bench.results import files
from bench.results.files import Damaged
from bench.words import counted

RECORDS, BESIDE = "records.jsonl.gz", "beside.zip"

_PATH = re.compile(r"(cells|logs)(/[A-Za-z0-9_+-][A-Za-z0-9_+.-]*){1,2}")
_LONGEST = 1 << 26  # bytes of a line, or of a file in the archive
_BROKEN = (OSError, EOFError, ValueError, KeyError, zlib.error, zipfile.BadZipFile, NotImplementedError, RuntimeError)


class Pack:
    """What is packed in a run's folder, as far as it can be read.

    Attributes:
        damaged: file to what is wrong with it; filled as they are read.
    """

    def __init__(self, run: Path) -> None:
        self.run = run
        self.damaged: dict[str, str] = {}

    @cached_property
    def records(self) -> dict[str, str]:
        """Cell to the text of its record."""
        found = dict[str, str]()
        if not (path := self.run / RECORDS).exists():
            return found
        wrong = list[str]()
        try:
            files.regular(path)
            with gzip.open(path) as lines:
                while line := lines.readline(_LONGEST):
                    try:
                        cell, text = _entry(line)
                        found[cell] = text
                    except (ValueError, KeyError, TypeError) as error:
                        wrong.append(_said(error))
        except _BROKEN as error:
            wrong.append(_said(error))
        if wrong:
            self.damaged[RECORDS] = f"{wrong[0]}; {counted(len(found), 'record')} of it can be read"
        return found

    def names(self) -> list[str]:
        """Paths of the files in the archive."""
        return [name for name in (self._archive.namelist() if self._archive else ()) if _PATH.fullmatch(name)]

    def content(self, name: str) -> bytes | None:
        """A file of the archive; None where it has none of that path, :class:`Damaged` where it cannot be read."""
        if self._archive is None or name not in self._archive.NameToInfo:
            return None
        try:
            if self._archive.getinfo(name).file_size > _LONGEST:
                raise Damaged(f"larger than {_LONGEST >> 20} MiB")
            return self._archive.read(name)
        except _BROKEN as error:
            raise Damaged(f"in {BESIDE}: {_said(error)}") from error

    def close(self) -> None:
        """Let go of the archive."""
        if self._archive:
            self._archive.close()

    @cached_property
    def _archive(self) -> zipfile.ZipFile | None:
        path = self.run / BESIDE
        if not path.exists():
            return None
        try:
            if not path.is_file():
                raise Damaged("no regular file")
            return zipfile.ZipFile(path)
        except _BROKEN as error:
            self.damaged[BESIDE] = _said(error)
            return None


def pack(run: Path) -> None:
    """Pack a finished run; the same bytes from the same files. What was packed before and is not in the folder stays.

    Weights, and what has a name or a content that no run gives, stay where they are.
    """
    before, records, beside = Pack(run), dict[str, str](), dict[str, Path]()
    loose = [path for folder in ("cells", "logs") for path in (run / folder).rglob("*") if path.is_file()]
    for path in sorted(loose):
        name = path.relative_to(run).as_posix()
        if not _PATH.fullmatch(name) or path.suffix == ".safetensors" or path.stat().st_size > _LONGEST:
            continue
        if path.parent == run / "cells" and path.suffix == ".json":
            with suppress(UnicodeDecodeError):
                records[path.stem] = path.read_text(encoding="utf-8")
        else:
            beside[name] = path

    def write_beside(partial: Path) -> None:
        with zipfile.ZipFile(partial, "w") as archive:
            for name in sorted({*beside, *before.names()}):
                content = beside[name].read_bytes() if name in beside else before.content(name)
                archive.writestr(zipfile.ZipInfo(name), content or b"", zipfile.ZIP_DEFLATED, 9)

    def write_records(partial: Path) -> None:
        with partial.open("wb") as raw, gzip.GzipFile("", "wb", 9, raw, mtime=0) as lines:
            for cell, text in sorted((before.records | records).items()):
                lines.write(_line(cell, text))

    files.write_atomically(run / BESIDE, write_beside)
    files.write_atomically(run / RECORDS, write_records)
    for path in (*beside.values(), *(run / "cells" / f"{cell}.json" for cell in records)):
        path.unlink()
    for folder in sorted((path for path in run.rglob("*/") if path.is_dir()), reverse=True):
        with suppress(OSError):  # something else lies in it
            folder.rmdir()


def unpack(run: Path) -> None:
    """Make each packed file one in the folder again, where it has no newer one; the packed ones go when all are there.

    One that cannot be read whole is put aside under the name ``damaged-…``.
    """
    found = Pack(run)
    for cell, text in found.records.items():
        _restore(run / "cells" / f"{cell}.json", text.encode())
    for name in found.names():
        try:
            _restore(run / name, found.content(name) or b"")
        except Damaged as reason:
            found.damaged[BESIDE] = str(reason)
    found.close()
    for name in (RECORDS, BESIDE):
        if name in found.damaged:
            (run / name).replace(run / f"damaged-{name}")
        (run / name).unlink(missing_ok=True)


def _restore(path: Path, content: bytes) -> None:
    if not path.exists():
        files.write_atomically(path, lambda partial: partial.write_bytes(content))


def checksums(run: Path) -> dict[str, str]:
    """SHA-256 of a finished run's records and table, and the size of what lies beside: whether they still are these."""
    digests = {name: hashlib.sha256((run / name).read_bytes()).hexdigest() for name in (RECORDS, "results.parquet")}
    return digests | {BESIDE: f"{(run / BESIDE).stat().st_size} bytes"}


def _said(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__


def _line(cell: str, text: str) -> bytes:
    entry = {"cell": cell, "sha256": hashlib.sha256(text.encode()).hexdigest(), "record": text}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _entry(line: bytes) -> tuple[str, str]:
    entry = json.loads(line)
    cell, text = str(entry["cell"]), str(entry["record"])
    if not _PATH.fullmatch(f"cells/{cell}.json"):
        raise Damaged("a line is of no cell")
    if hashlib.sha256(text.encode()).hexdigest() != entry["sha256"]:
        raise Damaged(f"the record of {cell} is not what its checksum says")
    return cell, text
