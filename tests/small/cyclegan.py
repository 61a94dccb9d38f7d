"""A small CycleGAN, the pictures it can translate a little, and those it is to learn to."""

import copy
from functools import cache
from typing import Any

import numpy as np
import torch

from bench.dataset import Columns, Dataset, Items, join_items
from bench.families.cyclegan import CycleGAN
from tests.models import disturbed, fitted, pictures, source_pictures, transfer_of

OPTIONS = {"cycle": 5.0}
ARCHITECTURE = {"base_channels": 4, "downsamplings": 1, "residual_blocks": 2, "critic_channels": 4, "critic_layers": 1}


def model() -> CycleGAN:
    return copy.deepcopy(_trained())


@cache
def _trained() -> CycleGAN:
    """Of untrained generators the pictures are grey, whatever a low-rank update changes before their last layer."""
    torch.manual_seed(0)
    made = CycleGAN.from_architecture(ARCHITECTURE, source(), **OPTIONS)
    disturbed(made.network)
    disturbed(made.critics)
    fitted(transfer_of(made, source(), steps=20, learning_rate=3e-3, batch_size=8))
    return made.eval()


def data() -> Dataset:
    """Discs, and the same mirrored and on grey ground."""
    return _paired("discs", pictures())


def source() -> Dataset:
    """Bars, and the same mirrored and on grey ground."""
    return _paired("bars", source_pictures())


def pool() -> Items:
    return join_items([data().train, _paired("discs", pictures(36)).train[24:]])


def _paired(name: str, known: Dataset) -> Dataset:
    """A domain beside what its pictures become; for training these are in another order."""

    def both(images: Any, order: int = 1) -> Columns:
        return Columns({"source": images, "target": images[::order, :, ::-1] // 2 + np.uint8(64)})

    train, held_out = both(known.train, -1), (both(known.validation), both(known.test))
    return Dataset(f"grounds of {name}", "image_pair", train, *held_out, groups=known.groups)
