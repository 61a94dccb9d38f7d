"""Image models that draw a code and decode it: a small convolutional VAE, and diffusers' ``AutoencoderKL``."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.families._autoencoding import Autoencoding, drawn
from bench.model import Batch
from bench.options import Count, Natural, NonNegative

MODALITY = "image"
OFFERS = ("image", "likelihood_bound", "network", "objective", "reconstruction", "samples")
CHECKPOINT = {
    "kind": "an AutoencoderKL or a variational ConvolutionalAutoencoder",
    "networks": {
        "": {
            "_class_name": ("AutoencoderKL", "ConvolutionalAutoencoder"),
            "out_channels": "in_channels",
            "variational": (True,),
        }
    },
}


class VAE(Autoencoding):
    """Variational autoencoder: Gaussian codes under a standard normal prior, pixels under discretised logistics.

    The likelihood is one of the 256 values that a pixel can have: the mass of a logistic distribution between the
    middles to the value's neighbours, all beyond for the outermost values. Its mean is what the decoder says, its
    scale is learned, one for all pixels. So bits per dimension are comparable with those of the literature. A
    checkpoint of another library brings no scale; it starts with the one an untrained model has.

    Samples are the means that codes drawn from the prior are decoded to. What an ``AutoencoderKL`` was trained for with
    a slight weight of the KL divergence, such as Stable Diffusion's, reconstructs well and samples badly.

    Paper: Kingma & Welling 2014, Auto-Encoding Variational Bayes; Kingma et al. 2016, Improved Variational Inference
    with Inverse Autoregressive Flow (the likelihood); Burda et al. 2016, Importance Weighted Autoencoders

    Args:
        beta: weight of the KL divergence in training (Higgins et al. 2017); scores are always taken at 1.
        importance_samples: codes for each image that scores rest on; above 1 the bound is the tighter, importance
            weighted one. Training takes one.
        sample_size: side of the pictures in pixels, where an ``AutoencoderKL`` is to work at another than its own; 0
            for its own.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    variational, file = True, "pixel_scale.safetensors"

    def __init__(
        self,
        body: Any,
        beside: nn.Module | None = None,
        *,
        beta: NonNegative = 1.0,
        importance_samples: Count = 1,
        sample_size: Natural = 0,
    ) -> None:
        super().__init__(body, beside, sample_size)
        self.options |= {"beta": beta, "importance_samples": importance_samples}

    def new_beside(self) -> nn.Module:
        return PixelScale()

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Noise for each of the codes: shape (rows, importance_samples, *code)."""
        shape = self.network.code_shape(*batch["images"].shape[2:])
        size = (len(batch["images"]), self.options["importance_samples"], *shape)
        return batch | {"noise": torch.randn(size, generator=generator).to(self.device)}

    def forward(self, batch: Batch) -> Tensor:
        """Side by side, shape (rows, D + 1 + 2 L): the logistics' means for D pixels and channels, the logarithm of
        their scale, and the means and log-variances of the L numbers of the code."""
        decoded, mean, logvar = self.network(self.seen(batch), batch["noise"][:, 0])
        scale = self.network.beside().expand(len(mean), 1)
        return torch.cat([part.flatten(1) for part in (decoded, scale, mean, logvar)], dim=1)

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """The negative evidence lower bound in nats per dimension, its KL divergence times ``beta``."""
        decoded, scale, mean, logvar = _unpacked(batch, outputs)
        nats = -log_mass(batch["images"].flatten(1), decoded, scale).sum(1)
        weighted: Tensor = nats + self.options["beta"] * divergence_from_prior(mean, logvar)
        return weighted.mean() / decoded.shape[1]

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """One image, one row: the negative bound in nats, for the noise of :meth:`draw`.

        For one code it is the reconstruction's plus the exact KL divergence; for several it is importance weighted.
        """
        outputs, count = self(batch), self.options["importance_samples"]
        decoded, scale, mean, logvar = _unpacked(batch, outputs)
        pixels = batch["images"].flatten(1)
        dimensions = torch.full((len(pixels),), pixels.shape[1], device=pixels.device)
        first = log_mass(pixels, decoded, scale).double().sum(1)
        if count == 1:
            return divergence_from_prior(mean.double(), logvar.double()) - first, dimensions
        weights = []
        for index in range(count):
            noise = batch["noise"][:, index]
            codes = drawn(mean, logvar, noise.flatten(1))
            images = self.network(codes=codes.view_as(noise)).float().flatten(1) if index else decoded
            fits = log_mass(pixels, images, scale).double().sum(1) if index else first
            prior = -(codes.double() ** 2).sum(1) / 2
            posterior = -((noise.flatten(1).double() ** 2) + logvar.double()).sum(1) / 2
            weights.append(fits + prior - posterior)  # the constants of both densities are the same
        return math.log(count) - torch.stack(weights).logsumexp(0), dimensions

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows = len(batch["images"])
        codes = torch.randn(rows, *self.network.code_shape(self.height, self.width), generator=generator)
        return {"images": self.network(codes=codes.to(self.device)).float().clamp(-1, 1), "item": torch.arange(rows)}


class PixelScale(nn.Module):
    """The logarithm of the logistics' scale, in units of pixels from -1 to 1.

    It is kept divided by a constant, so that an optimizer of Adam's kind, which moves every weight equally far, moves
    it as many times faster: within some dozen steps it has to follow the size of the errors.
    """

    _START, _FASTER, _LOWEST = -2.5, 25.0, -7.0

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor([self._START / self._FASTER]))

    def forward(self) -> Tensor:
        """Shape (1,)."""
        return (self.weight * self._FASTER).clamp(min=self._LOWEST)


def log_mass(pixels: Tensor, mean: Tensor, log_scale: Tensor) -> Tensor:
    """Logarithm of a logistic distribution's mass in each pixel's bin.

    With σ(a) - σ(b) = σ(a) σ(-b) (1 - exp(b - a)), so that no difference is lost to rounding.

    Args:
        pixels: from -1 to 1 in steps of 2/255.
        mean: of the logistic, of the same shape.
        log_scale: of the logistic, broadcast to it.
    """
    narrow = torch.exp(-log_scale)
    above, below = (pixels + 1 / 255 - mean) * narrow, (pixels - 1 / 255 - mean) * narrow
    inside = torch.log(-torch.expm1(-2 / 255 * narrow))
    first, last = pixels < -1 + 1 / 255, pixels > 1 - 1 / 255
    zero = torch.zeros_like(mean)
    upper = torch.where(last, zero, F.logsigmoid(above))
    lower = torch.where(first, zero, F.logsigmoid(-below))
    return upper + lower + torch.where(first | last, zero, inside.expand_as(mean))


def divergence_from_prior(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL divergence in nats of diagonal Gaussians from the standard normal: shape (rows,)."""
    return (mean**2 + logvar.exp() - 1 - logvar).sum(1) / 2


def _unpacked(batch: Batch, outputs: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Decoded images, log-scale, means and log-variances, each with its rows flattened, in full precision."""
    pixels = batch["images"][0].numel()
    code = (outputs.shape[1] - pixels - 1) // 2
    decoded, scale, mean, logvar = outputs.float().split([pixels, 1, code, code], dim=1)
    return decoded, scale, mean, logvar
