"""Where a checkpoint is, and the fingerprint of what it holds."""

import hashlib
import re
from pathlib import Path

from bench import cache
from bench.errors import Unusable
from bench.words import cut

_LARGE = 1 << 24  # bytes; the hash of a larger file is remembered until the file changes
HUB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)?")


def resolve(name: str, beside: Path) -> tuple[str, str | None]:
    """A hub id as it is, or a local folder's absolute path and the fingerprint of its content.

    Relative paths start at the folder ``beside``, then at the current one. :class:`Unusable` for what is neither
    there nor a hub id. What is wrong with what is there, :mod:`bench.checkpoints.inspection` says.
    """
    try:
        for base in (beside, Path()) if name else ():
            folder = (base / Path(name).expanduser()).resolve()
            if folder.is_dir():
                return str(folder), _fingerprint(folder)
            if folder.is_file():
                raise Unusable(f"{folder} is a file", "name the folder that holds it")
    except (OSError, RuntimeError, ValueError) as error:  # an unknown user's home, a NUL, a file one may not read
        raise Unusable(
            f"{cut(name, 200)!r} cannot be read ({cut(str(error), 200)})", "name a folder you may read, or a hub id"
        ) from error
    if not HUB_ID.fullmatch(name):
        raise Unusable(f"no folder {cut(name, 200)!r}", "name a folder or a hub id such as openai-community/gpt2")
    return name, None


def _fingerprint(folder: Path) -> str:
    """SHA-256 over names and content of every file, first 16 hex digits; empty where no weights are among them."""
    if not any(folder.rglob("*.safetensors")):
        return ""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder)
        if name.parts[0] != ".cache":  # where downloads keep notes of their own
            digest.update(f"{name.as_posix()}:{_hash(path)}:".encode())
    return digest.hexdigest()[:16]


def _hash(path: Path) -> str:
    """SHA-256 of a file's content."""
    about = path.stat()
    if about.st_size <= _LARGE:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    key = {"file": str(path), "size": about.st_size, "changed": [about.st_mtime_ns, about.st_ctime_ns]}

    def build(into: Path) -> None:
        with path.open("rb") as file:
            (into / "sha256").write_text(hashlib.file_digest(file, "sha256").hexdigest())

    return (cache.folder("checkpoints", key, build) / "sha256").read_text()
