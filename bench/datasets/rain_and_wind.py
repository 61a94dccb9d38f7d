"""Audio target, environment: rain, hail, wind, thunder and surf from filtered noise."""

import numpy as np
from scipy.signal import butter, sosfilt

from bench.dataset import Dataset
from bench.datasets import _audio
from bench.options import Count, Positive

MODALITY = "audio"

KINDS = ("hail", "rain", "surf", "thunder", "wind")


def rain_and_wind(*, sample_rate: Count = 8000, seconds: Positive = 0.25) -> Dataset:
    """Rain, hail, wind, thunder and surf: noise through filters that move, and grains that fall by chance.

    Paper: Farnell 2010, Designing Sound (part IV: natural elements)

    Args:
        sample_rate: in Hz.
        seconds: length of each sound.
    """
    return _audio.without_labels("rain_and_wind", labelled(sample_rate=sample_rate, seconds=seconds), sample_rate)


def labelled(*, sample_rate: int = 8000, seconds: float = 0.25) -> _audio.Labelled:
    """The same items with what they are."""
    return _audio.labelled("rain_and_wind", KINDS, _noise, sample_rate, seconds)


def _noise(kind: str, random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    make = {"hail": _hail, "rain": _rain, "surf": _surf, "thunder": _thunder, "wind": _wind}[kind]
    wave: np.ndarray = make(random, sample_rate, samples) * _audio.envelope(samples, samples // 50, samples // 50)
    return wave


def _rain(random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    """A bed of hiss, and many small drops."""
    bed: np.ndarray = _filtered(random.standard_normal(samples), random.uniform(900, 1500), None, sample_rate)
    drops = _grains(random, sample_rate, samples, random.uniform(100, 400), (1500, 3500), 0.002)
    wave: np.ndarray = bed * random.uniform(0.1, 0.3) + drops
    return wave


def _hail(random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    """Few hard stones on something that rings."""
    rings = (random.uniform(400, 700), random.uniform(900, 1600))
    bed = _filtered(random.standard_normal(samples), 300, 1500, sample_rate)
    return _grains(random, sample_rate, samples, random.uniform(25, 60), rings, 0.008) + 0.03 * bed


def _wind(random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    """A narrow band of noise that rises and falls with the gust."""
    centre = random.uniform(200, 700)
    moved = centre * (1 + random.uniform(0.1, 0.4) * _slow(random, samples))
    low = _filtered(random.standard_normal(samples), None, random.uniform(40, 120), sample_rate)
    hum = low * np.cos(2 * np.pi * np.cumsum(moved) / sample_rate)  # a band around the centre
    return hum * (1 + 0.5 * _slow(random, samples))


def _surf(random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    """Noise that falls by 3 dB an octave, swelling and ebbing."""
    spectrum = np.fft.rfft(random.standard_normal(samples))
    frequencies = np.maximum(np.fft.rfftfreq(samples, 1 / sample_rate), 50)
    pink = np.fft.irfft(spectrum / np.sqrt(frequencies), samples)
    crest, width = random.uniform(0.2, 0.8), random.uniform(0.2, 0.5)
    return pink * (0.15 + np.exp(-0.5 * ((np.arange(samples) / samples - crest) / width) ** 2))


def _thunder(random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    """A crack and its rumble below some hundred Hz."""
    time = np.arange(samples) / samples
    rumble = _filtered(random.standard_normal(samples), None, random.uniform(60, 200), sample_rate)
    crack = _filtered(random.standard_normal(samples), 100, random.uniform(600, 1200), sample_rate)
    struck = np.maximum(time - random.uniform(0, 0.4), 0)
    blow = np.where(struck > 0, np.exp(-struck * random.uniform(8, 20)), 0)
    wave: np.ndarray = rumble / rumble.std() * (1 + 0.5 * _slow(random, samples)) + crack / crack.std() * blow
    return wave


def _grains(
    random: np.random.Generator, sample_rate: int, samples: int, rate: float, pitches: tuple[float, float], decay: float
) -> np.ndarray:
    """Short dying tones at chance times, ``rate`` of them a second, at least two; ``decay`` in seconds."""
    wave = np.zeros(samples)
    count = max(2, int(random.poisson(rate * samples / sample_rate)))
    time = np.arange(int(6 * decay * sample_rate)) / sample_rate
    for start in random.integers(samples, size=count):
        pitch, loudness = random.uniform(*pitches), random.uniform(0.2, 1) ** 2
        grain = loudness * np.exp(-time / decay) * np.sin(2 * np.pi * min(pitch, 0.45 * sample_rate) * time)
        end = min(samples, start + len(grain))
        wave[start:end] += grain[: end - start]
    return wave


def _slow(random: np.random.Generator, samples: int) -> np.ndarray:
    """A smooth chance curve between -1 and 1."""
    corners = random.uniform(-1, 1, 6)
    return np.interp(np.linspace(0, 5, samples), np.arange(6), corners)


def _filtered(wave: np.ndarray, low: float | None, high: float | None, sample_rate: int) -> np.ndarray:
    """Second-order Butterworth: above ``low``, below ``high``, in Hz."""
    edges = [min(edge, 0.45 * sample_rate) for edge in (low, high) if edge is not None]
    kind = "lowpass" if low is None else "highpass" if high is None else "bandpass"
    if len(edges) == 2 and edges[0] >= edges[1]:
        edges[0] = edges[1] / 2
    sections = butter(2, edges[0] if len(edges) == 1 else edges, kind, fs=sample_rate, output="sos")
    filtered: np.ndarray = sosfilt(sections, wave)
    return filtered
