"""Sound models that learn to remove noise: diffusers' U-Nets on waveforms and on spectrograms."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import UNet2DModel
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError
from bench.families import _hidden, _sound_parts
from bench.families._denoising import smaller
from bench.families._errors import one_line
from bench.families._sound import Sound, Waveform
from bench.families._sound_parts import Noise
from bench.model import Batch, Model, Reader
from bench.options import Count, NonNegative

MODALITY = "audio"
OFFERS = ("audio", "network", "samples", "objective")
CHECKPOINT = {
    "kind": "a DanceDiffusionPipeline or AudioDiffusionPipeline of an unconditional UNet1DModel or UNet2DModel",
    "pipelines": ("DanceDiffusionPipeline", "AudioDiffusionPipeline", ""),
    "networks": {
        "unet": {
            "_class_name": ("UNet1DModel", "UNet2DModel"),
            "null": ("class_embed_type", "num_class_embeds"),
            "out_channels": "in_channels",
        }
    },
    "parts": {"scheduler": {"_class_name": ("KarrasDiffusionSchedulers", "IPNDMScheduler")}},
    "optional": ("mel", "stft"),
}

_PARTS = 8, 16  # of a sound's frequencies, and of its time, each of which is hidden or not
_CORRUPTED = 0.5  # of the parts


class Audio(Model):
    """Denoising diffusion of sound, sampled with DDIM: a ``UNet1DModel`` on waveforms or a ``UNet2DModel`` on spectra.

    What a checkpoint's folder holds says which. Waveforms: ``unet`` and ``scheduler``, as Dance Diffusion has them.
    Spectra: also ``stft`` (real and imaginary part, from which the sound comes back unchanged) or ``mel`` (as in
    AudioDiffusion: magnitudes alone). A recipe's architecture says it as ``kind``: ``waveform``, ``spectrogram`` or
    ``mel``, with the options of ``stft`` or ``mel`` under that name, and of the scheduler under ``scheduler``.

    Sounds of another length are cut, or filled up with silence; those of another sample rate are refused.

    Paper: Ho et al. 2020, Denoising Diffusion Probabilistic Models; Kong et al. 2021, DiffWave; Song et al. 2021,
    Denoising Diffusion Implicit Models (sampling)

    Args:
        inference_steps: network evaluations per sample.
        eta: share of DDPM's noise in each step of DDIM; 0 is deterministic given the first noise.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    network: Any

    def __init__(
        self, network: Any, noise: Noise, sound: Sound, *, inference_steps: Count = 20, eta: NonNegative = 0.0
    ) -> None:
        super().__init__()
        self.network, self.noise, self.sound = network, noise, sound
        if fault := _sound_parts.fault(network, sound) or noise.fault(inference_steps):
            raise CheckpointError(fault)
        self.options: dict[str, Any] = {"inference_steps": inference_steps, "eta": eta}
        waves = isinstance(sound, Waveform)  # no pipeline of theirs turns pictures of these kinds into sound again
        self.read_by = Reader("diffusers.DanceDiffusionPipeline") if waves else Reader("diffusers.UNet2DModel", "unet")

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        try:
            return cls(*_sound_parts.loaded(checkpoint, revision), **options)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None
        except Exception as error:
            said = one_line(error)
            problem, remedy = f"no U-Net of sound with its scheduler ({said})", "name a folder with unet and scheduler"
            raise CheckpointError(f"checkpoint {checkpoint}: {problem}; {remedy}") from error

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        try:
            return cls(*_sound_parts.built(architecture, source), **options)
        except CheckpointError as error:
            raise CheckpointError(f"architecture {dict(architecture)}: {error}") from None
        except Exception as error:
            said = one_line(error)
            raise CheckpointError(f"architecture {dict(architecture)}: diffusers cannot build it ({said})") from error

    def save(self, folder: Path) -> None:
        waves = isinstance(self.sound, Waveform)
        parts = {"unet": self.network, "scheduler": self.noise.scheduler}
        index: dict[str, Any] = {"_class_name": "DanceDiffusionPipeline" if waves else "AudioDiffusionPipeline"}
        for name, part in parts.items():
            part.save_pretrained(folder / name)
            index[name] = ["diffusers", type(part).__name__]
        self.sound.save(folder)
        (folder / "model_index.json").write_text(json.dumps(index, indent=1))

    def fresh(self) -> Self:
        return self._with(type(self.network).from_config(self.network.config))

    def student(self) -> Self:
        """Half the residual layers of each block or, where it has one, half the channels; of waveforms always these."""
        return self._with(smaller(self.network))

    def _with(self, network: Any) -> Self:
        return type(self)(network.to(self.device), self.noise, self.sound, **self.options)

    def misfit(self, data: Dataset) -> str:
        ours = self.sound.sample_rate
        if data.sample_rate == ours:
            return ""
        return f"its sounds have {data.sample_rate} Hz, the model's {ours}; give it the option sample_rate: {ours}"

    def blocks(self) -> list[nn.Module]:
        unet = self.network
        time, ends = (
            [part for name in names if (part := getattr(unet, name, None)) is not None]
            for names in (("time_proj", "time_embedding", "time_mlp"), ("conv_norm_out", "conv_out", "out_block"))
        )
        first, *down = [unet.conv_in, *unet.down_blocks] if isinstance(unet, UNet2DModel) else unet.down_blocks
        middle = [unet.mid_block] if unet.mid_block is not None else []
        exit_ = [nn.ModuleList(ends)] if ends else []
        return [nn.ModuleList([first, *time]), *down, *middle, *unet.up_blocks, *exit_]

    def generating_end(self) -> list[nn.Module]:
        """The way up: from the features of the narrowest place back to sound."""
        within = [*self.network.down_blocks, self.network.mid_block]
        return [block for block in self.blocks()[1:] if not any(block is other for other in within)]

    def encoding(self) -> dict[str, Any]:
        return {"family": "audio", "samples": self.sound.samples}

    def encode(self, items: Items) -> Batch:
        sounds = torch.from_numpy(np.array(items))[:, : self.sound.samples]
        filled = F.pad(sounds, (0, self.sound.samples - sounds.shape[1]))
        return {"sounds": filled.contiguous(), "item": torch.arange(len(filled))}

    def decode(self, batch: Batch) -> np.ndarray:
        sounds = batch["sounds"]
        if sounds.dtype != torch.int16:
            sounds = (sounds * 32768).round().clamp(-32768, 32767).to(torch.int16)
        array: np.ndarray = sounds.cpu().numpy()
        return array

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Samples from 16 bits to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"sounds": batch["sounds"].float() / 32768}

    def coarser(self, batch: Batch, share: float) -> Batch:
        """The beginning of each sound, no shorter than the network can halve as often as it does."""
        least = self.sound.stride * 3 * (1 if isinstance(self.sound, Waveform) else self.sound.hop)
        kept = max(round(share * batch["sounds"].shape[1]), least)
        return batch | {"sounds": batch["sounds"][:, :kept]}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Only parts named in ``hidden`` get noise, and are to be restored from the clean ones around them: stretches
        of a waveform, patches of a spectrogram.

        Paper: Wei et al. 2023, Diffusion Models as Masked Autoencoders (of images)
        """
        rows, size = len(batch["sounds"]), self.sound.shape(batch["sounds"].shape[1])[1:]
        places = _hidden.hidden(rows, size, _PARTS[-len(size) :], _CORRUPTED if share is None else share, generator)
        return batch | {"hidden": places.to(self.device)}

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The sounds in the form the network learns, noise of that shape, and a timestep for every row."""
        clean = self.sound.analyse(batch["sounds"])
        noise = torch.randn(clean.shape, generator=generator).to(self.device)
        timesteps = self.noise.timesteps(len(clean), generator).to(self.device)
        return batch | {"clean": clean, "noise": noise, "timesteps": timesteps}

    def forward(self, batch: Batch) -> Tensor:
        """The network's prediction, of the shape of ``clean``."""
        noised = self.noise.noised(batch["clean"], batch["noise"], batch["timesteps"])
        if "hidden" in batch:
            noised = torch.where(batch["hidden"], noised, batch["clean"])
        predicted: Tensor = self.network(noised, batch["timesteps"]).sample
        return predicted

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean squared error of the predicted noise or velocity, as the checkpoint's scheduler says; where a transform
        has hidden parts, in these."""
        wanted = self.noise.wanted(batch["clean"], batch["noise"], batch["timesteps"])
        return _hidden.squared_error(batch, outputs, wanted)

    def units(self, batch: Batch) -> int:
        return len(batch["sounds"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows, steps, eta = len(batch["sounds"]), self.options["inference_steps"], self.options["eta"]
        start = torch.randn(rows, *self.sound.shape(self.sound.samples), generator=generator).to(self.device)

        def predict(noisy: Tensor, timestep: Tensor) -> Tensor:
            predicted: Tensor = self.network(noisy, timestep).sample
            return predicted

        data = self.noise.denoise(predict, start, steps, eta, generator)
        sounds = self.sound.synthesise(data.float(), self.sound.samples, generator)
        return {"sounds": sounds.clamp(-1, 1), "item": torch.arange(rows)}
