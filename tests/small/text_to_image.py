"""A small latent diffusion with its text encoder, the captioned pictures it knows, and those it is to learn."""

from typing import Any

import torch
from diffusers.models.attention_processor import Attention

from bench.dataset import SPLITS, Columns, Dataset, Items, join_items
from bench.families import _stable_diffusion
from bench.families.text_to_image import TextToImage
from tests.models import disturbed, pictures, source_pictures

OPTIONS = {"inference_steps": 2, "guidance_scale": 2.0}
ARCHITECTURE: dict[str, Any] = {
    "unet": {
        "block_out_channels": (4, 8),
        "layers_per_block": 2,
        "norm_num_groups": 2,
        "attention_head_dim": 2,
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "UpBlock2D"),
    },
    "vae": {
        "block_out_channels": (4, 4),
        "down_block_types": ("DownEncoderBlock2D",) * 2,
        "up_block_types": ("UpDecoderBlock2D",) * 2,
        "norm_num_groups": 2,
        "latent_channels": 2,
        "mid_block_add_attention": False,
    },
    "text_encoder": {
        "hidden_size": 8,
        "intermediate_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
    },
    "vocab_size": 540,
    "length": 12,
}


def untrained(**options: Any) -> TextToImage:
    """As a recipe begins: the autoencoder trains, too."""
    torch.manual_seed(0)
    return TextToImage.from_architecture(ARCHITECTURE, source(), **OPTIONS | options)


def model(architecture: dict[str, Any] | None = None, **options: Any) -> TextToImage:
    """As from a checkpoint: the autoencoder is what it is."""
    torch.manual_seed(0)
    parts = _stable_diffusion.build(ARCHITECTURE | (architecture or {}), source())
    with torch.no_grad():  # what it reads is to matter for what it draws
        for block in parts.network.unet.modules():
            if isinstance(block, Attention) and block.is_cross_attention:
                block.to_out[0].weight *= 1000
    disturbed(parts.network)
    disturbed(parts.vae).requires_grad_(False)
    return TextToImage(parts, **OPTIONS | options).eval()


def data(train: int = 12) -> Dataset:
    return _captioned(pictures(train), "a disc")


def source(train: int = 24) -> Dataset:
    return _captioned(source_pictures(train), "one bar")


def pool() -> Items:
    return join_items([data(12).train, data(36).train[24:]])


def _captioned(known: Dataset, what: str) -> Dataset:
    """Captions tell how bright the brightest part of a picture is."""

    def of(images: Any) -> Columns:
        return Columns({"caption": [f"{what} of light {int(image.max()) // 32}" for image in images], "images": images})

    splits: dict[str, Any] = {split: of(getattr(known, split)) for split in SPLITS}
    return Dataset(known.name, "captioned_image", **splits, groups=known.groups)
