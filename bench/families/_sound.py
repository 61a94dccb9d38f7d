"""Sound in the form a network learns it: as it is, as a spectrum that can be turned back, or as a mel spectrogram.

Each form turns waves (float32, shape (rows, samples), -1 to 1) into data (rows, channels, …) and back. The last axis of
the data is time; it is as long as the network can halve it.
"""

import math
from functools import cached_property
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from torch import Tensor
from transformers.audio_utils import mel_filter_bank

_FITTED = 0.5
"""Root mean square that spectra are scaled to: about that of images between -1 and 1."""


class Waveform:
    """One number per sample and channel; a network of several channels hears the same in all, and their mean is heard.

    Args:
        sample_rate: in Hz.
        samples: of one sound.
        channels: of the network.
        stride: the data's length is a multiple of it; silence fills up.
    """

    def __init__(self, sample_rate: int, samples: int, channels: int = 1, stride: int = 1) -> None:
        self.sample_rate, self.samples, self.channels, self.stride = sample_rate, samples, channels, stride

    def shape(self, samples: int) -> tuple[int, ...]:
        """Of one row's data."""
        return self.channels, math.ceil(samples / self.stride) * self.stride

    def analyse(self, waves: Tensor) -> Tensor:
        channels, length = self.shape(waves.shape[1])
        return F.pad(waves, (0, length - waves.shape[1]))[:, None].expand(-1, channels, -1)

    def synthesise(self, data: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        return data.mean(1)[:, :samples]

    def save(self, folder: Path) -> None:
        """A waveform's rate and length stand in its network's own configuration."""


class Stft(ConfigMixin):  # type: ignore[misc]
    """Real and imaginary part of a short-time Fourier transform, loudness compressed by a power law: nothing is lost.

    Paper: Richter et al. 2023, Speech Enhancement and Dereverberation with Diffusion-based Generative Models (the
    compression); Griffin & Lim 1984 (the inverse of what a network makes, which is no sound's transform: the nearest)

    Args:
        sample_rate: in Hz.
        samples: of one sound.
        n_fft: length of a window in samples; there are n_fft / 2 + 1 frequencies.
        hop_length: from window to window; with a root-Hann window half of n_fft loses nothing.
        exponent: of each coefficient's magnitude.
        scale: factor after that.
        stride: frames are a multiple of it; silence fills up.
    """

    config_name = "stft_config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        sample_rate: int = 8000,
        samples: int = 2000,
        n_fft: int = 126,
        hop_length: int = 63,
        exponent: float = 0.5,
        scale: float = 1.0,
        stride: int = 1,
    ) -> None:
        if not 0 < hop_length <= n_fft // 2 or n_fft % 2:
            raise ValueError(f"hop_length {hop_length}, n_fft {n_fft}: half of an even n_fft at most, or sound is lost")
        if not 0 < exponent <= 1:
            raise ValueError(f"exponent {exponent}: above 0, and 1 at most")
        self.sample_rate, self.samples, self.channels = sample_rate, samples, 2
        self.n_fft, self.hop, self.exponent, self.scale = n_fft, hop_length, exponent, scale
        self.bins, self.stride = n_fft // 2 + 1, stride

    def fitted(self, waves: Tensor) -> "Stft":
        """The same with the scale that suits these waves."""
        found = self.scale * _FITTED / float(self.analyse(waves).square().mean().sqrt().clamp(min=1e-8))
        fitted: Stft = Stft.from_config(self.config, scale=found)
        return fitted

    def shape(self, samples: int) -> tuple[int, ...]:
        frames = 1 + math.ceil(samples / self.hop)
        return self.channels, self.bins, math.ceil(frames / self.stride) * self.stride

    def analyse(self, waves: Tensor) -> Tensor:
        frames = self.shape(waves.shape[1])[-1]
        padded = F.pad(waves.float(), (0, (frames - 1) * self.hop - waves.shape[1]))
        spectrum = torch.view_as_real(self._transform(padded)).permute(0, 3, 1, 2)
        return self.scale * _powered(spectrum, self.exponent)

    def synthesise(self, data: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        spectrum = _powered(data.float() / self.scale, 1 / self.exponent)
        complex_ = torch.view_as_complex(spectrum.permute(0, 2, 3, 1).contiguous())
        wave: Tensor = torch.istft(complex_, self.n_fft, self.hop, window=self._window(data), normalized=True)
        return wave[:, :samples]

    def save(self, folder: Path) -> None:
        self.save_config(folder / "stft")

    def _transform(self, waves: Tensor) -> Tensor:
        return torch.stft(
            waves,
            self.n_fft,
            self.hop,
            window=self._window(waves),
            normalized=True,
            return_complex=True,
            pad_mode="constant",
        )

    def _window(self, like: Tensor) -> Tensor:
        return torch.hann_window(self.n_fft, device=like.device).sqrt()


class Mel(ConfigMixin):  # type: ignore[misc]
    """A mel spectrogram in decibels below its loudest place, as diffusers' ``AudioDiffusionPipeline`` has it.

    Phase and loudness are lost: phases are found again by the fast Griffin-Lim algorithm, from chance ones, and the
    peak of each sound is 0.9. Levels are not rounded to 8 bits.

    Paper: Perraudin et al. 2013, A Fast Griffin-Lim Algorithm; Lee & Seung 2001, Algorithms for Non-negative Matrix
    Factorization (from mel bands back to frequencies)

    Args:
        x_res, y_res: frames, mel bands.
        sample_rate: in Hz.
        n_fft, hop_length: of the windows, in samples.
        top_db: what is that far below the loudest is silence.
        n_iter: steps of the phases' search.
        samples: of one sound; 0 for as many as the frames hold.
        stride: frames are a multiple of it; silence fills up.
    """

    config_name = "mel_config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        x_res: int = 256,
        y_res: int = 256,
        sample_rate: int = 22050,
        n_fft: int = 2048,
        hop_length: int = 512,
        top_db: float = 80,
        n_iter: int = 32,
        samples: int = 0,
        stride: int = 1,
    ) -> None:
        self.sample_rate, self.samples, self.channels = sample_rate, samples or x_res * hop_length - 1, 1
        self.bins, self.n_fft, self.hop, self.top_db, self.steps = y_res, n_fft, hop_length, top_db, n_iter
        self.stride = stride

    @cached_property
    def filters(self) -> Tensor:
        """Shape (mel bands, frequencies)."""
        rate, bins = self.sample_rate, 1 + self.n_fft // 2
        banks = mel_filter_bank(bins, self.bins, 0.0, rate / 2, rate, norm="slaney", mel_scale="slaney")
        return torch.from_numpy(banks.T.copy()).float()

    def shape(self, samples: int) -> tuple[int, ...]:
        frames = 1 + samples // self.hop
        return self.channels, self.bins, math.ceil(frames / self.stride) * self.stride

    def analyse(self, waves: Tensor) -> Tensor:
        missing = (self.shape(waves.shape[1])[-1] - 1) * self.hop - waves.shape[1]
        power = self._transform(F.pad(waves.float(), (0, max(0, missing)))).abs() ** 2
        levels = 10 * (self.filters.to(waves.device) @ power).clamp(min=1e-10).log10()
        below = (levels - levels.amax((1, 2), keepdim=True)).clamp(min=-self.top_db)
        return (2 * below / self.top_db + 1)[:, None]

    def synthesise(self, data: Tensor, samples: int, generator: torch.Generator) -> Tensor:
        levels = (data[:, 0].float().clamp(-1, 1) - 1) * self.top_db / 2
        magnitude = self._frequencies(10 ** (levels / 10)).sqrt()
        chance = torch.rand(magnitude.shape, generator=generator).to(data.device)
        wave = _phases(self, magnitude, torch.polar(torch.ones_like(chance), 2 * math.pi * chance))
        wave = F.pad(wave, (0, max(0, samples - wave.shape[1])))[:, :samples]
        return 0.9 * wave / wave.abs().amax(1, keepdim=True).clamp(min=1e-8)

    def save(self, folder: Path) -> None:
        self.save_config(folder / "mel")

    def _frequencies(self, mel: Tensor) -> Tensor:
        """The power of each frequency whose mel bands are nearest to those wanted, none below zero."""
        filters = self.filters.to(mel.device)
        found: Tensor = (torch.linalg.pinv(filters) @ mel).clamp(min=1e-10)
        target, gram = filters.T @ mel, filters.T @ filters
        for _ in range(_MULTIPLIED):
            found = found * target / (gram @ found).clamp(min=1e-12)
        return found

    def _transform(self, waves: Tensor) -> Tensor:
        window = torch.hann_window(self.n_fft, device=waves.device)
        return torch.stft(waves, self.n_fft, self.hop, window=window, return_complex=True, pad_mode="constant")

    def inverse(self, spectrum: Tensor) -> Tensor:
        """The wave whose transform is nearest."""
        window = torch.hann_window(self.n_fft, device=spectrum.device)
        wave: Tensor = torch.istft(spectrum, self.n_fft, self.hop, window=window)
        return wave


Sound = Waveform | Stft | Mel

_MULTIPLIED = 20  # steps of the search for frequencies
_MOMENTUM = 0.99  # of the search for phases, as in the paper


def _phases(mel: Mel, magnitude: Tensor, phases: Tensor) -> Tensor:
    """The fast Griffin-Lim algorithm: back and forth between magnitudes that are wanted and waves that exist."""
    before = torch.zeros_like(phases)
    for _ in range(mel.steps):
        rebuilt = mel._transform(mel.inverse(magnitude * phases))
        phases = rebuilt - _MOMENTUM / (1 + _MOMENTUM) * before
        phases = phases / phases.abs().clamp(min=1e-16)
        before = rebuilt
    return mel.inverse(magnitude * phases)


def _powered(spectrum: Tensor, exponent: float) -> Tensor:
    """Real and imaginary parts (axis 1) with the magnitude to a power and the angle as it was."""
    magnitude = spectrum.square().sum(1, keepdim=True).sqrt()
    return spectrum * magnitude.clamp(min=1e-12) ** (exponent - 1)
