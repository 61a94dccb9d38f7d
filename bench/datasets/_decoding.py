"""A user's file as text: unpacked where it is gzip, and in the encoding that its mark, an option or a guess says."""

import codecs
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from bench.datasets._gathering import Damaged, Remark
from bench.datasets._guessing import guess
from bench.errors import PluginError

AUTO = "auto"
"""The encoding that asks for a guess."""

_MARKS = {  # the longer first: UTF-32's begins as UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_ORDERED = ("utf-16", "utf-32")  # whose mark says which byte of a character comes first
_GZIP = b"\x1f\x8b"
_FOREIGN = {
    b"PK\x03\x04": "a zip archive, or a workbook such as .xlsx; unpack it, or save it as plain text",
    b"\xd0\xcf\x11\xe0": "an office document; save it as plain text",
    b"%PDF-": "a PDF; save it as plain text",
    b"PAR1\x15": "a Parquet table; read it with the dataset parquet",
    b"\xfd7zXZ\x00": "compressed by xz; unpack it, or compress it by gzip",
    b"\x28\xb5\x2f\xfd": "compressed by zstd; unpack it, or compress it by gzip",
    **{b"BZh%d1AY&SY" % level: "compressed by bzip2; unpack it, or compress it by gzip" for level in range(1, 10)},
}
_HEAD = 512  # bytes: a tar archive's mark ends at the 262nd
_SAMPLE = 2**16  # bytes of lines that are not ASCII: enough to guess from
_AT_ONCE = 2**20  # bytes
_RATIO, _HARMLESS = 200, 2**26  # text shrinks to a tenth, tables to a fiftieth; bytes that fit into any memory
_HALF = re.compile("[\ud800-\udfff]")


def check(dataset: str, encoding: str) -> None:
    """Raise :class:`PluginError` unless it is ``auto`` or the name of an encoding of files that Python knows.

    One that cannot pass over what is damaged, as files are read, is none: ``idna`` and ``punycode`` are of names.
    """
    try:
        if encoding != AUTO:
            encoded = "a\n".encode(encoding)
            codecs.getincrementaldecoder(encoding)("surrogateescape").decode(encoded)
    except (LookupError, ValueError):
        remedy = "name one that Python knows, such as utf-8, utf-16-le, cp1252 or shift_jis; or auto, which guesses"
        raise PluginError(f"dataset {dataset}: option 'encoding': {encoding!r} is none; {remedy}") from None


@contextmanager
def opened(path: Path, encoding: str, newline: str | None = None) -> Iterator[io.TextIOWrapper]:
    """The text of a file; what is damaged in it is told to whoever reads it, as :class:`Damaged`.

    A byte order mark is believed, whatever ``encoding`` says. Bytes that are no text come as lone surrogates, of which
    :func:`flaw` says what they were; where an encoding cannot do that, the rest of the file is damaged.

    Args:
        path: of the file.
        encoding: that Python knows, or ``auto``.
        newline: as of :func:`open`.
    """
    with ExitStack() as stack:
        try:
            mark = _marked(path)
            name = mark or (_guessed(path) if encoding == AUTO else encoding)
            binary = stack.enter_context(_unpacked(path))
            yield stack.enter_context(
                io.TextIOWrapper(binary, encoding=name, errors="surrogateescape", newline=newline)
            )
        except (EOFError, zlib.error) as error:
            raise Damaged(f"its gzip is damaged ({error})") from error
        except UnicodeError as error:
            if not mark and (known := codecs.lookup(name).name) in _ORDERED:
                remedy = f"say the order of its bytes in the option ({known}-le, or {known}-be)"
                raise Damaged(f"not {known.upper()}, for want of a byte order mark; {remedy}") from error
            spelt, reason = getattr(error, "encoding", name).upper(), getattr(error, "reason", error)
            raise Damaged(f"not {spelt} ({reason}); say its encoding in the option") from error


def remarks(file: io.TextIOWrapper, encoding: str) -> list[Remark]:
    """That a file's encoding was guessed, where it was and made a difference."""
    guessed = encoding == AUTO and not file.encoding.startswith("utf")
    return [Remark(f"read as {file.encoding}, which is a guess", "file")] if guessed else []


def flaw(text: str, encoding: str = "utf-8") -> str:
    """What is no text in a text that was read in an encoding; empty where all of it is."""
    if "\0" in text:
        return "holds NULs: it is binary, or UTF-16 without a byte order mark (encoding: utf-16-le, or utf-16-be)"
    if not (found := _HALF.search(text)):
        return ""
    byte = ord(found[0]) - 0xDC00
    if not 0x80 <= byte <= 0xFF:
        return f"holds half a character (U+{ord(found[0]):04X}), which is not UTF-8"
    name = "the encoding it was guessed to be in" if encoding == AUTO else encoding.upper()
    return f"not {name} (byte 0x{byte:02x}); say its encoding in the option, or auto"


def _marked(path: Path) -> str:
    with _unpacked(path) as file:
        head = file.read(4)
    return next((name for mark, name in _MARKS.items() if head.startswith(mark)), "")


def _guessed(path: Path) -> str:
    """UTF-8 where all of it is; else what the lines that are not ASCII look like."""
    decoder, sample, valid = codecs.getincrementaldecoder("utf-8")(), list[bytes](), True
    with _unpacked(path) as file:
        for number, chunk in enumerate(iter(lambda: file.read(_AT_ONCE), b"")):
            try:
                decoder.decode(chunk, final=len(chunk) < _AT_ONCE)
            except UnicodeDecodeError:
                valid = False
            whole = chunk.split(b"\n")[number > 0 : -1 if len(chunk) == _AT_ONCE else None] or [chunk]
            if sum(map(len, sample)) < _SAMPLE:
                sample += [line for line in whole if not line.isascii()]
            elif not valid:
                break
    if valid:
        return "utf-8"
    lines = b"\n".join(dict.fromkeys(sample))[:_AT_ONCE]  # what is said again and again says no more, and looks odd
    if b"\0" in lines:
        raise Damaged(flaw("\0"))
    if not (name := guess(lines)):
        raise Damaged("its encoding cannot be guessed; say it in the option encoding")
    return name


@contextmanager
def _unpacked(path: Path) -> "Iterator[BinaryIO | _Gzip]":
    with path.open("rb") as file:
        head = file.peek(_HEAD)
        _known(head, "it is")
        if not head.startswith(_GZIP):
            yield file
            return
        with _Gzip(path, file) as unpacked:
            inner = unpacked.peek(_HEAD)
            _known(inner, "it is gzip, and what it holds is")
            if inner.startswith(_GZIP):
                raise Damaged("it is compressed by gzip twice; unpack it once")
            yield unpacked


def _known(head: bytes, where: str) -> None:
    """Raise :class:`Damaged` where a file begins as something that holds texts, and is none."""
    if kind := next((kind for mark, kind in _FOREIGN.items() if head.startswith(mark)), ""):
        raise Damaged(f"{where} {kind}")
    if head[257:262] == b"ustar":
        raise Damaged(f"{where} a tar archive; unpack it")


class _Gzip(gzip.GzipFile):
    """Raises :class:`Damaged` where it unfolds to far more than text would."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        super().__init__(fileobj=file)
        self.allowed = max(_HARMLESS, _RATIO * path.stat().st_size)

    def read1(self, size: int = -1) -> bytes:
        return self._counted(super().read1(size))

    def read(self, size: int | None = -1) -> bytes:
        if size is None or size < 0:
            return b"".join(iter(lambda: self.read1(_AT_ONCE), b""))
        return self._counted(super().read(size))

    def _counted(self, read: bytes) -> bytes:
        if self.tell() > self.allowed:
            raise Damaged(f"it unfolds to more than {_RATIO} times its size; unpack it if it is meant to")
        return read
