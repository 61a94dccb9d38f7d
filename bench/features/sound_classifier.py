"""A small classifier of tones, strings, vowels, rain and wind, trained here; its penultimate layer is the space."""

import importlib
import json
from math import gcd
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from scipy.signal import resample_poly
from torch import Tensor, nn
from transformers.audio_utils import mel_filter_bank

from bench import cache, plugins
from bench.dataset import Items
from bench.features._classifier import fit, reproducible
from bench.options import Count

MODALITY = "audio"

_SOURCES = ("plucks", "tones", "vowels", "rain_and_wind")
_RATE, _WINDOW, _HOP, _MELS, _FLOOR = 8000, 256, 128, 40, 1e-6
_WIDTH = 64
_EPOCHS, _BATCH, _LEARNING_RATE = 6, 64, 4e-3
_AT_ONCE = 256  # sounds


class SoundClassifier:
    """64 features of a convolutional network that tells 27 kinds of sounds of the four embedded audio domains apart.

    It hears log-mel spectrograms of 8 kHz sound, and learns instruments, strings, vowels, rain and wind from the
    training splits, once per machine, in seconds on one core; it never hears the test splits. Features are means over
    time, so sounds may have any length, and are standardised over the training data.

    Attributes:
        accuracy: domain to the share of its test split that is classified right.

    Args:
        sample_rate: of the sounds it is given, in Hz; they are resampled.
    """

    def __init__(self, *, sample_rate: Count = 8000) -> None:
        self._given = sample_rate
        code = {name: plugins.find("datasets", name).version() for name in _SOURCES}
        code["classifier"] = plugins.find("features", "sound_classifier").version()
        folder = cache.folder("features", {"space": "sound_classifier", "code": code}, _train)
        about = json.loads((folder / "about.json").read_text())
        self.accuracy: dict[str, float] = about["accuracy"]
        with torch.device("meta"):  # no random numbers are drawn for weights that are read
            self._network = _network(len(about["classes"]))
        self._network.load_state_dict(load_file(folder / "network.safetensors"), assign=True)
        self._network.eval()

    def __call__(self, items: Items) -> np.ndarray:
        """Sounds (int16, shape (N, samples)) to float32 features of shape (N, 64)."""
        sounds = np.asarray(items)
        parts = [sounds[start : start + _AT_ONCE] for start in range(0, len(sounds), _AT_ONCE)]
        with torch.inference_mode():
            return torch.cat([self._network[:-1](_spectra(part, self._given)) for part in parts]).numpy()


def _network(classes: int) -> nn.Sequential:
    """Kinds from log-mel spectra: three convolutions, means over time, the features, and a head."""

    def convolution(inputs: int, outputs: int) -> list[nn.Module]:
        kernel = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
        return [kernel, nn.BatchNorm2d(outputs), nn.ReLU()]

    return nn.Sequential(
        *convolution(1, 16),
        nn.AvgPool2d(2, ceil_mode=True),
        *convolution(16, 32),
        nn.AvgPool2d(2, ceil_mode=True),
        *convolution(32, 48),
        nn.AdaptiveAvgPool2d((_MELS // 8, 1)),
        nn.Flatten(),
        nn.Linear(48 * (_MELS // 8), _WIDTH, bias=False),
        nn.BatchNorm1d(_WIDTH, affine=False),
        nn.Sequential(nn.ReLU(), nn.Linear(_WIDTH, classes)),
    )


def _spectra(sounds: np.ndarray, sample_rate: int) -> Tensor:
    """Sounds of any rate as levels in mel bands: float32, shape (N, 1, mel bands, frames), about -1 to 1."""
    waves = sounds.astype(np.float32) / 32768
    if sample_rate != _RATE:
        common = gcd(sample_rate, _RATE)
        waves = resample_poly(waves, _RATE // common, sample_rate // common, axis=1).astype(np.float32)
    short = max(0, _WINDOW - waves.shape[1])
    spectrum = torch.stft(
        F.pad(torch.from_numpy(waves), (0, short)),
        _WINDOW,
        _HOP,
        window=torch.hann_window(_WINDOW),
        normalized=True,
        return_complex=True,
        pad_mode="constant",
    )
    filters = mel_filter_bank(1 + _WINDOW // 2, _MELS, 0.0, _RATE / 2, _RATE, norm=None, mel_scale="htk")
    bands = torch.from_numpy(filters.T.copy()).float() @ spectrum.abs() ** 2
    return (bands.clamp(min=_FLOOR).log10() / 3)[:, None]


def _train(folder: Path) -> None:
    """Train the network and write it, with its classes and its accuracy, into ``folder``."""
    data = {name: _labelled(name) for name in _SOURCES}
    classes = np.unique(np.concatenate([labels for splits in data.values() for _, labels in splits.values()]))
    spectra = torch.cat([_spectra(splits["train"][0], _RATE) for splits in data.values()])
    targets = torch.cat([_classes(classes, splits["train"][1]) for splits in data.values()])
    with reproducible():
        network = _network(len(classes))
        fit(network, spectra, targets, _varied, epochs=_EPOCHS, size=_BATCH, rate=_LEARNING_RATE)
        network.eval()
        with torch.no_grad():
            right = {
                name: (network(_spectra(splits["test"][0], _RATE)).argmax(1) == _classes(classes, splits["test"][1]))
                for name, splits in data.items()
            }
    save_file(network.state_dict(), folder / "network.safetensors")
    accuracy = {name: float(found.float().mean()) for name, found in right.items()}
    (folder / "about.json").write_text(json.dumps({"classes": classes.tolist(), "accuracy": accuracy}, indent=1))


def _labelled(dataset: str) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    module = importlib.import_module(plugins.find("datasets", dataset).module)
    splits: dict[str, tuple[np.ndarray, np.ndarray]] = module.labelled(sample_rate=_RATE)
    names = {kind: f"{dataset} {kind}" for kind in splits["train"][1]}
    return {split: (sounds, np.array([names[kind] for kind in kinds])) for split, (sounds, kinds) in splits.items()}


def _classes(classes: np.ndarray, labels: np.ndarray) -> Tensor:
    return torch.from_numpy(np.searchsorted(classes, labels))


def _varied(spectra: Tensor) -> Tensor:
    """Each sound some dB louder or softer, and a stretch of its time or of its bands covered (SpecAugment)."""
    rows, _, bands, frames = spectra.shape
    level, width, place, which = torch.rand(4, rows, 1)
    louder: Tensor = spectra + (2 * level[..., None, None] - 1) * 0.2
    time, band = torch.arange(frames) / frames, torch.arange(bands) / bands
    hidden_time = ((time - place).abs() < 0.1 * width) & (which < 0.5)
    hidden_band = ((band - place).abs() < 0.1 * width) & (which >= 0.5)
    hidden = hidden_time[:, None, None, :] | hidden_band[:, None, :, None]
    covered: Tensor = louder.masked_fill(hidden, float(np.log10(_FLOOR)) / 3)
    return covered
