"""What domains made by formula share: as many distinct items as wanted, always the same ones, in splits."""

import zlib
from collections.abc import Callable
from itertools import accumulate

import numpy as np

from bench.dataset import SPLITS, Columns, Dataset, Items
from bench.datasets._images import check_size, distinct
from bench.errors import PluginError

SIZES = {"train": 3000, "validation": 300, "test": 300}

SUPERSAMPLING = 4
"""Pictures are drawn this many times as large as they will be, and averaged down."""


def texts(name: str, draw: Callable[[np.random.Generator], str]) -> Dataset:
    """Distinct texts; ``draw`` makes one of them from random numbers, and must have many to choose from."""
    random, found = _random(name), dict[str, None]()
    while len(found) < sum(SIZES.values()):
        found[draw(random)] = None
    return _split(name, "text", list(found))


def pairs(name: str, draw: Callable[[np.random.Generator], tuple[str, str]]) -> Dataset:
    """Distinct pairs of source and target; ``draw`` makes one of them from random numbers."""
    random, found = _random(name), dict[tuple[str, str], None]()
    while len(found) < sum(SIZES.values()):
        found[draw(random)] = None
    source, target = (list(column) for column in zip(*found, strict=True))
    return _split(name, "text_pair", Columns({"source": source, "target": target}))


def images(name: str, size: int, draw: Callable[[np.random.Generator, int], np.ndarray]) -> Dataset:
    """Pictures of which none is a near-duplicate of another; ``draw`` makes some, uint8, shape (items, size, size)."""
    check_size(name, size)
    random, found = _random(name), np.empty((0, size, size, 1), np.uint8)
    while len(found) < (total := sum(SIZES.values())):
        found = np.concatenate([found, draw(random, total - len(found))[..., None]])
        found = found[distinct(found)]
    return _split(name, "image", found)


def check_range(dataset: str, option: str, value: int, low: int, high: int) -> None:
    """Raise :class:`PluginError` unless an option lies in its range."""
    if not low <= value <= high:
        raise PluginError(f"dataset {dataset}: option {option!r}: {value} will not do; it should be {low} to {high}")


def _random(name: str) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(name.encode()))


def _split(name: str, modality: str, items: Items) -> Dataset:
    ends = accumulate(SIZES[split] for split in SPLITS)
    train, validation, test = (items[end - SIZES[split] : end] for split, end in zip(SPLITS, ends, strict=True))
    return Dataset(name, modality, train, validation, test)
