"""Items one by one to a dataset: splits by content, arrays on disk, what is damaged counted."""

import hashlib
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import IO, Any, NamedTuple

import numpy as np

from bench import cache
from bench.dataset import SPLITS, Columns, Dataset
from bench.errors import DataError

Item = str | np.ndarray | dict[str, str | np.ndarray]
"""A text, an array, or several of these by the name of their column."""

SHARE = 0.10
"""Of the distinct items, for each of validation and test, where the data do not say."""


class Found(NamedTuple):
    """An item on its way into a dataset, with the split and the group it belongs to, as in :class:`_files.File`."""

    item: Item
    split: str = ""
    group: str = ""


class Damaged(Exception):
    """Why an item is left out."""


class Remark(NamedTuple):
    """What was done to the input beside reading it.

    Attributes:
        said: such as ``read as cp1252, which is a guess``.
        of: what it was done to, in the singular, where it is counted; empty where ``said`` is all there is to say.
    """

    said: str
    of: str = ""


def dataset(
    name: str,
    modality: str,
    where: object,
    found: Iterable[Found | Damaged | Remark],
    *,
    held_out: int,
    by: str = "",
    unit: str = "items",
    seen: int = 0,
    **about: Any,
) -> Dataset:
    """The distinct items that were found, in their splits, in the order of their content's hash.

    Splits that the items name are kept; what is held out stays so, if it is in the training split as well. A validation
    or test split that no item names is taken of the training split: the tenth whose content hashes lowest, so
    that it depends on the content alone and no item is in two splits. Sub-folders with training items are groups.

    Args:
        name: of the dataset.
        modality: of the dataset.
        where: what it was read from, for messages.
        found: its items; arrays of a column are of one shape. Damaged ones are counted, and so are remarks.
        held_out: items of the validation and of the test split, at most.
        by: column of an item that decides its split, where items with the same value there belong together.
        unit: what is counted where some are damaged, in the plural.
        seen: how many of these there are, where an item is not one.
        about: what else the dataset says of itself, such as ``sample_rate``.

    Raises:
        DataError: every item is damaged, or there are too few for three splits.
    """
    with ExitStack() as opened:
        gathered = _gather(found, by, opened)
        if not gathered.hashes:
            skipped, first = gathered.skipped, gathered.first
            damaged = f"all {skipped} items of {where} are damaged (the first: {first})"
            problem = damaged if skipped else f"{where} is empty"
            raise DataError(f"dataset {name}: {problem}; name one that holds {modality} data")
        listed = _chosen(name, where, gathered, held_out)
        chosen = {split: rows if split == "train" else rows[:held_out] for split, rows in listed.items()}
        made: dict[str, Any] = {split: gathered.take(rows) for split, rows in chosen.items()}
    groups = _numbered([gathered.groups[row] for row in chosen["train"]])
    about |= {"unit": unit, "seen": seen or gathered.skipped + len(gathered.hashes), "first": gathered.first}
    about["remarks"] = [*gathered.told(), *_spared(gathered, listed, chosen)]
    return Dataset(name, modality, **made, groups=groups, skipped=gathered.skipped, **about)


def _spared(gathered: "_Gathered", listed: dict[str, list[int]], chosen: dict[str, list[int]]) -> Iterator[str]:
    """What was read and is in no split, and why."""
    distinct, placed = len(set(gathered.hashes)), sum(map(len, listed.values()))
    for count, why in (
        (len(gathered.hashes) - distinct, "equal to another, which counts once"),
        (distinct - placed, "for training left out, since what decides their split is held out"),
        (placed - sum(map(len, chosen.values())), "held out beyond as many as the option held_out allows"),
    ):
        if count:
            yield f"{count} item{'s' * (count > 1)} {why}"


@dataclass
class _Gathered:
    """What was found, row by row: its parts, a hash of it, and a hash of the part that decides its split."""

    columns: dict[str, "_Column"] = field(default_factory=dict)
    hashes: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    groups: list[str] = field(default_factory=list)
    skipped: int = 0
    first: str = ""
    remarks: Counter[Remark] = field(default_factory=Counter)

    def told(self) -> list[str]:
        """The remarks, each once."""
        return [
            _readable(f"{count} {remark.of}{'s' * (count > 1)} {remark.said}" if remark.of else remark.said)
            for remark, count in self.remarks.items()
        ]

    def take(self, rows: list[int]) -> Any:
        """The items of these rows."""
        taken = {name: column.take(rows) for name, column in self.columns.items()}
        return taken[""] if "" in taken else Columns(taken)


