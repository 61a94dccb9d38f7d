"""A small U-Net of spectra, the sounds it knows, and those it is to learn."""

from typing import Any

import numpy as np
import torch

from bench.dataset import Dataset, Items
from bench.families.audio import Audio
from tests.models import disturbed

OPTIONS = {"inference_steps": 3}
RATE, SAMPLES = 4000, 90

SPECTRUM: dict[str, Any] = {"kind": "spectrogram", "stft": {"n_fft": 14, "hop_length": 7}}
SPECTRUM |= {"block_out_channels": (8, 16), "layers_per_block": 2, "norm_num_groups": 4}
SPECTRUM |= {"down_block_types": ("DownBlock2D", "AttnDownBlock2D"), "up_block_types": ("AttnUpBlock2D", "UpBlock2D")}

WAVEFORM: dict[str, Any] = {"kind": "waveform", "block_out_channels": (8, 32), "extra_in_channels": 4}
WAVEFORM |= {"down_block_types": ("DownBlock1DNoSkip", "DownBlock1D")}
WAVEFORM |= {"up_block_types": ("UpBlock1D", "UpBlock1DNoSkip")}

MEL = {name: value for name, value in SPECTRUM.items() if name != "stft"}
MEL |= {"kind": "mel", "mel": {"y_res": 8, "hop_length": 8, "n_fft": 64, "n_iter": 4}}


def model(architecture: dict[str, Any] = SPECTRUM, **options: Any) -> Audio:
    torch.manual_seed(0)
    made = Audio.from_architecture(architecture, source(), **OPTIONS | options)
    disturbed(made.network)
    return made.eval()


def data(train: int = 12, samples: int = SAMPLES) -> Dataset:
    """Tones that die away."""
    return _sounds("dying", train, samples, lambda time, random: np.exp(-time / random.uniform(10, 40)), 0)


def source(train: int = 24, samples: int = SAMPLES) -> Dataset:
    """Tones that last, in two sub-domains: low and high."""
    return _sounds("lasting", train, samples, lambda time, random: np.ones(samples), 1)


def pool() -> Items:
    return np.concatenate([data(12).train, data(36).train[24:]])


def _sounds(name: str, train: int, samples: int, envelope: Any, seed: int) -> Dataset:
    random, time, drawn = np.random.default_rng(seed), np.arange(samples), []
    for index in range(train + 12):
        pitch = random.uniform(0.02, 0.1) * (1 + 2 * (index % 2))
        wave = envelope(time, random) * np.sin(2 * np.pi * pitch * time + random.uniform(0, 6))
        drawn.append(random.uniform(0.4, 0.9) * wave)
    sounds = np.round(np.array(drawn) * 32767).astype(np.int16)
    splits = sounds[:train], sounds[train : train + 6], sounds[train + 6 :]
    return Dataset(name, "audio", *splits, groups=np.arange(train) % 2, sample_rate=RATE)
