"""A small U-Net, the pictures it knows, and those it is to learn."""

import numpy as np

from bench.dataset import Dataset, Items
from bench.families.diffusion import Diffusion
from tests.models import pictures, source_pictures, unet

OPTIONS = {"inference_steps": 3}


def model() -> Diffusion:
    return unet()


def data() -> Dataset:
    return pictures()


def source() -> Dataset:
    return source_pictures()


def pool() -> Items:
    return np.concatenate([pictures(12).train, pictures(36).train[24:]])