def _gather(found: Iterable[Found | Damaged | Remark], by: str, opened: ExitStack) -> _Gathered:
    rows = _Gathered()
    for one in found:
        if isinstance(one, Damaged):
            rows.skipped, rows.first = rows.skipped + 1, rows.first or _readable(str(one))
            continue
        if isinstance(one, Remark):
            rows.remarks[one] += 1
            continue
        parts = one.item if isinstance(one.item, dict) else {"": one.item}
        for column, value in parts.items():
            rows.columns.setdefault(column, _Column(opened)).add(value)
        rows.hashes.append(b"".join(_digest(value) for value in parts.values()))
        rows.keys.append(_digest(parts[by]) if by else rows.hashes[-1])
        rows.splits.append(one.split)
        rows.groups.append(one.group)
    return rows


def _chosen(name: str, where: object, gathered: _Gathered, held_out: int) -> dict[str, list[int]]:
    """Split to the rows that belong into it, however many are held out in the end."""
    hashes, keys, splits = gathered.hashes, gathered.keys, gathered.splits
    of_key: dict[bytes, str] = {}
    for key, split in zip(keys, splits, strict=True):
        of_key[key] = max(of_key.get(key, "train"), split or "train", key=SPLITS.index)
    rows: dict[str, dict[bytes, dict[bytes, int]]] = {split: {} for split in SPLITS}
    for row in sorted(range(len(hashes)), key=lambda row: (keys[row], hashes[row], row)):
        if (split := of_key[keys[row]]) == (splits[row] or "train"):
            rows[split].setdefault(keys[row], {}).setdefault(hashes[row], row)
    pool = list(rows["train"])
    wanted = max(1, round(SHARE * len(pool)))
    for split in ("test", "validation"):
        if not rows[split]:
            taken, pool = pool[: min(wanted, held_out)], pool[min(wanted, held_out) :]
            rows[split] = {key: rows["train"].pop(key) for key in taken}
    if empty := [split for split in SPLITS if not rows[split]]:
        problem = f"{len(of_key)} distinct items in {where}, none left for the {empty[0]} split"
        raise DataError(f"dataset {name}: {problem}; give it more")
    return {split: [row for alike in rows[split].values() for row in alike.values()] for split in SPLITS}


def _numbered(names: list[str]) -> np.ndarray | None:
    """Each training item's group as a number, negative where it lies in none; None where there are not two."""
    numbers = {name: number for number, name in enumerate(sorted({name for name in names if name}))}
    return np.array([numbers.get(name, -1) for name in names], np.int64) if len(numbers) > 1 else None


class _Column:
    """Values one after another: texts in memory, arrays in a file without a name, gone when nobody holds it."""

    def __init__(self, files: ExitStack) -> None:
        self.texts: list[str] = []
        self.file: IO[bytes] | None = None
        self.open = files
        self.count, self.like = 0, np.empty(0)

    def add(self, value: str | np.ndarray) -> None:
        if isinstance(value, str):
            self.texts.append(value)
            return
        if self.file is None:
            self.file, self.like = self.open.enter_context(_nameless()), value
        if (value.shape, value.dtype) != (self.like.shape, self.like.dtype):
            raise ValueError(f"items of shapes {self.like.shape} and {value.shape} in one dataset")
        self.file.write(value.tobytes())
        self.count += 1

    def take(self, rows: list[int]) -> list[str] | np.ndarray:
        if self.file is None:
            return [self.texts[row] for row in rows]
        self.file.flush()
        kind, shape = self.like.dtype, self.like.shape
        source = np.memmap(self.file, kind, "r", shape=(self.count, *shape))
        with _nameless() as file:  # which goes when the array does
            taken = np.memmap(file, kind, "w+", shape=(len(rows), *shape))
        for place, row in enumerate(rows):  # one at a time: they may be large
            taken[place] = source[row]
        return taken


def _nameless() -> IO[bytes]:
    """A file on the cache's disk, which has room for it: what is made of it goes there as well."""
    cache.root().mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryFile(dir=cache.root())


def _readable(said: str) -> str:
    """What files' names and readers say, at a length to read, and with nothing that a terminal would obey."""
    line = "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in said)
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 2]} …"


_LONGEST = 240  # characters of a reason


def _digest(value: str | np.ndarray) -> bytes:
    data = value.encode("utf-8", "surrogatepass") if isinstance(value, str) else value.tobytes()
    return hashlib.blake2b(data, digest_size=16).digest()
