"""How far the samples' mean spectrum is from the held-out sounds'."""

import math

import numpy as np
from scipy.signal import welch

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._items import jackknife

NEEDS = ("audio", "samples")

_SEGMENT = 0.032  # seconds
_FLOOR = 1e-8  # 80 dB below the loudest frequency of the test split


def spectral_distance(evaluation: Evaluation) -> list[Score]:
    """Log-spectral distance in dB between the long-term average spectra of the samples and of the test split.

    That is the root mean square, over frequencies, of the difference of two power spectra in dB; each is the mean over
    all items of Welch's estimate (segments of 32 ms, Hann window, half overlapping). What lies 80 dB below the test
    split's loudest frequency counts as silence. Sounds twice as loud are 6.02 dB away. It says nothing of
    how spectra follow each other in time, nor of single sounds. With fewer sounds it is larger; the floor's is taken to
    the other cells' numbers (see real_data). The standard error is the delete-one jackknife's over samples and test
    items.

    Paper: Gray & Markel (1976), Distance measures for speech processing (the distance); Welch (1967) (the estimate).
    """
    rate = evaluation.data.sample_rate
    each = [_spectra(np.asarray(items), rate) for items in (evaluation.samples, evaluation.references)]
    spectra = [_mean(powers) for powers in each]
    if not spectra[1].max() > 0:
        raise NotApplicable("spectral_distance needs test items that sound; all are silent")
    scale = math.sqrt(evaluation.shrinkage)
    value, error = scale * log_spectral_distance(*spectra), _error(*each)
    error = None if error is None else scale * error
    return [Score("log_spectral_distance", value, "dB", "lower", len(evaluation.samples), error)]


def log_spectral_distance(power: np.ndarray, reference: np.ndarray) -> float:
    """Root mean square difference in dB of two power spectra, each of shape (frequencies,)."""
    floor = max(float(reference.max()) * _FLOOR, np.finfo(float).tiny)
    levels = [10 * np.log10(np.maximum(spectrum, floor)) for spectrum in (power, reference)]
    return float(np.sqrt(((levels[0] - levels[1]) ** 2).mean()))


def _spectra(sounds: np.ndarray, sample_rate: int) -> np.ndarray:
    """Power of each sound at each frequency: shape (sounds, frequencies)."""
    length = min(sounds.shape[1], max(8, round(_SEGMENT * sample_rate)))
    return np.array([welch(sound / 32768, sample_rate, nperseg=length)[1] for sound in sounds])


def _mean(powers: np.ndarray) -> np.ndarray:
    """Power at each frequency, over all sounds: shape (frequencies,)."""
    total = np.zeros(powers.shape[1])
    for power in powers:
        total += power
    spectrum: np.ndarray = total / len(powers)
    return spectrum


def _error(powers: np.ndarray, references: np.ndarray) -> float | None:
    """Standard error of the distance of the two means, over both sets; None where one has a single sound."""
    if min(len(powers), len(references)) < 2:
        return None
    less, less_references = ((part.sum(0) - part) / (len(part) - 1) for part in (powers, references))
    here, there = _mean(powers), _mean(references)
    without = [log_spectral_distance(one, there) for one in less]
    without_reference = [log_spectral_distance(here, one) for one in less_references if one.max() > 0]
    return math.hypot(jackknife(np.array(without)), jackknife(np.array(without_reference)))
