"""A small StyleGAN2-style pair, the pictures it knows, and those it is to learn."""

from typing import Any

import numpy as np
import torch

from bench.dataset import Dataset, Items
from bench.families.gan import Gan
from tests.models import disturbed, pictures, source_pictures

OPTIONS: dict[str, Any] = {"averaging": 0.0}


def model(kind: str = "stylegan2", shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> Gan:
    """Of any kind, for images of ``shape``: height, width, channels.

    A StyleGAN2 makes pictures that are too bright for :func:`data`, and its critic knows dark from bright: so a
    few steps are enough to be better than at the start.
    """
    sizes: dict[str, Any] = {"kind": kind, "z_dim": 6, "channel_base": 64, "channel_max": 4}
    if kind == "stylegan2":
        sizes |= {"w_dim": 6, "mapping_layers": 2}
    torch.manual_seed(0)
    gan = Gan.from_architecture(sizes, pictures(shape=shape), **options)
    for player in gan.players():
        disturbed(player)
    if kind == "stylegan2":
        _biased(gan, shape)
    return gan.eval()


@torch.no_grad()
def _biased(gan: Any, shape: tuple[int, int, int]) -> None:
    height, width, channels = shape
    dark, bright = (gan.judge(torch.full((4, channels, height, width), value)).mean() for value in (-1.0, 1.0))
    if dark < bright:
        gan.judge[-1][-1].raw.neg_()
    gan.network.exit.bias.add_(1.0)


def data() -> Dataset:
    return pictures()


def source() -> Dataset:
    return source_pictures()


def pool() -> Items:
    return np.concatenate([pictures(12).train, pictures(36).train[24:]])
