"""What a split holds: texts, arrays, or both side by side. All that is done to items alike, whatever they are."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np


class Columns(Sequence[Any]):
    """Items of several aligned parts, such as captions and their pictures.

    ``columns[3]`` is one item as a ``dict``; ``columns["caption"]`` is one column; slices and integer arrays select
    items.

    Args:
        columns: name to a list of texts or an array whose first axis counts items; all of one length.
    """

    def __init__(self, columns: Mapping[str, "list[str] | np.ndarray"]) -> None:
        lengths = {name: len(column) for name, column in columns.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(f"columns are to be of one length, these are {lengths}")
        self._columns = dict(columns)

    @property
    def names(self) -> list[str]:
        """Of the columns, in order."""
        return list(self._columns)

    def __len__(self) -> int:
        return len(next(iter(self._columns.values())))

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, str):
            return self._columns[which]
        if isinstance(which, slice):
            return Columns({name: column[which] for name, column in self._columns.items()})
        if isinstance(which, np.ndarray | list):
            return take(self, np.asarray(which))
        return {name: column[which] for name, column in self._columns.items()}


Items = Sequence[Any] | np.ndarray
"""Texts as ``str``; images as one ``uint8`` array of shape (items, height, width, channels); sounds as one ``int16``
array of shape (items, samples); or several of these side by side as :class:`Columns`."""


def take(items: Items, indices: np.ndarray) -> Items:
    """The items at ``indices``, in their own container."""
    if isinstance(items, Columns):
        return Columns({name: take(items[name], indices) for name in items.names})  # type: ignore[misc]
    return items[indices] if isinstance(items, np.ndarray) else [items[i] for i in indices]


def join_items(several: Sequence[Items]) -> Items:
    """Items of one kind, one after another."""
    first = several[0]
    if isinstance(first, Columns):
        return Columns({name: join_items([items[name] for items in several]) for name in first.names})  # type: ignore
    if isinstance(first, np.ndarray):
        return np.concatenate([np.asarray(items) for items in several])
    return [item for items in several for item in items]


def items_hash(items: Items) -> str:
    """SHA-256 over items in order, first 16 hex digits."""
    if isinstance(items, Columns):
        digest = hashlib.sha256(json.dumps([[name, items_hash(items[name])] for name in items.names]).encode())
    elif isinstance(items, np.ndarray):
        digest = hashlib.sha256(f"{items.shape}{items.dtype}".encode())
        for part in range(0, len(items), _AT_ONCE):  # an array on disk need not fit into memory
            digest.update(np.ascontiguousarray(items[part : part + _AT_ONCE]).data)
    else:
        digest = hashlib.sha256(str(len(items)).encode())
        for item in items:
            encoded = item.encode("utf-8", "surrogatepass")
            digest.update(len(encoded).to_bytes(8, "little") + encoded)
    return digest.hexdigest()[:16]


_AT_ONCE = 4096  # items of an array


def write(items: Items, folder: Path, name: str) -> None:
    """Keep items in files that begin with ``name``."""
    if isinstance(items, Columns):
        (folder / f"{name}.columns.json").write_text(json.dumps(items.names))
        for column in items.names:
            write(items[column], folder, f"{name}.{column}")
    elif isinstance(items, np.ndarray):
        np.save(folder / f"{name}.npy", items, allow_pickle=False)
    else:
        (folder / f"{name}.json").write_text(json.dumps(list(items)))


def read(folder: Path, name: str) -> Items:
    """What :func:`write` wrote; arrays stay on disk and are read as they are used."""
    if (listed := folder / f"{name}.columns.json").exists():
        return Columns({column: read(folder, f"{name}.{column}") for column in json.loads(listed.read_text())})  # type: ignore
    if (array := folder / f"{name}.npy").exists():
        found: np.ndarray = np.load(array, mmap_mode="r", allow_pickle=False)
        return found
    texts: list[str] = json.loads((folder / f"{name}.json").read_text())
    return texts
