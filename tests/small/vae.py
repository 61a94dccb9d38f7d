"""A small variational autoencoder, the pictures it knows, and those it is to learn."""

import numpy as np
import torch

from bench.dataset import Dataset, Items
from bench.families.vae import VAE
from tests.models import disturbed, pictures, source_pictures

OPTIONS = {"beta": 0.5, "importance_samples": 2}
ARCHITECTURE = {"block_out_channels": [8, 16], "latent_dim": 4, "norm_num_groups": 4, "layers_per_block": 2}


def model() -> VAE:
    torch.manual_seed(0)
    made = VAE.from_architecture(ARCHITECTURE, source(), **OPTIONS)
    disturbed(made.network)
    return made.eval()


def data() -> Dataset:
    return pictures()


def source() -> Dataset:
    return source_pictures()


def pool() -> Items:
    return np.concatenate([pictures(12).train, pictures(36).train[24:]])
