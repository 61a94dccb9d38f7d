"""Audio source: sustained tones, harmonics added up."""

import numpy as np

from bench.dataset import Dataset
from bench.datasets import _audio
from bench.options import Count, Positive

MODALITY = "audio"

KINDS = ("brass", "clarinet", "flute", "organ", "reed", "strings")

PITCHES = (45, 81)
"""Lowest and highest note, as MIDI numbers: 110 to 880 Hz."""


def tones(*, sample_rate: Count = 8000, seconds: Positive = 0.25) -> Dataset:
    """Sustained tones of six instruments: harmonics added up, with an envelope and vibrato.

    The envelope has attack, decay, sustain and release. Notes are tempered, a little out of tune, and last as long as
    the sound. Harmonics above the band are left out.

    Paper: Moore 1977, Signal Processing Aspects of Computer Music (additive synthesis)

    Args:
        sample_rate: in Hz.
        seconds: length of each sound.
    """
    return _audio.without_labels("tones", labelled(sample_rate=sample_rate, seconds=seconds), sample_rate)


def labelled(*, sample_rate: int = 8000, seconds: float = 0.25) -> _audio.Labelled:
    """The same items with their instruments."""
    return _audio.labelled("tones", KINDS, _tone, sample_rate, seconds)


def _tone(kind: str, random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    time = np.arange(samples) / sample_rate
    note = 440 * 2 ** ((random.integers(PITCHES[0], PITCHES[1] + 1) - 69 + random.uniform(-0.2, 0.2)) / 12)
    depth, speed = random.uniform(0.002, 0.01) * (kind != "organ"), random.uniform(4.5, 6.5)  # share of pitch, Hz
    vibrato = depth * np.sin(2 * np.pi * (speed * time + random.random()))
    phase = 2 * np.pi * np.cumsum(note * (1 + vibrato)) / sample_rate
    loudness = _adsr(random, time)
    harmonics = np.arange(1, 1 + max(1, min(24, int(0.45 * sample_rate / note))))
    tilt, starts = random.uniform(0.85, 1.15), 2 * np.pi * random.random(len(harmonics))
    own = random.uniform(0.3, 1, len(harmonics))  # of this very instrument
    wave = np.zeros(samples)
    for harmonic, start, share in zip(harmonics, starts, own, strict=True):
        wave += share * _strength(kind, int(harmonic), tilt, loudness) * np.sin(harmonic * phase + start)
    breath = {"flute": 0.03, "reed": 0.01}.get(kind, 0.0)
    return loudness * (wave + breath * random.standard_normal(samples))


def _strength(kind: str, harmonic: int, tilt: float, loudness: np.ndarray) -> float | np.ndarray:
    """Amplitude of a harmonic, beside the tone's own envelope."""
    if kind == "brass":  # its high harmonics come with loudness (Risset & Mathews 1969)
        brass: np.ndarray = harmonic**-1.0 * loudness ** (0.35 * tilt * (harmonic - 1))
        return brass
    if kind == "clarinet":  # a tube closed at one end
        return float(harmonic ** (-1.2 * tilt)) if harmonic % 2 else 0.04
    if kind == "flute":
        return float(harmonic ** (-2.8 * tilt))
    if kind == "organ":  # drawbars
        return {1: 1.0, 2: 0.8, 3: 0.5, 4: 0.6, 6: 0.3, 8: 0.25 * tilt}.get(harmonic, 0.0)
    if kind == "reed":  # an oboe's: the third and fourth above the first
        return float(np.exp(-0.5 * ((harmonic - 3.5) / (1.6 * tilt)) ** 2) + 0.15 / harmonic)
    return float(harmonic**-tilt)  # a bowed string's sawtooth


def _adsr(random: np.random.Generator, time: np.ndarray) -> np.ndarray:
    """Attack, decay to a level that is sustained, and release, in straight lines, as shares of the whole length."""
    attack, decay, release = random.uniform((0.02, 0.05, 0.08), (0.15, 0.2, 0.25))
    sustain = random.uniform(0.6, 0.95)
    corners = np.array([0, attack, attack + decay, 1 - release, 1]) * time[-1]
    level: np.ndarray = np.interp(time, corners, [0, 1, sustain, sustain, 0])
    return level
