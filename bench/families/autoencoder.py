"""Image models that learn a code and the way back, and draw codes from a Gaussian fitted to those they have seen."""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.errors import CheckpointError
from bench.families._autoencoding import Autoencoding
from bench.model import Batch
from bench.options import Natural

MODALITY = "image"
OFFERS = ("image", "network", "objective", "reconstruction", "samples")
CHECKPOINT = {
    "kind": "an AutoencoderKL or a ConvolutionalAutoencoder",
    "networks": {
        "": {"_class_name": ("AutoencoderKL", "ConvolutionalAutoencoder"), "out_channels": "in_channels"},
    },
}

_LARGEST = 4096  # numbers in a code whose covariances fit into memory with ease


class Autoencoder(Autoencoding):
    """Deterministic autoencoder: mean squared error, no prior; codes to decode come from a Gaussian fitted to codes.

    The Gaussian follows training: its moments are those of the codes of recent batches, a moving average as batch
    norm's. Of a network that has a mean and a variance for each code, such as ``AutoencoderKL``, the mean is the code.
    Where a checkpoint of another library brings no Gaussian, it is the standard normal until training begins.

    Paper: Hinton & Salakhutdinov 2006, Reducing the Dimensionality of Data with Neural Networks; Ghosh et al. 2020,
    From Variational to Deterministic Autoencoders (ex-post density estimation; their regularisers are left out)

    Args:
        density: the Gaussian has a ``full`` covariance, or a ``diagonal`` one, for codes of many numbers.
        sample_size: side of the pictures in pixels, where an ``AutoencoderKL`` is to work at another than its own; 0
            for its own.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    variational, file = False, "code_density.safetensors"

    def __init__(
        self,
        body: Any,
        beside: nn.Module | None = None,
        *,
        density: Literal["full", "diagonal"] = "full",
        sample_size: Natural = 0,
    ) -> None:
        self.density = density
        super().__init__(body, beside, sample_size)
        self.options |= {"density": density}

    def new_beside(self) -> nn.Module:
        size = torch.Size(self.network.code_shape(self.height, self.width)).numel()
        if self.density == "full" and size > _LARGEST:
            problem = f"codes of {size} numbers have too many covariances"
            raise CheckpointError(f"{problem}; ask for density: diagonal, or a smaller sample_size")
        return CodeDensity(size, self.density == "full")

    def forward(self, batch: Batch) -> Tensor:
        """Side by side, shape (rows, D + L): D pixels and channels, and the L numbers of the code."""
        decoded, codes, _ = self.network(self.seen(batch))
        if self.training:
            self.network.beside.follow(codes.detach().flatten(1))
        return torch.cat([decoded.flatten(1), codes.flatten(1)], dim=1)

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean squared error of the pixels, from -1 to 1."""
        wanted = batch["images"].flatten(1)
        return F.mse_loss(outputs[:, : wanted.shape[1]].float(), wanted)

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows, shape = len(batch["images"]), self.network.code_shape(self.height, self.width)
        noise = torch.randn(rows, torch.Size(shape).numel(), generator=generator)
        codes = self.network.beside.draw(noise).to(self.device).view(rows, *shape)
        return {"images": self.network(codes=codes).float().clamp(-1, 1), "item": torch.arange(rows)}


class CodeDensity(nn.Module):
    """A Gaussian that follows the codes it is shown; the standard normal before it has seen any.

    Args:
        size: numbers in a code.
        full: whether it has covariances, or variances alone.
    """

    _NEWEST = 0.1  # weight of the newest batch, batch norm's; the first ones weigh the same, so the start is forgotten

    def __init__(self, size: int, full: bool) -> None:
        super().__init__()
        self.mean: Tensor
        self.second: Tensor
        self.batches: Tensor
        self.register_buffer("mean", torch.zeros(size))
        self.register_buffer("second", torch.eye(size) if full else torch.ones(size))
        self.register_buffer("batches", torch.zeros(()))

    @torch.no_grad()
    def follow(self, codes: Tensor) -> None:
        """Take codes of shape (rows, size) in; those of images of another size are let pass."""
        if codes.shape[1] != len(self.mean):
            return
        with torch.autocast(codes.device.type, enabled=False):
            codes = codes.float()
            second = codes.T @ codes / len(codes) if self.second.ndim == 2 else (codes**2).mean(0)
            self.batches += 1
            weight = (1 / self.batches).clamp(min=self._NEWEST)
            self.mean.lerp_(codes.mean(0), weight)
            self.second.lerp_(second, weight)

    def draw(self, noise: Tensor) -> Tensor:
        """Standard normal noise of shape (rows, size) to codes, on the CPU, whose arithmetic is the same everywhere."""
        mean, second = self.mean.double().cpu(), self.second.double().cpu()
        if second.ndim == 1:
            return (mean + noise * (second - mean**2).clamp(min=0).sqrt()).float()
        values, vectors = torch.linalg.eigh(second - mean[:, None] * mean)
        codes: Tensor = mean + noise.double() @ (vectors * values.clamp(min=0).sqrt()).T
        return codes.float()
