"""Where a checkpoint is, whether it may be loaded, and what it holds: all that can be known without torch."""

import hashlib
from pathlib import Path

from bench.errors import SuiteError

_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")
_SAMPLE = 1 << 23  # bytes hashed at either end of a large file


def resolve(name: str, suite: Path) -> tuple[str, str | None]:
    """A hub id as it is, or a local folder's absolute path and the fingerprint of its content.

    Relative paths start at the suite's folder, then at the current one. :class:`SuiteError` for a folder that is
    missing, or holds no safetensors.
    """
    for base in (suite.parent, Path()):
        folder = (base / Path(name).expanduser()).resolve()
        if folder.is_dir():
            return str(folder), _fingerprint(folder, suite)
        if folder.is_file():
            raise SuiteError(suite, "checkpoint", f"{folder} is a file", "name the folder that holds it")
    if name.startswith((".", "/", "~", "\\")) or name.count("/") > 1 or not name:
        raise SuiteError(
            suite, "checkpoint", f"no folder {name!r}", "name a folder or a hub id such as openai-community/gpt2"
        )
    return name, None


def _fingerprint(folder: Path, suite: Path) -> str:
    """SHA-256 over names, sizes and content (of large files their two ends, which hold the tensors' table)."""
    if not any(folder.rglob("*.safetensors")):
        if pickles := sorted(path.name for pattern in _PICKLES for path in folder.rglob(pattern)):
            problem = f"{folder} holds pickle weights only ({pickles[0]}), which can run code"
            raise SuiteError(suite, "checkpoint", problem, "save the model again with save_pretrained, as safetensors")
        raise SuiteError(suite, "checkpoint", f"{folder} holds no weights", "it needs config.json and *.safetensors")
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file() and ".cache" not in path.parts):
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()}:{size}:".encode())
        with path.open("rb") as file:
            digest.update(file.read(_SAMPLE))
            if size > _SAMPLE:
                file.seek(max(_SAMPLE, size - _SAMPLE))
                digest.update(file.read(_SAMPLE))
    return digest.hexdigest()[:16]
