"""The records of a run's cells in one file: ``records.jsonl.gz`` of a packed run.

A line is JSON: a cell's name, its record as it was written, and the SHA-256 of that. A few dozen lines are one member
of the gzip file, so that a flipped bit costs no more. Imports no torch.
"""

import gzip
import hashlib
import json
import re
import zlib
from collections.abc import Iterator
from pathlib import Path

from bench.results import files
from bench.results.files import Damaged

NAME = "records.jsonl.gz"
TOGETHER = 32  # records of a member
LONGEST, MOST = 1 << 26, 1 << 32  # bytes of a member or another file, and of all of them

_CELL = re.compile(r"[A-Za-z0-9_+-][A-Za-z0-9_+.-]{0,250}")
_MAGIC = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"  # that a member begins with
_CHUNK = 1 << 16


def read(path: Path) -> tuple[dict[str, str], str]:
    """Cell to the text of its record, as far as the file can be read, and what is wrong with it."""
    found, wrong = dict[str, str](), ""
    try:
        for one in _lines(files.regular(path, MOST).read_bytes()):
            try:
                cell, text = _entry(one)
                found[cell] = text
            except (ValueError, KeyError, TypeError, RecursionError) as error:
                wrong = wrong or files.said(error)
    except (OSError, EOFError, ValueError) as error:
        wrong = wrong or files.said(error)
    return found, wrong


def write(run: Path, texts: dict[str, str]) -> None:
    """Make the file of a run's records; cell to the text of its record."""
    lines = [line(cell, text) for cell, text in sorted(texts.items())]
    groups = [lines[start : start + TOGETHER] for start in range(0, len(lines), TOGETHER)]
    packed = b"".join(gzip.compress(b"".join(group), 9, mtime=0) for group in groups)
    files.write_atomically(run / NAME, lambda partial: partial.write_bytes(packed))


def line(cell: str, text: str) -> bytes:
    """What stands in the file for a cell."""
    entry = {"cell": cell, "sha256": hashlib.sha256(text.encode()).hexdigest(), "record": text}
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _lines(packed: bytes) -> Iterator[bytes]:
    """The lines of each member; a member that is damaged gives one that is empty, and the next one follows."""
    place, total = 0, 0
    while 0 <= place < len(packed) and total < MOST:
        try:
            text, place = _member(packed, place)
            total += len(text)
            yield from text.removesuffix(b"\n").split(b"\n")
        except (zlib.error, ValueError):
            yield b""
            place = packed.find(_MAGIC, place + 1)


def _member(packed: bytes, place: int) -> tuple[bytes, int]:
    """What a member holds, and where it ends."""
    member, parts, size = zlib.decompressobj(31), list[bytes](), 0
    while not member.eof:
        if not (chunk := packed[place : place + _CHUNK]):
            raise ValueError("it ends early")
        parts.append(member.decompress(chunk, 2 * LONGEST))
        size += len(parts[-1])
        if member.unconsumed_tail or size > 2 * LONGEST or parts[-1].count(b"\n") > TOGETHER:
            raise ValueError("too large")
        place += len(chunk) - len(member.unused_data)
    return b"".join(parts), place


def _entry(one: bytes) -> tuple[str, str]:
    if not one:
        raise Damaged("a part of it cannot be read")
    entry = json.loads(one)
    cell, text = str(entry["cell"]), str(entry["record"])
    if not _CELL.fullmatch(f"{cell}.json"):
        raise Damaged("a line is of no cell")
    if hashlib.sha256(text.encode()).hexdigest() != entry["sha256"]:
        raise Damaged(f"the record of {cell} is not what its checksum says")
    return cell, text
