"""What the audio domains share: the check of their options, the way from kinds of sounds to splits, near-duplicates."""

import zlib
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np

from bench.dataset import SPLITS, Dataset
from bench.errors import PluginError

ITEMS = {"train": 1200, "validation": 150, "test": 300}
"""Sounds of a domain, spread evenly over its kinds, before near-duplicates go."""

TOLERANCE = 1.0
"""Two sounds whose band levels differ by less than this root mean square, in dB, are near-duplicates: about the
difference in level that is just noticed."""

_BANDS, _FRAMES, _FLOOR = 24, 8, -60.0  # of the levels that are compared; below the floor, in dB, all is silence
_RATES, _SECONDS = (4000, 192000), (0.05, 60.0)

Draw = Callable[[str, np.random.Generator, int, int], np.ndarray]
"""(kind, random numbers, sample rate in Hz, samples) to one sound: float64, shape (samples,), of any loudness."""

Labelled = dict[str, tuple[np.ndarray, np.ndarray]]
"""Split name to sounds (int16, shape (items, samples)) and their kinds (str, shape (items,))."""


def samples_of(dataset: str, sample_rate: int, seconds: float) -> int:
    """Samples of one sound; :class:`PluginError` where the options are out of range."""
    for option, value, (low, high), unit in (
        ("sample_rate", sample_rate, _RATES, "Hz"),
        ("seconds", seconds, _SECONDS, "seconds"),
    ):
        if not low <= value <= high:
            problem = f"{value} will not do; it should be {low} to {high} {unit}"
            raise PluginError(f"dataset {dataset}: option {option!r}: {problem}")
    return round(sample_rate * seconds)


def labelled(dataset: str, kinds: tuple[str, ...], draw: Draw, sample_rate: int, seconds: float) -> Labelled:
    """Sounds of each kind, always the same ones, in shuffled splits; of near-duplicates the one that is held out stays.

    Each sound has random numbers of its own, so at another rate or length it is the same sound, as far as noise allows.
    Long ones are compared by their first second: later, what has died away is alike in all.
    """
    samples = samples_of(dataset, sample_rate, seconds)
    sounds, names, splits = [], [], []
    for split in reversed(SPLITS):  # of near-duplicates the first is kept: test's
        for index in range(ITEMS[split]):
            kind = kinds[index % len(kinds)]
            random = np.random.default_rng(zlib.crc32(f"{dataset} {split} {kind} {index}".encode()))
            sounds.append(as_int16(_levelled(draw(kind, random, sample_rate, samples), random)))
            names.append(kind)
            splits.append(split)
    drawn, kind_of, split_of = np.stack(sounds), np.array(names), np.array(splits)
    order = np.random.default_rng(0).permutation(np.flatnonzero(distinct(drawn[:, :sample_rate])))
    chosen = {split: order[split_of[order] == split] for split in SPLITS}
    return {split: (drawn[indices], kind_of[indices]) for split, indices in chosen.items()}


def without_labels(name: str, sounds: Labelled, sample_rate: int) -> Dataset:
    """The sounds alone; their kinds make the sub-domains."""
    splits: dict[str, Any] = {split: waves for split, (waves, _) in sounds.items()}
    _, kinds = np.unique(sounds["train"][1], return_inverse=True)
    return Dataset(name, "audio", **splits, groups=kinds.astype(np.int64), sample_rate=sample_rate)


def as_int16(waves: np.ndarray) -> np.ndarray:
    """Amplitudes from -1 to 1 as 16-bit samples; what is louder is clipped."""
    steps: np.ndarray = np.round(np.clip(waves, -1, 1) * 32767).astype(np.int16)
    return steps


def distinct(sounds: np.ndarray) -> np.ndarray:
    """Which sounds are no near-duplicate of an earlier one: bool, shape (items,).

    Args:
        sounds: int16, shape (items, samples).
    """
    levels = _levels(sounds)
    kept = np.ones(len(sounds), dtype=bool)
    for row in range(1, len(sounds)):
        apart = ((levels[:row][kept[:row]] - levels[row]) ** 2).mean(1)
        kept[row] = not (apart < TOLERANCE**2).any()
    return kept


def envelope(samples: int, attack: int, release: int) -> np.ndarray:
    """A raised-cosine fade in and out over that many samples, one between."""
    fade = np.ones(samples)
    for length, part in ((attack, slice(None)), (release, slice(None, None, -1))):
        ramp = (1 - np.cos(np.pi * (np.arange(min(length, samples)) + 0.5) / max(length, 1))) / 2
        fade[part][: len(ramp)] *= ramp
    return fade


def _levelled(wave: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Without an offset, its peak between a third and nine tenths of full scale."""
    wave = wave - wave.mean()
    levelled: np.ndarray = wave * random.uniform(0.33, 0.9) / np.abs(wave).max()
    return levelled


def _levels(sounds: np.ndarray) -> np.ndarray:
    """Levels in dB of bands on a logarithmic axis, frame by frame: float64, shape (items, bands × frames)."""
    items, samples = sounds.shape
    length = samples // _FRAMES
    frames = sounds[:, : length * _FRAMES].reshape(items, _FRAMES, length) / 32768
    power = np.abs(np.fft.rfft(frames * np.hanning(length), axis=-1)) ** 2 / length**2
    edges = np.geomspace(1, power.shape[-1], _BANDS + 1).round().astype(int)
    edges = np.unique(edges)  # in short sounds the lowest bands fall together
    bands = np.stack([power[..., low:high].sum(-1) for low, high in pairwise(edges)], -1)
    return (10 * np.log10(bands + 10 ** (_FLOOR / 10))).reshape(items, -1)
