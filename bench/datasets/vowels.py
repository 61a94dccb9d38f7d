"""Audio target, speech: vowels from a source and formants."""

import numpy as np
from scipy.signal import lfilter

from bench.dataset import Dataset
from bench.datasets import _audio
from bench.options import Count, Positive

MODALITY = "audio"

FORMANTS = {
    "i": ((136, 270, 2290, 3010), (235, 310, 2790, 3310), (272, 370, 3200, 3730)),
    "ɪ": ((135, 390, 1990, 2550), (232, 430, 2480, 3070), (269, 530, 2730, 3600)),
    "ɛ": ((130, 530, 1840, 2480), (223, 610, 2330, 2990), (260, 690, 2610, 3570)),
    "æ": ((127, 660, 1720, 2410), (210, 860, 2050, 2850), (251, 1010, 2320, 3320)),
    "ɑ": ((124, 730, 1090, 2440), (212, 850, 1220, 2810), (256, 1030, 1370, 3170)),
    "ɔ": ((129, 570, 840, 2410), (216, 590, 920, 2710), (263, 680, 1060, 3180)),
    "ʊ": ((137, 440, 1020, 2240), (232, 470, 1160, 2680), (276, 560, 1410, 3310)),
    "u": ((141, 300, 870, 2240), (231, 370, 950, 2670), (274, 430, 1170, 3260)),
    "ʌ": ((130, 640, 1190, 2390), (221, 760, 1400, 2780), (261, 850, 1590, 3360)),
    "ɝ": ((133, 490, 1350, 1690), (218, 500, 1640, 1960), (261, 560, 1820, 2160)),
}
"""Fundamental and first three formants in Hz, means of men, women and children."""

_BANDWIDTHS = (60.0, 90.0, 150.0)  # of the three formants in Hz (Klatt 1980)
_HIGHER = ((3500.0, 250.0), (4500.0, 300.0))  # fourth and fifth formant of a man and their bandwidths
_TRACTS = (1.0, 1.15, 1.3)  # how much higher they lie for women and children, whose vocal tracts are shorter


def vowels(*, sample_rate: Count = 8000, seconds: Positive = 0.25) -> Dataset:
    """Ten American English vowels of men, women and children: a buzz of harmonics through a cascade of formants.

    Fundamental and formants are the published means, each speaker's a few percent off, with a glide and a tremble in
    the voice. Formants above the band are left out.

    Paper: Peterson & Barney 1952, Control Methods Used in a Study of the Vowels (the frequencies); Klatt 1980, Software
    for a Cascade/Parallel Formant Synthesizer

    Args:
        sample_rate: in Hz.
        seconds: length of each sound.
    """
    return _audio.without_labels("vowels", labelled(sample_rate=sample_rate, seconds=seconds), sample_rate)


def labelled(*, sample_rate: int = 8000, seconds: float = 0.25) -> _audio.Labelled:
    """The same items with their vowels, in the phonetic alphabet."""
    return _audio.labelled("vowels", tuple(FORMANTS), _vowel, sample_rate, seconds)


def _vowel(kind: str, random: np.random.Generator, sample_rate: int, samples: int) -> np.ndarray:
    speaker = int(random.integers(3))
    mean, *formants = FORMANTS[kind][speaker]
    time = np.arange(samples) / sample_rate
    pitch = mean * random.uniform(0.85, 1.15)
    glide = random.uniform(-0.08, 0.08) * time / time[-1]
    tremble = random.uniform(0.002, 0.01) * np.sin(2 * np.pi * (random.uniform(4, 7) * time + random.random()))
    phase = 2 * np.pi * np.cumsum(pitch * (1 + glide + tremble)) / sample_rate
    wave: np.ndarray = random.uniform(0, 0.01) * random.standard_normal(samples)
    for harmonic in range(1, 1 + int(0.45 * sample_rate / pitch)):
        wave += np.cos(harmonic * phase) / harmonic  # a glottal pulse falls by 12 dB an octave, and lips give back 6
    size = random.uniform(0.95, 1.05)
    tuned = [(size * random.uniform(0.97, 1.03) * f, b) for f, b in zip(formants, _BANDWIDTHS, strict=True)]
    tuned += [(size * _TRACTS[speaker] * f, b) for f, b in _HIGHER]
    for frequency, bandwidth in tuned:
        if frequency < 0.48 * sample_rate:
            wave = _resonate(wave, frequency, bandwidth, sample_rate)
    edge = round(0.02 * sample_rate)
    wave *= _audio.envelope(samples, edge, 2 * edge)
    return wave


def _resonate(wave: np.ndarray, frequency: float, bandwidth: float, sample_rate: int) -> np.ndarray:
    """Klatt's second-order resonator, with a gain of one at 0 Hz."""
    radius = np.exp(-np.pi * bandwidth / sample_rate)
    poles = [1.0, -2 * radius * np.cos(2 * np.pi * frequency / sample_rate), radius**2]
    resonated: np.ndarray = lfilter([sum(poles)], poles, wave)
    return resonated
