"""Files of results: written whole or not at all, as plain JSON, and read with what is wrong with them. No torch."""

import hashlib
import json
import math
import os
import re
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import ResultsError
from bench.results import disk

ANEW = "run the suite again to make it anew"

PARTIAL = ".partial-"
_SURROGATE = re.compile("[\ud800-\udfff]")  # such as in the name of a file that is no UTF-8; no table holds it
_SEAL = "sha256"
_LARGEST = 1 << 26  # bytes of JSON that is read


class Damaged(ValueError):
    """What is wrong with a file.

    Attributes:
        content: of the file, as far as it is JSON; else None.
    """

    def __init__(self, what: str, content: Any = None) -> None:
        super().__init__(what)
        self.content = content


def write_atomically(path: Path, write: Callable[[Path], object]) -> None:
    """``write`` a temporary neighbour of ``path``, then rename it: a reader sees all of it or nothing."""
    with disk.clear_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(prefix=PARTIAL, suffix=path.suffix, dir=path.parent)
        os.close(handle)
        partial = Path(name)
        try:
            write(partial)
            partial.chmod(0o644)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)


def remove_partial(run: Path) -> None:
    """Remove what :func:`write_atomically` was writing into a run when its process was killed."""
    for path in run.rglob(f"{PARTIAL}*"):
        path.unlink(missing_ok=True)


def write_json(path: Path, value: Any) -> None:
    """:func:`plain` ``value`` as indented JSON."""
    text = json.dumps(plain(value), indent=1, allow_nan=False)
    write_atomically(path, lambda partial: partial.write_text(text + "\n", encoding="utf-8"))


def plain(value: Any) -> Any:
    """``value`` as JSON has it: text as keys, lists for tuples, null for NaN and infinities, ``�`` for no character."""
    if isinstance(value, str):
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {plain(str(key)): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    return value


def sealed(content: dict[str, Any]) -> dict[str, Any]:
    """A JSON object with a checksum of all that it says; however it is laid out."""
    return content | {_SEAL: _digest(content)}


def has_seal(content: Any) -> bool:
    """Whether there is a checksum in what was read."""
    return isinstance(content, dict) and _SEAL in content


def is_broken(content: Any) -> bool:
    """Whether a checksum in what was read is of something else."""
    return has_seal(content) and content[_SEAL] != _digest(content)


def _digest(content: dict[str, Any]) -> str:
    said = {key: value for key, value in content.items() if key != _SEAL}
    return hashlib.sha256(json.dumps(plain(said), sort_keys=True, allow_nan=False).encode()).hexdigest()


def read_json(path: Path) -> Any:
    """The JSON in ``path``; :class:`ResultsError` where there is none."""
    try:
        return parsed(path)
    except Damaged as reason:
        raise ResultsError(f"{path}: not a readable result ({reason}); {ANEW}") from reason


def parsed(path: Path) -> Any:
    """The JSON in ``path``; :class:`Damaged` says why there is none."""
    return parsed_text(content(path))


def parsed_text(text: str | bytes) -> Any:
    """The JSON in a text, or in its bytes in UTF-8; :class:`Damaged` says why there is none."""
    try:
        return json.loads(text if isinstance(text, str) else text.decode())
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of 5,000 digits, 5,000 brackets
        raise Damaged(" ".join(str(error).split())) from error


def said(error: Exception) -> str:
    """What a library says of a damaged file, as one line."""
    return " ".join(str(error).split())[:200] or type(error).__name__


def content(path: Path) -> bytes:
    """What is in ``path``; :class:`Damaged` says why it cannot be read."""
    try:
        return regular(path).read_bytes()
    except OSError as error:
        raise Damaged(error.strerror or str(error)) from error


def regular(path: Path, largest: int = _LARGEST) -> Path:
    """``path``, of a file that can be read to its end; :class:`Damaged` of a pipe, a device or a flood."""
    about = path.stat()
    if not stat.S_ISREG(about.st_mode):
        raise Damaged("no regular file")
    if about.st_size > largest:
        raise Damaged(f"larger than {largest >> 20} MiB")
    return path
