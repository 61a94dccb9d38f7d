"""What families share that turn images into codes and back, whether a code is drawn or not."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _hidden, _weights
from bench.families._conv_vae import ConvolutionalAutoencoder
from bench.families._errors import one_line
from bench.families._images import shrinkage, to_items, to_pixels, to_rows
from bench.model import Batch, Model, Reader

KINDS = {"convolutional": ConvolutionalAutoencoder, "autoencoder_kl": AutoencoderKL}
"""What a recipe's architecture calls them to what does the work."""


class Coder(nn.Module):
    """An autoencoder as one network, which is called with images or with codes.

    Args:
        body: that encodes and decodes.
        beside: what the family learns with it.
    """

    def __init__(self, body: Any, beside: nn.Module) -> None:
        super().__init__()
        self.body, self.beside = body, beside

    def forward(self, images: Tensor | None = None, noise: Tensor | None = None, codes: Tensor | None = None) -> Any:
        """Images to (decoded images, means, log-variances of the codes); codes alone to decoded images.

        Without ``noise`` the code is the mean.
        """
        if images is None:
            return self._decoded(codes)
        mean, logvar = self._moments(images)
        codes = mean if noise is None else drawn(mean, logvar, noise)
        return self._decoded(codes), mean, logvar

    def code_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Of the code of an image of that size."""
        config = self.body.config
        if isinstance(self.body, ConvolutionalAutoencoder):
            return (config.latent_dim,)
        factor = shrinkage(self.body)
        return config.latent_channels, height // factor, width // factor

    def _moments(self, images: Tensor) -> tuple[Tensor, Tensor]:
        if isinstance(self.body, ConvolutionalAutoencoder):
            mean, *logvar = self.body.moments(images).split(self.body.config.latent_dim, dim=1)
            return mean, logvar[0].clamp(-30, 20) if logvar else torch.full_like(mean, -torch.inf)
        posterior = self.body.encode(images, return_dict=False)[0]
        return posterior.mean, posterior.logvar

    def _decoded(self, codes: Any) -> Tensor:
        convolutional = isinstance(self.body, ConvolutionalAutoencoder)
        made: Tensor = self.body.images(codes) if convolutional else self.body.decode(codes, return_dict=False)[0]
        return made


def drawn(mean: Tensor, logvar: Tensor, noise: Tensor) -> Tensor:
    """Codes from a Gaussian, by the reparameterisation that lets gradients through."""
    return mean + (logvar / 2).exp() * noise


class Autoencoding(Model):
    """An image model whose network is a :class:`Coder`.

    Args:
        body: that encodes and decodes.
        beside: what the family learns with it; a new one by default.
        sample_size: side of the pictures in pixels; 0 for the network's own.
    """

    network: Any
    variational: ClassVar[bool]
    file: ClassVar[str]  # name of what is kept of ``beside``

    def __init__(self, body: Any, beside: nn.Module | None, sample_size: int) -> None:
        super().__init__()
        self.height, self.width = _size(body, sample_size)
        self.options: dict[str, Any] = {"sample_size": sample_size}
        self.read_by = Reader("diffusers.AutoencoderKL") if isinstance(body, AutoencoderKL) else None
        if fault := _fault(body, self.height, self.width, self.variational):
            raise CheckpointError(fault)
        self.network = Coder(body, nn.Identity())
        self.network.beside = self.new_beside() if beside is None else beside

    def new_beside(self) -> nn.Module:
        """What the family learns beside the network, as it is before anything is learned."""
        raise NotImplementedError

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        kinds = {kind.__name__: kind for kind in KINDS.values()}
        try:
            config = AutoencoderKL.load_config(checkpoint, revision=revision)
            name = config.get("_class_name", "model of unknown class")
            if name not in kinds:
                raise CheckpointError(f"a {name} is none of {', '.join(kinds)}; name one of these")
            model = cls(_weights.component(kinds[name], checkpoint, revision=revision).float(), **options)
            model._restore(checkpoint)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None
        except Exception as error:
            problem, remedy = f"not an autoencoder ({one_line(error)})", f"name one of {', '.join(kinds)}"
            raise CheckpointError(f"checkpoint {checkpoint}: {problem}; {remedy}") from error
        return model

    def _restore(self, checkpoint: str) -> None:
        """What stands beside the network, where the checkpoint has it: one of another library has not."""
        path = Path(checkpoint) / self.file
        if path.exists():
            self.network.beside.load_state_dict(load_file(path))

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        wanted = dict(architecture)
        kind = wanted.pop("kind", "convolutional")
        if kind not in KINDS:
            raise CheckpointError(f"architecture {dict(architecture)}: no kind {kind!r}; use {' or '.join(KINDS)}")
        height, width, channels = np.asarray(source.train[0]).shape
        given = {"sample_size": height if height == width else (height, width), "in_channels": channels}
        if kind == "convolutional":
            given["variational"] = cls.variational
        else:
            stages = len(wanted.get("block_out_channels", (64,)))
            given |= {"out_channels": channels, "down_block_types": ("DownEncoderBlock2D",) * stages}
            given |= {"up_block_types": ("UpDecoderBlock2D",) * stages}
        try:
            body = KINDS[kind](**given | wanted)
        except Exception as error:
            said = one_line(error)
            raise CheckpointError(f"architecture {dict(architecture)}: it cannot be built ({said})") from error
        try:
            return cls(body, **options)
        except CheckpointError as error:
            raise CheckpointError(f"architecture {dict(architecture)}: {error}") from None

    def save(self, folder: Path) -> None:
        self.network.body.save_pretrained(folder)
        state = self.network.beside.state_dict()
        save_file({name: value.detach().cpu().contiguous() for name, value in state.items()}, Path(folder) / self.file)

    def fresh(self) -> Self:
        body = self.network.body
        return type(self)(type(body).from_config(body.config), **self.options).to(self.device)

    def student(self) -> Self:
        """Half the layers of each block, started from this model's where they fit; where a block has only one, half
        the channels, started anew."""
        model = type(self)(_smaller(self.network.body), **self.options).to(self.device)
        model.network.beside.load_state_dict(self.network.beside.state_dict())
        return model

    def blocks(self) -> list[nn.Module]:
        body, beside = self.network.body, self.network.beside
        if isinstance(body, ConvolutionalAutoencoder):
            there = [body.conv_in, *body.down_blocks, body.to_latent]
            return [*there, body.from_latent, *body.up_blocks, nn.ModuleList([body.conv_out, beside])]
        encoder, decoder = body.encoder, body.decoder
        to_code = _parts(encoder.conv_norm_out, encoder.conv_out, body.quant_conv)
        there = [encoder.conv_in, *encoder.down_blocks, encoder.mid_block, to_code]
        back = [_parts(body.post_quant_conv, decoder.conv_in), decoder.mid_block, *decoder.up_blocks]
        return [*there, *back, _parts(decoder.conv_norm_out, decoder.conv_out, beside)]

    def generating_end(self) -> list[nn.Module]:
        """The decoder, from code to pixels."""
        body, beside = self.network.body, self.network.beside
        if isinstance(body, ConvolutionalAutoencoder):
            return [body.from_latent, *body.up_blocks, beside, body.conv_out]
        decoder = body.decoder
        back = [*_parts(body.post_quant_conv, decoder.conv_in), decoder.mid_block, *decoder.up_blocks]
        return [*back, decoder.conv_norm_out, beside, decoder.conv_out]

    def encoding(self) -> dict[str, Any]:
        return {"family": "autoencoding", "shape": [self.network.body.config.in_channels, self.height, self.width]}

    def encode(self, items: Items) -> Batch:
        images = to_rows(items, self.network.body.config.in_channels, self.height, self.width)
        return {"images": images, "item": torch.arange(len(images))}

    def decode(self, batch: Batch) -> np.ndarray:
        return to_items(batch["images"])

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Pixels from 0…255 to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"images": to_pixels(batch["images"])}

    def coarser(self, batch: Batch, share: float) -> Batch:
        """Images of the next size that the way down can halve as often as it does; the mean of what they were."""
        if isinstance(self.network.body, ConvolutionalAutoencoder):
            raise NotApplicable("its code is one vector, made from images of one size")
        factor = shrinkage(self.network.body)
        if factor >= min(self.height, self.width):
            raise NotApplicable(f"its way down ends at one pixel of {factor} pixels' side: it takes no smaller images")
        size = [max(1, round(share * side / factor)) * factor for side in (self.height, self.width)]
        return batch | {"images": F.interpolate(batch["images"], size, mode="area")}

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """Patches named in ``hidden`` are grey to the encoder; the loss asks for the whole image.

        Paper: Im et al. 2017, Denoising Criterion for Variational Auto-Encoding Framework
        """
        rows, size = len(batch["images"]), batch["images"].shape[2:]
        places = _hidden.hidden(rows, size, _hidden.PATCHES, _hidden.SHARE if share is None else share, generator)
        return batch | {"hidden": places.to(self.device)}

    def seen(self, batch: Batch) -> Tensor:
        """The images as the encoder is given them."""
        images = batch["images"]
        return torch.where(batch["hidden"], 0.0, images) if "hidden" in batch else images

    def reconstruct(self, batch: Batch) -> Batch:
        """Through the mean of the code."""
        decoded, _, _ = self.network(self.seen(batch))
        return {"images": decoded.float().clamp(-1, 1), "item": torch.arange(len(decoded))}

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())


def _parts(*parts: nn.Module | None) -> nn.ModuleList:
    return nn.ModuleList(part for part in parts if part is not None)


def _size(body: Any, wanted: int) -> tuple[int, int]:
    own = body.config.sample_size
    height, width = (own, own) if isinstance(own, int) else own
    if wanted in (0, height) and wanted in (0, width):
        return height, width
    if isinstance(body, ConvolutionalAutoencoder):
        raise CheckpointError(f"it takes images of {height}x{width} pixels alone; leave sample_size at 0")
    return wanted, wanted


def _fault(body: Any, height: int, width: int, variational: bool) -> str:
    """Why an autoencoder cannot be used as this family does; empty where it can."""
    if isinstance(body, ConvolutionalAutoencoder):
        deterministic = variational and not body.config.variational
        return "its codes have no variance, so it is no vae; use the family autoencoder" if deterministic else ""
    config, factor = body.config, shrinkage(body)
    if config.in_channels != config.out_channels:
        return f"{config.in_channels} channels in, {config.out_channels} out; name one that has as many"
    if height % factor or width % factor:
        halvings = factor.bit_length() - 1
        return f"it halves images {halvings} times, which {height}x{width} pixels do not allow; take others"
    return ""


def _smaller(body: Any) -> Any:
    config = dict(body.config)
    channels, groups = config["block_out_channels"], config["norm_num_groups"]
    if config["layers_per_block"] > 1:
        config["layers_per_block"] //= 2
    elif all(width % (2 * groups) == 0 for width in channels):
        config["block_out_channels"] = tuple(width // 2 for width in channels)
    else:
        raise NotApplicable(f"no smaller autoencoder: one layer per block, and {channels} channels in {groups} groups")
    made = type(body).from_config(config)
    ours, theirs = made.state_dict(), body.state_dict()
    same = {name: theirs[name] for name, value in ours.items() if name in theirs and theirs[name].shape == value.shape}
    made.load_state_dict(ours | same)
    return made
