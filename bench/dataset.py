"""Contract: a domain with disjoint train, validation and test splits, and a fingerprint.

A dataset plugin is a function of keyword-only options that returns a :class:`Dataset`; its module states
``MODALITY`` (``"text"``, ``"image"`` …). It imports no torch: items are plain text or arrays, and the model encodes
them. It is called once per machine; what it returns is kept in the cache (see :func:`load`).
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import cache, dataset_cache, items, plugins
from bench.errors import DataError
from bench.items import Columns as Columns
from bench.items import Items as Items
from bench.items import items_hash as items_hash
from bench.items import join_items as join_items
from bench.items import take as take

SPLITS = ("train", "validation", "test")

_GROUPS = "groups.npy"  # in the cache, beside the splits


@dataclass(frozen=True)
class Dataset:
    """One domain.

    Attributes:
        name: the plugin's name.
        modality: what its items are: ``"text"``, ``"image"``, ``"audio"``, ``"captioned_image"`` …
        train, validation, test: disjoint splits. In our own domains no item of one is a near-duplicate of an item of
            another; in people's own data, none is equal to one.
        fingerprint: hash of every item of every split, in order.
        groups: where the domain has sub-domains, which of them each training item belongs to: int64, shape
            (training items,), negative for those that belong to none.
        sample_rate: of sounds, in Hz; 0 for what makes no sound.
        skipped: damaged items that were left out.
        seen: how many there were with these; 0 where nobody counted.
        unit: what they are, in the plural, such as ``rows``.
        first: why the first of them was left out.
        remarks: what else of the input was left out or changed: ``3 other files left out: 2 .txt, 1 .pdf``.
    """

    name: str
    modality: str
    train: Items
    validation: Items
    test: Items
    fingerprint: str = ""
    groups: np.ndarray | None = None
    sample_rate: int = 0
    skipped: int = 0
    seen: int = 0
    unit: str = "items"
    first: str = ""
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for split in SPLITS:
            if len(getattr(self, split)) == 0:
                raise DataError(f"dataset {self.name}: its {split} split is empty; give it more items")
        if self.groups is not None and np.shape(self.groups) != (len(self.train),):
            problem = f"groups of shape {np.shape(self.groups)} for {len(self.train)} training items"
            raise DataError(f"dataset {self.name}: {problem}; name one for each item")
        if not self.fingerprint:
            object.__setattr__(self, "fingerprint", fingerprint(self))

    def subset(self, size: int, seed: int) -> "Dataset":
        """The first ``size`` training items of a shuffle seeded by ``seed``: a smaller subset is part of a larger one.

        Validation and test stay whole. Raises :class:`DataError` where the training split is smaller than ``size``.
        """
        indices = subset_indices(len(self.train), size, seed, self.name)
        groups = None if self.groups is None else self.groups[indices]
        return self.learning_from(take(self.train, indices), groups)

    def left_out(self, name: str) -> list[str]:
        """What was left out or changed in reading it, a line each, under the name that a suite gives it."""
        return dataset_cache.remarks(name, vars(self))

    def learning_from(self, train: Items, groups: np.ndarray | None = None) -> "Dataset":
        """The same domain with another training split."""
        return replace(self, train=train, groups=groups, fingerprint="")

    def testing_on(self, test: Items) -> "Dataset":
        """The same domain with another test split."""
        return replace(self, test=test, fingerprint=cache.content_hash([self.fingerprint, items_hash(test)]))


def subset_indices(available: int, size: int, seed: int, name: str) -> np.ndarray:
    """Indices of the nested, seeded subset: int64 array of shape (size,)."""
    if size > available:
        raise DataError(
            f"dataset {name}: {size} training examples asked, {available} there; ask for {available} or fewer"
        )
    return np.random.default_rng(seed).permutation(available)[:size]


def fingerprint(data: Dataset) -> str:
    """One hash of all items of all splits, 16 hex digits."""
    return cache.content_hash([data.modality, *(items_hash(getattr(data, split)) for split in SPLITS)])


def load(name: str, options: dict[str, Any] | None = None) -> Dataset:
    """The dataset of that name, built once per machine and read from the cache afterwards."""
    plugin = plugins.find("datasets", name)
    checked = plugin.check(options or {})
    return _read(
        cache.folder(
            "datasets", dataset_cache.key(plugin, checked), lambda into: _write(plugin.load()(**checked), into)
        )
    )


def _write(data: Dataset, into: Path) -> None:
    about: dict[str, Any] = {"name": data.name, "modality": data.modality, "fingerprint": data.fingerprint}
    about |= {"sample_rate": data.sample_rate, "skipped": data.skipped, "seen": data.seen, "unit": data.unit}
    about |= {"first": data.first, "remarks": data.remarks}
    about |= {"sizes": {split: len(getattr(data, split)) for split in SPLITS}}
    for split in SPLITS:
        items.write(getattr(data, split), into, split)
    if data.groups is not None:
        np.save(into / _GROUPS, data.groups, allow_pickle=False)
    (into / "dataset.json").write_text(json.dumps(about))


def _read(folder: Path) -> Dataset:
    about = json.loads((folder / "dataset.json").read_text())
    about.pop("sizes")
    splits: dict[str, Any] = {split: items.read(folder, split) for split in SPLITS}
    groups = np.load(folder / _GROUPS, allow_pickle=False) if (folder / _GROUPS).exists() else None
    return Dataset(**about, **splits, groups=groups)
