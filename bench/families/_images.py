"""Pictures as rows of pixels and back, in the shape a network takes."""

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from bench.dataset import Items


def to_rows(items: Items, channels: int, height: int, width: int) -> Tensor:
    """Images as uint8 of shape (rows, channels, height, width): in grey by the mean, resized where they differ.

    Args:
        items: uint8, shape (items, H, W, C).
    """
    images = torch.from_numpy(np.array(items)).permute(0, 3, 1, 2)
    if images.shape[1] != channels:
        grey = images.float().mean(1, keepdim=True).round().to(torch.uint8)
        images = grey if channels == 1 else grey.expand(-1, channels, -1, -1)
    if images.shape[2:] != (height, width):
        resized = F.interpolate(images.float(), (height, width), mode="bicubic", antialias=True)
        images = resized.round().clamp(0, 255).to(torch.uint8)
    return images.contiguous()


def to_items(images: Tensor) -> np.ndarray:
    """Rows of either form, uint8 or -1…1, as an array of shape (items, height, width, channels)."""
    if images.dtype != torch.uint8:
        images = ((images + 1) * 127.5).round().clamp(0, 255).to(torch.uint8)
    array: np.ndarray = images.permute(0, 2, 3, 1).cpu().numpy()
    return array


def to_pixels(images: Tensor) -> Tensor:
    """From 0…255 to -1…1."""
    return images.float() / 127.5 - 1


def shrinkage(body: Any) -> int:
    """By which an ``AutoencoderKL`` makes the sides of an image shorter."""
    return int(2 ** (len(body.config.block_out_channels) - 1))
