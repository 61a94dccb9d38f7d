"""A small autoencoder of diffusers' kind, the pictures it knows, and those it is to learn."""

import numpy as np
import torch

from bench.dataset import Dataset, Items
from bench.families.autoencoder import Autoencoder
from tests.models import disturbed, pictures, source_pictures

OPTIONS = {"density": "full"}
ARCHITECTURE = {"kind": "autoencoder_kl", "block_out_channels": [8, 16], "latent_channels": 2, "norm_num_groups": 4}


def model() -> Autoencoder:
    torch.manual_seed(0)
    made = Autoencoder.from_architecture(ARCHITECTURE, source(), **OPTIONS)
    disturbed(made.network)
    batch = made.collate(made.encode(source().train), torch.arange(24))
    made.train()(batch)  # so that its density is not the one it began with
    return made.eval()


def data() -> Dataset:
    return pictures()


def source() -> Dataset:
    return source_pictures()


def pool() -> Items:
    return np.concatenate([pictures(12).train, pictures(36).train[24:]])
