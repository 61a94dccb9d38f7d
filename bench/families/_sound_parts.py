"""A sound model's parts: its U-Net, how noise is added, and the form of sound; made anew or read from a checkpoint."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from diffusers import DDPMScheduler, IPNDMScheduler, UNet1DModel, UNet2DModel

from bench.dataset import Dataset
from bench.errors import CheckpointError
from bench.families import _weights
from bench.families._denoising import Continuous, Discrete
from bench.families._errors import one_line
from bench.families._sound import Mel, Sound, Stft, Waveform

Noise = Discrete | Continuous
Parts = tuple[Any, Noise, Sound]
"""A U-Net, its noise, and the form of its sound."""

_FITTED_TO = 256  # sounds of the source that the scale of a spectrum is taken from


def loaded(checkpoint: str, revision: str | None) -> Parts:
    """Of a checkpoint's folders ``unet``, ``scheduler``, and ``stft`` or ``mel`` where there is one."""
    network = _network(checkpoint, revision)
    return network, _noise(checkpoint, revision), _sound(checkpoint, revision, network)


def built(architecture: Mapping[str, Any], source: Dataset) -> Parts:
    """Anew, for the sounds of ``source``."""
    wanted = dict(architecture)
    kind, scheduler = wanted.pop("kind", "waveform"), wanted.pop("scheduler", None)
    rate, samples = source.sample_rate, len(source.train[0])
    if kind == "waveform":
        network = UNet1DModel(**_waveform(wanted) | {"sample_rate": rate, "sample_size": samples})
        noise: Noise = Discrete(DDPMScheduler(**scheduler)) if scheduler else Continuous(IPNDMScheduler())
        return network, noise, Waveform(rate, samples, network.config.in_channels, _stride(network))
    if kind not in ("spectrogram", "mel"):
        raise CheckpointError(f"unknown kind {kind!r}; use waveform, spectrogram or mel")
    form = wanted.pop("stft" if kind == "spectrogram" else "mel", {})
    sound = _spectrum(kind, dict(form), source, wanted)
    channels, *size = sound.shape(samples)
    shape = {"in_channels": channels, "out_channels": channels, "sample_size": tuple(size)}
    noise = Discrete(DDPMScheduler(**{"clip_sample": kind == "mel"} | (scheduler or {})))
    return UNet2DModel(**wanted | shape), noise, sound


def _waveform(wanted: dict[str, Any]) -> dict[str, Any]:
    """One channel of sound, and time beside it at the input, in the width that the first block has for it."""
    time = wanted.get("extra_in_channels", wanted.get("time_embedding_dim", 16))
    return {"in_channels": 1, "out_channels": 1, "extra_in_channels": time, "time_embedding_dim": time} | wanted


def _spectrum(kind: str, form: dict[str, Any], source: Dataset, wanted: dict[str, Any]) -> Sound:
    samples, stride = len(source.train[0]), 2 ** (len(wanted.get("block_out_channels", (1,) * 4)) - 1)
    given = form | {"sample_rate": source.sample_rate, "stride": stride}
    if kind == "mel":
        hop = form.get("hop_length", 512)
        frames = math.ceil((samples + 1) / hop / stride) * stride
        mel: Mel = Mel(**{"n_fft": 4 * hop} | given | {"x_res": frames, "samples": samples})
        return mel
    first = np.asarray(source.train[:_FITTED_TO]).astype(np.float32) / 32768
    stft: Stft = Stft(**given | {"samples": samples})
    return stft.fitted(torch.from_numpy(first))


def _network(checkpoint: str, revision: str | None) -> Any:
    """The U-Net in a checkpoint's folder ``unet``."""
    config = UNet2DModel.load_config(checkpoint, subfolder="unet", revision=revision)
    kinds = {kind.__name__: kind for kind in (UNet1DModel, UNet2DModel)}
    name = config.get("_class_name", "a model of unknown class")
    if name not in kinds:
        raise CheckpointError(f"its unet is {name}; name one with a UNet1DModel or a UNet2DModel")
    return _weights.component(kinds[name], checkpoint, "unet", revision=revision)


def _noise(checkpoint: str, revision: str | None) -> Noise:
    config = DDPMScheduler.load_config(checkpoint, subfolder="scheduler", revision=revision)
    name = config.get("_class_name")
    if name == "IPNDMScheduler":
        return Continuous(IPNDMScheduler.from_config(config))
    if name not in {kind.__name__ for kind in DDPMScheduler().compatibles}:
        raise CheckpointError(f"its {name} adds noise neither as DDPM does nor as Dance Diffusion; name another")
    return Discrete(DDPMScheduler.from_config(config))


def _sound(checkpoint: str, revision: str | None, network: Any) -> Sound:
    """The form of sound that a network was trained on."""
    config = network.config
    if isinstance(network, UNet1DModel):
        if not config.sample_rate or not config.sample_size:
            raise CheckpointError("its unet's config says no sample_rate or sample_size; add them")
        return Waveform(config.sample_rate, config.sample_size, config.in_channels, _stride(network))
    for kind, folder in ((Stft, "stft"), (Mel, "mel")):
        try:
            found = kind.load_config(checkpoint, subfolder=folder, revision=revision)
        except OSError:
            continue
        sound: Sound = kind.from_config(found)
        return sound
    raise CheckpointError("its pictures are not of sound: it has neither an stft nor a mel folder; name one that has")


def _stride(network: Any) -> int:
    """What the length of a waveform is a multiple of: each block may halve it, as in diffusers' own pipeline."""
    return int(2 ** len(network.up_blocks))


def fault(network: Any, sound: Sound) -> str:
    """Why a network cannot be used with a form of sound; empty where it can."""
    config = network.config
    if getattr(network, "class_embedding", None) is not None:
        return "a class-conditional network needs labels, which datasets here have none of; name an unconditional one"
    if config.in_channels != config.out_channels or config.in_channels != sound.channels:
        seen = f"{config.in_channels} channels in, {config.out_channels} out"
        return f"{seen}, and its sound has {sound.channels}; name one with as many out as in"
    least, device = (*sound.shape(1)[:-1], 4 * sound.stride), next(network.parameters()).device
    try:
        with torch.no_grad():
            made = network(torch.zeros(1, *least, device=device), torch.zeros(1, device=device)).sample.shape[1:]
    except Exception as error:
        return f"its network does not run on data of shape {least} ({one_line(error)}); name another"
    return "" if made == least else f"its network turns data of shape {least} into {tuple(made)}; name another"
