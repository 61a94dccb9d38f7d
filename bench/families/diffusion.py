"""Image models that learn to remove noise: diffusers' ``UNet2DModel`` with its scheduler."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import DDPMPipeline, DDPMScheduler, UNet2DModel
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _hidden, _weights
from bench.families._denoising import Discrete, smaller, unfit
from bench.families._errors import one_line
from bench.families._images import to_items, to_pixels, to_rows
from bench.model import Batch, Model, Reader
from bench.options import Count, NonNegative

MODALITY = "image"
OFFERS = ("image", "network", "samples", "objective")
CHECKPOINT = {
    "kind": "a DDPMPipeline, DDIMPipeline or PNDMPipeline of an unconditional UNet2DModel",
    "pipelines": ("DDPMPipeline", "DDIMPipeline", "PNDMPipeline"),
    "networks": {
        "unet": {
            "_class_name": ("UNet2DModel",),
            "null": ("class_embed_type", "num_class_embeds"),
            "out_channels": "in_channels",
            "sample_size": ...,
        }
    },
    "parts": {
        "scheduler": {
            "_class_name": ("KarrasDiffusionSchedulers",),
            "prediction_type": ("epsilon", "v_prediction", "sample"),
        }
    },
}


class Diffusion(Model):
    """Denoising diffusion in pixel space: ``UNet2DModel``, trained to predict the noise, sampled with DDIM.

    Paper: Ho et al. 2020, Denoising Diffusion Probabilistic Models (training); Song et al. 2021, Denoising Diffusion
    Implicit Models (sampling).

    Args:
        inference_steps: network evaluations per sample.
        eta: share of DDPM's noise in each step of DDIM; 0 is deterministic given the first noise.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    read_by = Reader("diffusers.DDPMPipeline")
    network: Any

    def __init__(
        self, network: UNet2DModel, noise: DDPMScheduler, *, inference_steps: Count = 20, eta: NonNegative = 0.0
    ) -> None:
        super().__init__()
        self.network, self.noise = network, noise
        if fault := _fault(network, noise, inference_steps):
            raise CheckpointError(fault)
        self.options: dict[str, Any] = {"inference_steps": inference_steps, "eta": eta}
        size = network.config.sample_size
        self.height: int = size if isinstance(size, int) else size[0]
        self.width: int = size if isinstance(size, int) else size[1]

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        try:
            DDPMPipeline.load_config(checkpoint, revision=revision)  # so that a folder of another library ends here
            unet = _weights.component(UNet2DModel, checkpoint, "unet", revision=revision)
            pipeline = DDPMPipeline.from_pretrained(checkpoint, unet=unet, revision=revision, use_safetensors=True)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None
        except Exception as error:
            said = one_line(error)
            problem, remedy = f"not a UNet2DModel with its scheduler ({said})", "save both as a DDPMPipeline"
            raise CheckpointError(f"checkpoint {checkpoint}: {problem}; {remedy}") from error
        if sound := [name for name in ("stft", "mel") if Path(checkpoint, name).is_dir()]:
            raise CheckpointError(f"checkpoint {checkpoint}: its pictures are of sound ({sound[0]}); name family audio")
        if type(pipeline.scheduler) not in DDPMScheduler().compatibles:
            kind = type(pipeline.scheduler).__name__
            raise CheckpointError(f"checkpoint {checkpoint}: its {kind} does not add noise as DDPM does; name another")
        try:
            return cls(pipeline.unet, DDPMScheduler.from_config(pipeline.scheduler.config), **options)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        wanted = dict(architecture)
        scheduler = wanted.pop("scheduler", {})
        height, width, channels = np.asarray(source.train[0]).shape
        shape = {"sample_size": height if height == width else (height, width)}
        try:
            noise = DDPMScheduler(**scheduler)
            sizes = shape | {"in_channels": channels, "out_channels": channels} | wanted
            _weights.fits(lambda: UNet2DModel(**sizes))
            return cls(UNet2DModel(**sizes), noise, **options)
        except CheckpointError as error:
            raise CheckpointError(f"architecture {dict(architecture)}: {error}") from None
        except Exception as error:
            said = one_line(error)
            raise CheckpointError(f"architecture {dict(architecture)}: diffusers cannot build it ({said})") from error

    def save(self, folder: Path) -> None:
        DDPMPipeline(self.network, self.noise).save_pretrained(folder)

    def fresh(self) -> Self:
        network = UNet2DModel.from_config(self.network.config)
        return type(self)(network.to(self.device), self.noise, **self.options)

    def student(self) -> Self:
        """Half the residual layers of each block, started from this model's where they fit; where a block has only
        one, half the channels, started anew."""
        return type(self)(smaller(self.network).to(self.device), self.noise, **self.options)

    def blocks(self) -> list[nn.Module]:
        unet = self.network
        time = [part for part in (unet.time_proj, unet.time_embedding, unet.class_embedding) if part is not None]
        entrance = nn.ModuleList([unet.conv_in, *time])
        middle = [unet.mid_block] if unet.mid_block is not None else []
        exit_ = nn.ModuleList([unet.conv_norm_out, unet.conv_out])
        return [entrance, *unet.down_blocks, *middle, *unet.up_blocks, exit_]

    def generating_end(self) -> list[nn.Module]:
        """The way up: from the features of the narrowest place back to pixels."""
        return [*self.network.up_blocks, self.network.conv_norm_out, self.network.conv_out]

    def encoding(self) -> dict[str, Any]:
        shape = [self.network.config.in_channels, self.height, self.width]
        return {"family": "diffusion", "shape": shape}

    def encode(self, items: Items) -> Batch:
        images = to_rows(items, self.network.config.in_channels, self.height, self.width)
        return {"images": images, "item": torch.arange(len(images))}

    def decode(self, batch: Batch) -> np.ndarray:
        return to_items(batch["images"])

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Pixels from 0…255 to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"images": to_pixels(batch["images"])}

    def coarser(self, batch: Batch, share: float) -> Batch:
        """Images of the next size that the way down can halve as often as it does; the mean of what they were."""
        stride = 2 ** (len(self.network.config.block_out_channels) - 1)
        if stride == self.height == self.width:
            raise NotApplicable(f"its way down ends at one pixel of {stride}x{stride} images: it takes no smaller ones")
        size = [max(1, round(share * side / stride)) * stride for side in (self.height, self.width)]
        return batch | {"images": F.interpolate(batch["images"], size, mode="area")}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Only patches named in ``hidden`` get noise, and are to be restored from the clean ones around them.

        Paper: Wei et al. 2023, Diffusion Models as Masked Autoencoders
        """
        rows, size = len(batch["images"]), batch["images"].shape[2:]
        places = _hidden.hidden(rows, size, _hidden.PATCHES, _hidden.SHARE if share is None else share, generator)
        return batch | {"hidden": places.to(self.device)}

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Noise of the images' shape, and a timestep for every row."""
        shape, last = batch["images"].shape, self.noise.config.num_train_timesteps
        noise = torch.randn(shape, generator=generator).to(self.device)
        timesteps = torch.randint(last, (shape[0],), generator=generator).to(self.device)
        return batch | {"noise": noise, "timesteps": timesteps}

    def forward(self, batch: Batch) -> Tensor:
        """The network's prediction, of the images' shape."""
        noised = self.noise.add_noise(batch["images"], batch["noise"], batch["timesteps"])
        if "hidden" in batch:
            noised = torch.where(batch["hidden"], noised, batch["images"])
        predicted: Tensor = self.network(noised, batch["timesteps"]).sample
        return predicted

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean squared error of the predicted noise (or of what the checkpoint's scheduler says it predicts), where a
        transform has hidden patches, in these."""
        wanted = Discrete(self.noise).wanted(batch["images"], batch["noise"], batch["timesteps"])
        return _hidden.squared_error(batch, outputs, wanted)

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        shape = (len(batch["images"]), self.network.config.in_channels, self.height, self.width)
        start = torch.randn(shape, generator=generator).to(self.device)
        images = Discrete(self.noise).denoise(
            lambda noisy, timestep: self.network(noisy, timestep).sample,
            start,
            self.options["inference_steps"],
            self.options["eta"],
            generator,
        )
        return {"images": images.float().clamp(-1, 1), "item": torch.arange(shape[0])}


def _fault(network: Any, noise: DDPMScheduler, inference_steps: int) -> str:
    """Why a network and its scheduler cannot be used as this family does; empty where they can."""
    config = network.config
    if not isinstance(network, UNet2DModel):
        return f"a {type(network).__name__} makes no images from noise alone; name a UNet2DModel"
    if network.class_embedding is not None:
        return "a class-conditional network needs labels, which datasets here have none of; name an unconditional one"
    if config.sample_size is None:
        return "the network's config has no sample_size; set it to the side of its images in pixels"
    if config.in_channels != config.out_channels:
        found = f"{config.in_channels} channels in, {config.out_channels} out"
        return f"{found}: a learned variance is not supported; name another"
    return Discrete(noise).fault(inference_steps) or unfit(network)
