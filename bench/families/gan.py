"""Generative adversarial networks for images: StyleGAN2-style, DCGAN and SNGAN."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _weights
from bench.families._dcgan import DCGAN, SNGAN, Architecture
from bench.families._errors import one_line
from bench.families._images import to_items, to_pixels, to_rows
from bench.families._sliced import directions, distance
from bench.families._stylegan2 import StyleGAN2
from bench.model import Batch, Model, resting
from bench.options import Fraction, NonNegative

MODALITY = "image"
OFFERS = ("image", "network", "samples", "critic", "latent")
CHECKPOINT = {"kind": "a GAN saved here", "networks": {"": {"family": ("gan",)}}}

_KINDS: dict[str, type[Architecture]] = {"stylegan2": StyleGAN2, "dcgan": DCGAN, "sngan": SNGAN}
_R1 = {"stylegan2": 0.1}  # of the others, whose papers have none, 0
_BETAS = {"stylegan2": (0.0, 0.99), "dcgan": (0.5, 0.999), "sngan": (0.5, 0.999)}  # of Adam, as in the papers
_CONFIG, _WEIGHTS = "config.json", "model.safetensors"
_ABOUT, _ABOUT_SEED = 1024, 100_000  # latents that the mean style is estimated from, and where they come from
_PATH_DECAY = 0.01  # of the mean path length, as in the paper


class Gan(Model):
    """A generator against a critic; ``architecture`` says which: ``kind: stylegan2``, ``dcgan`` or ``sngan``.

    The loss belongs to the kind: the non-saturating logistic loss, for StyleGAN2 with R1, or the hinge loss of SNGAN.
    R1 and the path length are taken of a share of each batch's rows at every step, instead of all rows at every k-th
    step: as much work, the same in expectation, and no step differs from another. Of StyleGAN2's training there is no
    style mixing, which its authors leave out for small images too. Validation goes by the sliced Wasserstein distance
    between the batch's images and generated ones (:func:`bench.families._sliced.distance`), which no critic decides.

    Paper: Goodfellow et al. 2014, Generative Adversarial Nets; Karras et al. 2020, Analyzing and Improving the Image
    Quality of StyleGAN; Radford et al. 2016, Unsupervised Representation Learning with Deep Convolutional Generative
    Adversarial Networks; Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks; Mescheder et
    al. 2018, Which Training Methods for GANs do actually Converge? (R1)

    Args:
        truncation: ψ in sampling: how far styles keep from their mean; 1 for no truncation. For ``stylegan2``.
        r1: γ, of the critic's gradient at real images; by default 0.1 for ``stylegan2`` and none for others.
        path_length: weight of the path length's regularisation, 2 in the paper. For ``stylegan2``.
        share: of a batch's rows that these two are taken of; at least one row.
        averaging: decay per step of the moving average of the generator's weights, which validation and samples are
            of; 0 for none.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    network: Any
    path_mean: Tensor
    directions: Tensor

    def __init__(
        self,
        architecture: Architecture,
        *,
        truncation: Fraction = 1.0,
        r1: NonNegative | None = None,
        path_length: NonNegative = 0.0,
        share: Fraction = 0.25,
        averaging: Fraction = 0.99,
    ) -> None:
        super().__init__()
        if architecture.kind != "stylegan2" and (truncation < 1 or path_length):
            option = "truncation" if truncation < 1 else "path_length"
            raise CheckpointError(f"kind {architecture.kind}: it has no styles, so leave out the option {option!r}")
        self.architecture, self.averaging, self.betas = architecture, averaging, _BETAS[architecture.kind]
        self.options: dict[str, Any] = {"truncation": truncation, "r1": r1, "path_length": path_length}
        self.options |= {"share": share, "averaging": averaging}
        self.r1 = _R1.get(architecture.kind, 0.0) if r1 is None else r1
        self.network, self.judge = architecture.generator(), architecture.critic()
        self.register_buffer("directions", directions(architecture.img_channels), persistent=False)
        self.register_buffer("path_mean", torch.zeros(()))

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        try:
            config, weights = json.loads(Path(checkpoint, _CONFIG).read_text()), load_file(Path(checkpoint, _WEIGHTS))
            family = config.pop("family", None) if isinstance(config, dict) else None
        except Exception as error:
            problem, remedy = f"no {_CONFIG} with {_WEIGHTS} of a GAN ({one_line(error)})", "name one saved here"
            raise CheckpointError(f"checkpoint {checkpoint}: {problem}; {remedy}") from error
        try:
            if family != "gan":
                raise CheckpointError(f"its {_CONFIG} is not one of family gan; name the family it belongs to")
            if fault := _weights.infinite(weights):
                raise CheckpointError(fault)
            model = cls(_checked(config), **options)
            model.load_state_dict(weights)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None
        except RuntimeError as error:  # PyTorch names what is missing, not known, or of other shape
            said = f"its weights are not those of its {_CONFIG} ({one_line(error)})"
            raise CheckpointError(f"checkpoint {checkpoint}: {said}; save it again") from None
        return model

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        height, width, channels = np.asarray(source.train[0]).shape
        shape = {"img_channels": channels} | ({"img_resolution": height} if height == width else {})
        try:
            return cls(_checked(shape | dict(architecture)), **options)
        except CheckpointError as error:
            images = f"{source.name} has images of {height}x{width}"
            raise CheckpointError(f"architecture {dict(architecture)}: {error}; {images}") from None

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        config = {"family": "gan"} | self.architecture.model_dump()
        (folder / _CONFIG).write_text(json.dumps(config, indent=2))
        weights = {name: value.cpu().contiguous() for name, value in self.state_dict().items()}
        save_file(weights, folder / _WEIGHTS, metadata={"format": "pt"})

    def fresh(self) -> Self:
        return type(self)(self.architecture, **self.options).to(self.device)

    def student(self) -> Self:
        """Half the generator's channels, and the critic as it is: what it can tell, any generator learns from. Weights
        whose shapes do not depend on the channels, such as the mapping network's, are this model's."""
        known = self.architecture
        halves = {"channel_base": known.channel_base // 2, "channel_max": max(1, known.channel_max // 2)}
        critic = {
            "critic_channel_base": known.critic_channel_base or known.channel_base,
            "critic_channel_max": known.critic_channel_max or known.channel_max,
        }
        architecture = known.model_copy(update=halves | critic)
        if architecture.widths() == known.widths():
            raise NotApplicable(f"no smaller generator: its features have {known.widths()} channels")
        model = type(self)(architecture, **self.options)
        ours, theirs = model.state_dict(), self.state_dict()
        same = {name: theirs[name] for name, value in ours.items() if name in theirs}
        model.load_state_dict(ours | {name: value for name, value in same.items() if value.shape == ours[name].shape})
        return model.to(self.device)

    def blocks(self) -> list[nn.Module]:
        parts: list[nn.Module] = self.network.parts()
        return parts

    def generating_end(self) -> list[nn.Module]:
        """The finer half of what comes after the latent's own layers: details and colours."""
        parts = [part for part in self.blocks() if part is not getattr(self.network, "mapping", None)]
        return parts[len(parts) // 2 :]

    def players(self) -> list[nn.Module]:
        return [self.network, self.judge]

    def critic(self) -> list[nn.Module]:
        return list(self.judge)

    def latent(self) -> int:
        return self.architecture.z_dim

    def encoding(self) -> dict[str, Any]:
        return {"family": "gan", "shape": [self.architecture.img_channels, self.architecture.img_resolution]}

    def encode(self, items: Items) -> Batch:
        """Images of another size are resized, those of other channels become grey, or the same in all colours."""
        channels, side = self.architecture.img_channels, self.architecture.img_resolution
        return {"images": to_rows(items, channels, side, side), "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> np.ndarray:
        return to_items(batch["images"])

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Pixels from 0…255 to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"images": to_pixels(batch["images"])}

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """A latent for every row, the noise of all layers' pixels, and directions in which paths are measured."""
        drawn = self._latents(len(batch["images"]), generator)
        if self.options["path_length"]:
            drawn["directions"] = torch.randn(batch["images"].shape, generator=generator).to(self.device)
        return batch | drawn

    def _latents(self, rows: int, generator: torch.Generator) -> Batch:
        widths = {"latents": self.architecture.z_dim, "noise": self.network.noise_width}
        return {
            name: torch.randn(rows, width, generator=generator).to(self.device)
            for name, width in widths.items()
            if width
        }

    def forward(self, batch: Batch) -> Tensor:
        """Generated images, of the real ones' shape; around -1 to 1."""
        made: Tensor = self._made(batch)
        return made

    def _made(self, batch: Batch, **how: Any) -> Any:
        return self.network(*(batch[name] for name in ("latents", "noise") if name in batch), **how)

    def realness(self, batch: Batch, outputs: Tensor | None = None) -> Tensor:
        said: Tensor = self.judge(batch["images"] if outputs is None else outputs)
        return said[:, 0]

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """The player's own; without a player the distance that validation goes by."""
        if player is None:
            return distance(batch["images"], outputs, self.directions)
        hinge = self.architecture.kind == "sngan"
        if player is self.judge:
            made, real = self.realness(batch, outputs.detach()).float(), self.realness(batch).float()
            if hinge:
                loss = F.relu(1 + made).mean() + F.relu(1 - real).mean()
            else:
                loss = F.softplus(made).mean() + F.softplus(-real).mean()
            return loss + self.r1 / 2 * self._steepness(batch) if self.r1 else loss
        with resting(self.judge.parameters()):
            made = self.realness(batch, outputs).float()
        loss = -made.mean() if hinge else F.softplus(-made).mean()
        weight = self.options["path_length"]
        return loss + weight * self._path_lengths(batch) if weight else loss

    def _share(self, batch: Batch) -> Batch:
        """The rows that regularisation is taken of; the order is random, so the first will do."""
        count = max(1, round(self.options["share"] * len(batch["images"])))
        return {name: value[:count] for name, value in batch.items()}

    def _steepness(self, batch: Batch) -> Tensor:
        """R1: the mean squared norm of the critic's gradient at real images."""
        part = self._share(batch)
        images = part["images"].detach().requires_grad_()
        said = self.realness(part | {"images": images}).float().sum()
        (gradient,) = torch.autograd.grad(said, images, create_graph=True)
        squares: Tensor = gradient.square().sum((1, 2, 3))
        return squares.mean()

    def _path_lengths(self, batch: Batch) -> Tensor:
        """Mean squared difference of how far an image moves with its style from what that is in the long run."""
        part = self._share(batch)
        images, styles = self._made(part, with_styles=True)
        moved = (images.float() * part["directions"]).sum() / self.architecture.img_resolution
        (gradient,) = torch.autograd.grad(moved, styles, create_graph=True)
        lengths: Tensor = gradient.float().square().sum(1).sqrt()
        mean = self.path_mean.lerp(lengths.detach().mean(), _PATH_DECAY)
        if self.training:
            self.path_mean.copy_(mean)
        return (lengths - mean).square().mean()

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows, psi = len(batch["images"]), self.options["truncation"]
        drawn, how = self._latents(rows, generator), dict[str, Any]()
        if psi < 1:  # around the mean style of the weights as they are, whatever stands before the mapping network
            known = self._latents(_ABOUT, torch.Generator().manual_seed(_ABOUT_SEED))["latents"]
            drawn["latents"], how = torch.cat([known, drawn["latents"]]), {"psi": psi, "about": _ABOUT}
        images = self._made(drawn, **how)
        return {"images": images.float().clamp(-1, 1), "item": torch.arange(rows)}


def _checked(given: Mapping[str, Any]) -> Architecture:
    """The architecture that a mapping describes; :class:`CheckpointError` says what of it will not do."""
    kind = given.get("kind")
    if kind not in _KINDS:
        raise CheckpointError(f"kind: {kind!r} will not do; use one of: {', '.join(_KINDS)}")
    try:
        return _KINDS[kind](**given)
    except ValidationError as error:
        fault = error.errors()[0]
        name = ".".join(map(str, fault["loc"]))
        if fault["type"] == "extra_forbidden":
            raise CheckpointError(f"no {name!r} here; {kind} has: {', '.join(_KINDS[kind].model_fields)}") from None
        raise CheckpointError(f"{name}: {fault.get('input')!r} will not do; {fault['msg']}") from None
