"""How far the samples' mean spectrum is from the held-out sounds'."""

import math

import numpy as np
from scipy.signal import welch

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score

NEEDS = ("audio", "samples")

_SEGMENT = 0.032  # seconds
_FLOOR = 1e-8  # 80 dB below the loudest frequency of the test split


def spectral_distance(evaluation: Evaluation) -> list[Score]:
    """Log-spectral distance in dB between the long-term average spectra of the samples and of the test split.

    That is the root mean square, over frequencies, of the difference of two power spectra in dB; each is the mean over
    all items of Welch's estimate (segments of 32 ms, Hann window, half overlapping). What lies 80 dB below the test
    split's loudest frequency counts as silence. Sounds twice as loud are 6.02 dB away. It says nothing of
    how spectra follow each other in time, nor of single sounds. With fewer sounds it is larger; the floor's is taken to
    the other cells' numbers (see real_data).

    Paper: Gray & Markel (1976), Distance measures for speech processing (the distance); Welch (1967) (the estimate).
    """
    rate = evaluation.data.sample_rate
    spectra = [_mean_spectrum(np.asarray(items), rate) for items in (evaluation.samples, evaluation.references)]
    if not spectra[1].max() > 0:
        raise NotApplicable("spectral_distance needs test items that sound; all are silent")
    value = math.sqrt(evaluation.shrinkage) * log_spectral_distance(*spectra)
    return [Score("log_spectral_distance", value, "dB", "lower", len(evaluation.samples))]


def log_spectral_distance(power: np.ndarray, reference: np.ndarray) -> float:
    """Root mean square difference in dB of two power spectra, each of shape (frequencies,)."""
    floor = max(float(reference.max()) * _FLOOR, np.finfo(float).tiny)
    levels = [10 * np.log10(np.maximum(spectrum, floor)) for spectrum in (power, reference)]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean()))


def _mean_spectrum(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power at each frequency, over all sounds: shape (frequencies,)."""
    length = min(sounds.shape[1], max(8, round(_SEGMENT * sample_rate)))
    total = np.zeros(length // 2 + 1)
    for sound in sounds:
        total += welch(sound / 32768, sample_rate, nperseg=length)[1]
    spectrum: np.ndarray = total / len(sounds)
    return spectrum
