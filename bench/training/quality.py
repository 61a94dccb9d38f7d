"""Worse training data: examples spoilt or repeated, in the shares that a suite asks for. Imports no torch."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from bench.dataset import Columns, Dataset, Items, subset_indices, take
from bench.suite.cell import Quality

_WRONG_CHARACTERS = 0.3
"""Share of the characters of a spoilt text that are replaced, with characters as frequent as they are in the texts."""

_PIXEL_NOISE = 0.38 * 255
"""Standard deviation of the noise on a spoilt picture: Gaussian noise of severity 5 (Hendrycks & Dietterich 2019,
Benchmarking Neural Network Robustness to Common Corruptions and Perturbations)."""


def degraded(data: Dataset, quality: Quality, seed: int) -> Dataset:
    """The domain with a worse training split; validation and test stay as they are.

    Which examples are worse is drawn with the seed. Of every subset that :meth:`bench.dataset.Dataset.subset` takes
    with the same seed the share is what is asked for, to less than one example.

    - ``corrupted``: 30 % of a text's characters are replaced; pictures get Gaussian noise of severity 5, sounds white
      noise as loud as they are; where there are captions or other conditions, these are of another example.
    - ``duplicated``: the examples are copies of others in the same subset.
    """
    if quality.kind == "clean":
        return data
    total = len(data.train)
    order = subset_indices(total, total, seed, data.name)  # the first n are what a subset of n holds
    worse = np.floor(np.arange(1, total + 1) * quality.share) > np.floor(np.arange(total) * quality.share)
    random = np.random.default_rng([seed, 1])
    if quality.kind == "duplicated":
        source, kept = np.arange(total), np.flatnonzero(~worse)
        for place in np.flatnonzero(worse):
            source[order[place]] = order[kept[random.integers(np.searchsorted(kept, place))]]
        groups = None if data.groups is None else data.groups[source]
        return data.learning_from(take(data.train, source), groups)
    spoilt = _spoilt(data, order[worse], random)
    return data.learning_from(spoilt, data.groups)


def _spoilt(data: Dataset, chosen: np.ndarray, random: np.random.Generator) -> Items:
    """All training items, those at ``chosen`` spoilt."""
    train = data.train
    if not isinstance(train, Columns):
        spoilt: Items = _replaced(train, chosen, _SPOIL[data.modality](take(train, chosen), random))
        return spoilt
    if data.modality == "image_pair":  # unpaired as it is: nothing would be mismatched
        return Columns({n: _replaced(train[n], chosen, _noisy_pictures(train[n][chosen], random)) for n in train.names})
    asked, *_ = train.names
    others = np.roll(chosen, 1) if len(chosen) > 1 else (chosen + 1) % len(train)
    return Columns(
        {n: _replaced(train[n], chosen, take(train[n], others)) if n == asked else train[n] for n in train.names}
    )


def _replaced(items: Any, chosen: np.ndarray, worse: Any) -> Any:
    found = np.array(items) if isinstance(items, np.ndarray) else list(items)
    for place, item in zip(chosen, worse, strict=True):
        found[place] = item
    return found


def _noisy_texts(texts: Any, random: np.random.Generator) -> list[str]:
    known = np.array(list("".join(texts)) or [" "])
    found = []
    for text in texts:
        characters = np.array(list(text), dtype=known.dtype)
        hit = random.random(len(characters)) < _WRONG_CHARACTERS
        characters[hit] = random.choice(known, int(hit.sum()))
        found.append("".join(characters))
    return found


def _noisy_pictures(pictures: Any, random: np.random.Generator) -> np.ndarray:
    noise = _PIXEL_NOISE * random.standard_normal(pictures.shape, np.float32)
    noisy: np.ndarray = np.clip(np.round(pictures + noise), 0, 255).astype(np.uint8)
    return noisy


def _noisy_sounds(sounds: Any, random: np.random.Generator) -> np.ndarray:
    loudness = np.sqrt(np.square(sounds, dtype=np.float64).mean(axis=1, keepdims=True))
    noise = random.standard_normal(sounds.shape, np.float32)
    noisy = (sounds + loudness.astype(np.float32) * noise) / math.sqrt(2)  # as loud as before
    limits = np.iinfo(np.int16)
    kept: np.ndarray = np.clip(np.round(noisy), limits.min, limits.max).astype(np.int16)
    return kept


_SPOIL: dict[str, Callable[[Any, np.random.Generator], Any]] = {
    "text": _noisy_texts,
    "molecule": _noisy_texts,
    "image": _noisy_pictures,
    "audio": _noisy_sounds,
}
