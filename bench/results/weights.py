"""Trained weights in a run's folder: what a cell adds to its pretrained model, a file of safetensors for each.

They lie there until their cell has been measured, and for good where they are kept. Imports no torch.
"""

import hashlib
from pathlib import Path

FOLDER, _SUFFIX = "weights", ".safetensors"


def path(run: Path, cell: str) -> Path:
    """Where those of a cell lie."""
    return run / FOLDER / f"{cell}{_SUFFIX}"


def cell_of(file: str) -> str:
    """The cell whose weights a file of that name holds; empty where it is no such name."""
    return file.removesuffix(_SUFFIX) if file.endswith(_SUFFIX) and not file.startswith(".") else ""


def there(run: Path) -> list[str]:
    """Names of the files that are there, sorted."""
    return sorted(file.name for file in (run / FOLDER).glob("*") if cell_of(file.name))


def checksums(run: Path, known: dict[str, str]) -> dict[str, str]:
    """File to its SHA-256; of those that are ``known`` no byte is read."""
    return {name: known.get(name) or checksum(run / FOLDER / name) for name in there(run)}


def checksum(file: Path) -> str:
    """SHA-256 of a file, which need not fit into memory."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()
