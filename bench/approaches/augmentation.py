"""More data out of little: training batches are changed in ways that keep their meaning."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.model import Batch
from bench.options import Fraction, NonNegative
from bench.transfer import Transfer


def augmentation(
    transfer: Transfer,
    *,
    rotation: NonNegative = 10.0,
    scaling: Fraction = 0.1,
    shift: Fraction = 0.1,
    flip: Fraction = 0.0,
    token_noise: Fraction = 0.1,
) -> None:
    """Images are turned, scaled, shifted and flipped at random; texts get some of their input tokens replaced.

    Replaced tokens come from the batch's own tokens, so from its unigram distribution, and the model still has to
    predict the clean ones. Validation and test data are never changed.

    Paper: Shorten & Khoshgoftaar 2019, A survey on Image Data Augmentation; Xie et al. 2017, Data Noising as Smoothing
    in Neural Network Language Models

    Args:
        rotation: largest angle in degrees, either way.
        scaling: largest relative change of size.
        shift: largest shift as a share of the image's side.
        flip: probability of a left-right flip; 0 where mirrored things mean something else, as letters do.
        token_noise: probability that an input token is replaced.
    """

    def images(batch: Batch, generator: torch.Generator) -> Batch:
        pixels = batch["images"]
        flips = torch.rand(len(pixels), generator=generator) < flip
        aspect = pixels.shape[2] / pixels.shape[3]
        matrices = _affine(len(pixels), math.radians(rotation), scaling, 2 * shift, flips, aspect, generator)
        grid = F.affine_grid(matrices.to(pixels), list(pixels.shape), align_corners=False)
        moved = F.grid_sample(pixels, grid, padding_mode="reflection", align_corners=False)
        return batch | {"images": moved}

    def texts(batch: Batch, generator: torch.Generator) -> Batch:
        tokens = batch["input_ids"]
        inside = torch.arange(tokens.shape[1], device=tokens.device) < batch["length"][:, None]
        hit = (torch.rand(tokens.shape, generator=generator) < token_noise).to(tokens.device) & inside
        hit[:, 0] = False  # the start of a text stays what it is
        known = tokens[inside]
        drawn = torch.randint(len(known), tokens.shape, generator=generator).to(tokens.device)
        return batch | {"input_ids": torch.where(hit, known[drawn], tokens), "targets": tokens}

    transfer.transforms.append(images if "images" in transfer.encode(transfer.data.train) else texts)


def _affine(
    rows: int, angle: float, scaling: float, shift: float, flips: Tensor, aspect: float, generator: torch.Generator
) -> Tensor:
    """Random affine maps from output to input coordinates, shape (rows, 2, 3).

    Coordinates run from -1 to 1 on either axis, so turning needs ``aspect``, height over width, to keep right angles.
    """
    angles, scales, right, down = (2 * torch.rand(4, rows, generator=generator) - 1).unbind()
    cos, sin = torch.cos(angles * angle), torch.sin(angles * angle)
    size = 1 / (1 + scales * scaling)
    mirror = 1 - 2 * flips.to(size)
    across = torch.stack([size * cos * mirror, -size * sin * aspect, right * shift], dim=1)
    along = torch.stack([size * sin * mirror / aspect, size * cos, down * shift], dim=1)
    return torch.stack([across, along], dim=1)
