"""What datasets of a user's own files share: what lies in a folder, what it is called, and a hash of it.

A plugin lists its files (:func:`listing`), reads them one by one (:func:`read_each`) and hands what it found to
:func:`dataset`; beside its function it defines ``content``, of :func:`content`.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from bench import cache
from bench.datasets._gathering import Damaged as Damaged
from bench.datasets._gathering import Found as Found
from bench.datasets._gathering import Item as Item
from bench.datasets._gathering import Remark as Remark
from bench.datasets._gathering import dataset as dataset
from bench.datasets._listing import File as File
from bench.datasets._listing import Listing as Listing
from bench.datasets._listing import ending as ending
from bench.datasets._listing import listing as listing
from bench.datasets._listing import located as located
from bench.datasets._listing import role as role

_READING = b"3"  # raised when the same files make other items: cells finished before then count as missing


def content(found: Listing) -> str:
    """Hash of the files' names and content, 16 hex digits: what a dataset made of them depends on.

    They are read once; the hash is remembered for as long as no file's path, size or time of change differs.
    """
    listed = found.files
    seen = hashlib.sha256(_READING)
    for path, *_ in listed:
        seen.update(f"{path}\0".encode("utf-8", "replace"))
        with suppress(OSError):  # a dangling link, a file one may not read: it is damaged, and counted as such
            about = path.stat()
            seen.update(f"{about.st_size}\0{about.st_mtime_ns}\0{about.st_ctime_ns}\0".encode())

    def build(into: Path) -> None:
        digest = hashlib.sha256(_READING)
        for path, split, group, _ in listed:
            digest.update(f"{split}\0{group}\0{path.name}\0".encode("utf-8", "replace"))
            with suppress(OSError), path.open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        (into / "sha256").write_text(digest.hexdigest()[:16])

    return (cache.folder("contents", {"files": seen.hexdigest()}, build) / "sha256").read_text()


def read_each(listed: Listing, read: Callable[[Path], Iterable[Item | Remark]]) -> Iterator[Found | Damaged | Remark]:
    """What ``read`` finds in each file; where it raises :class:`Damaged` or ``OSError``, that."""
    for file in listed.files:
        try:
            for item in read(file.path):
                yield item if isinstance(item, Remark) else Found(item, file.split, file.group)
        except (Damaged, OSError) as error:
            yield Damaged(f"{file.name}: {one_line(error)}")
    yield from listed.remarks


def one_line(error: BaseException) -> str:
    """An exception's text without its line breaks, without the path that an operating system adds; else its type."""
    said = (error.strerror if isinstance(error, OSError) else None) or str(error)
    return " ".join(said.split()) or type(error).__name__
