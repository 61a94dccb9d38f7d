"""Samples and references as features, each computed once."""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np

from bench import cache, plugins
from bench.dataset import Items

_PROBE = 8  # items whose features tell one state of a feature space (its weights, its device) from another


class Space:
    """A feature space by name, remembering what it has seen.

    Args:
        name: of the plugin.
        weights: its option of this name, where it has one; empty for its default.
        sample_rate: of sounds, in Hz; 0 for what makes no sound.
    """

    def __init__(self, name: str, weights: str = "", sample_rate: int = 0) -> None:
        plugin = plugins.find("features", name)
        self.name = name
        given = {"weights": weights, "sample_rate": sample_rate}
        options = plugin.check({option: value for option, value in given.items() if value})
        self._extract: Callable[[Items], np.ndarray] = plugin.load()(**options)
        self._seen: dict[str, np.ndarray] = {}

    def __call__(self, items: Items) -> np.ndarray:
        """Features of items: float64, shape (N, D)."""
        content = _content(items)
        if content not in self._seen:
            self._seen[content] = np.asarray(self._extract(items), dtype=np.float64)
        return self._seen[content]

    def kept(self, items: Items) -> np.ndarray:
        """The same for references, kept on disk by content: computed once for all cells and runs."""

        def build(folder: Path) -> None:
            np.save(folder / "features.npy", self._extract(items), allow_pickle=False)

        key = {"space": self.name, "items": _content(items), "probe": _content(self._extract(items[:_PROBE]))}
        features: np.ndarray = np.load(cache.folder("features", key, build) / "features.npy", allow_pickle=False)
        return features.astype(np.float64)


@lru_cache(maxsize=2)
def space(name: str, weights: str = "", sample_rate: int = 0) -> Space:
    """The space of that name, loaded once per process. Raises what the space raises, and :class:`PluginError`."""
    return Space(name, weights, sample_rate)


def _content(items: Items) -> str:
    array = np.ascontiguousarray(items)
    head = f"{array.shape}{array.dtype}".encode()
    return hashlib.sha256(head + array.tobytes()).hexdigest()[:16]
