"""Audio target, music: plucked strings."""

import numpy as np
from scipy.signal import lfilter

from bench.dataset import Dataset
from bench.datasets import _audio
from bench.options import Count, Positive

MODALITY = "audio"

STRINGS = {
    "banjo": (50, 74, 0.35, 0.15, 0.9),
    "bass": (33, 50, 0.9, 0.4, 0.15),
    "harp": (48, 76, 1.5, 0.45, 0.35),
    "muted": (40, 64, 0.08, 0.2, 0.5),
    "nylon": (45, 69, 0.7, 0.3, 0.3),
    "steel": (45, 69, 1.6, 0.12, 0.8),
}
"""Lowest and highest note (MIDI), seconds to fall by 60 dB, where it is plucked (share of the string), and how bright
the pluck is (share of each new sample in its smoothing)."""


def plucks(*, sample_rate: Count = 8000, seconds: Positive = 0.25) -> Dataset:
    """Six kinds of plucked strings: a burst of noise that runs round a delay line and loses its high tones first.

    Paper: Karplus & Strong 1983, Digital Synthesis of Plucked-String and Drum Timbres; Jaffe & Smith 1983, Extensions
    of the Karplus-Strong Plucked-String Algorithm (tuning, decay, dynamics, place of the pluck)

    Args:
        sample_rate: in Hz.
        seconds: length of each sound.
    """
    return _audio.without_labels("plucks", labelled(sample_rate=sample_rate, seconds=seconds), sample_rate)


def labelled(*, sample_rate: int = 8000, seconds: float = 0.25) -> _audio.Labelled:
    """The same items with their strings."""
    return _audio.labelled("plucks", tuple(STRINGS), _pluck, sample_rate, seconds)


def _pluck(kind: str, random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    low, high, decay, place, bright = STRINGS[kind]
    note = 440 * 2 ** ((random.integers(low, high + 1) - 69 + random.uniform(-0.1, 0.1)) / 12)
    decay, place, bright = random.uniform(0.8, 1.25, 3) * (decay, place, bright)
    # the loop delays by a whole number of samples, by half a sample in its mean of two, and by the rest in an all-pass
    period = sample_rate / note
    delay = int(
        period - 0.5 - 0.2
    )  # the all-pass is to delay by 0.2 to 1.2 samples, where it is nearly the same for all
    rest = period - 0.5 - delay
    allpass = (1 - rest) / (1 + rest)
    loss = 10 ** (-3 / (note * decay))  # each time round
    loop = loss * np.convolve([0.5, 0.5], [allpass, 1])
    burst = np.zeros(samples)
    width = min(samples, delay)
    burst[:width] = random.uniform(-1, 1, width)
    burst = lfilter([min(bright, 1.0)], [1, min(bright, 1.0) - 1], burst)
    picked = burst.copy()  # a string plucked at its nth part has no nth harmonic
    back = max(1, round(period * min(place, 0.5)))
    picked[back:] -= burst[:-back]
    poles = np.zeros(delay + 3)
    poles[:2] = 1, allpass
    poles[delay : delay + 3] -= loop
    wave: np.ndarray = lfilter([1, allpass], poles, picked)
    wave *= _audio.envelope(samples, 1, samples // 20)
    return wave
