"""Image-to-image translation that learns without pairs: two generators, two critics."""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.dataset import Columns, Dataset, Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _weights
from bench.families._cycle_networks import CycleNetworks
from bench.families._errors import one_line
from bench.families._images import to_items, to_pixels, to_rows
from bench.model import Batch, Model, resting
from bench.options import NonNegative

MODALITY = "image_pair"
OFFERS = ("condition", "critic", "image", "network", "samples")
CHECKPOINT = {"kind": "a CycleGAN saved here", "networks": {"": {"_class_name": ("CycleNetworks",)}}}

_REAL = 0.5  # what a critic is to say of a real patch, and its negative of a generated one; in the paper 1 and 0


class CycleGAN(Model):
    """CycleGAN: residual generators there and back, patch critics, least-squares, cycle and identity losses.

    A row is both pictures, source before target, side by side in the channels. What a model generates is the target
    for a source. The critics see the generators' newest pictures; the paper's store of older ones is left out, so that
    a step depends on its batch alone.

    Validation goes by the energy distance (Székely & Rizzo 2013) between translated and real images, in both domains,
    which asks for no pairs.

    Paper: Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent Adversarial Networks

    Args:
        cycle: weight of the cycle loss, beside which an adversarial loss weighs 1.
        identity: weight of the identity loss, as a share of the cycle loss's.
    """

    modality = MODALITY
    offers = frozenset(OFFERS)
    generated = "target"
    network: Any

    def __init__(self, networks: CycleNetworks, *, cycle: NonNegative = 10.0, identity: NonNegative = 0.5) -> None:
        super().__init__()
        self.config = dict(networks.config)
        self.network, self.critics = networks.generators, networks.critics
        self.options: dict[str, Any] = {"cycle": cycle, "identity": identity}
        size = self.config["sample_size"]
        self.height: int = size if isinstance(size, int) else size[0]
        self.width: int = size if isinstance(size, int) else size[1]
        self.channels: int = self.config["in_channels"]
        self.factor = 2 ** self.config["downsamplings"]
        smallest = self._smallest()
        if min(self.height, self.width) < smallest or self.height % self.factor or self.width % self.factor:
            problem = f"images of {self.height}x{self.width} pixels will not do"
            raise CheckpointError(f"{problem}; their sides should be multiples of {self.factor}, {smallest} at least")

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        try:
            kind = CycleNetworks.load_config(checkpoint, revision=revision).get("_class_name")
            if kind != CycleNetworks.__name__:
                raise CheckpointError(f"a {kind or 'model of unknown class'} is no CycleGAN; name one saved here")
            return cls(_weights.component(CycleNetworks, checkpoint, revision=revision).float(), **options)
        except CheckpointError as error:
            raise CheckpointError(f"checkpoint {checkpoint}: {error}") from None
        except Exception as error:
            said = one_line(error)
            raise CheckpointError(f"checkpoint {checkpoint}: not a CycleGAN ({said}); name one saved here") from error

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        height, width, channels = np.asarray(source.train[0]["source"]).shape
        given = {"sample_size": height if height == width else (height, width), "in_channels": channels}
        try:
            return cls(CycleNetworks(**given | dict(architecture)), **options)
        except Exception as error:
            said = one_line(error)
            raise CheckpointError(f"architecture {dict(architecture)}: it cannot be built ({said})") from error

    def save(self, folder: Path) -> None:
        networks = CycleNetworks.from_config(self.config)
        networks.generators, networks.critics = self.network, self.critics
        networks.save_pretrained(folder)

    def fresh(self) -> Self:
        return type(self)(CycleNetworks.from_config(self.config), **self.options).to(self.device)

    def student(self) -> Self:
        """Half the residual blocks, those that stay as they were, or, where there is one, half the width, started
        anew; the critics are copies."""
        config = dict(self.config)
        if config["residual_blocks"] > 1:
            config["residual_blocks"] //= 2
        elif config["base_channels"] > 1:
            config["base_channels"] //= 2
        else:
            raise NotApplicable("no smaller generators: one residual block, and one channel")
        student = type(self)(CycleNetworks.from_config(config), **self.options)
        for ours, theirs in ((student.network, self.network), (student.critics, self.critics)):
            mine, known = ours.state_dict(), theirs.state_dict()
            fits = {name: known[name] for name, value in mine.items() if known[name].shape == value.shape}
            ours.load_state_dict(mine | fits)
        return student.to(self.device)

    # Parts ------------------------------------------------------------------------------------------------------------

    def blocks(self) -> list[nn.Module]:
        """Each part of both generators: what is a step from input to output in one, is the same step in the other."""
        *parts, end = self.network.parts()
        return [*parts, nn.ModuleList([end])]

    def generating_end(self) -> list[nn.Module]:
        """The ways up: from the features of the residual blocks back to pixels."""
        return [*self.network.up_blocks, self.network.exit]

    def players(self) -> list[nn.Module]:
        return [self.network, self.critics]

    def critic(self) -> list[nn.Module]:
        return list(self.critics.parts)

    # Data -------------------------------------------------------------------------------------------------------------

    def encoding(self) -> dict[str, Any]:
        return {"family": "cyclegan", "shape": [self.channels, self.height, self.width]}

    def encode(self, items: Items) -> Batch:
        assert isinstance(items, Columns)
        shape = self.channels, self.height, self.width
        images = torch.cat([to_rows(items[name], *shape) for name in ("source", "target")], dim=1)
        return {"images": images, "item": torch.arange(len(images))}

    def decode(self, batch: Batch) -> Columns:
        source, target = self._both(batch["images"])
        return Columns({"source": to_items(source), "target": to_items(target)})

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """Pixels from 0…255 to -1…1."""
        batch = super().collate(rows, indices)
        return batch | {"images": to_pixels(batch["images"])}

    def coarser(self, batch: Batch, share: float) -> Batch:
        """Images of the next size that the generators can halve as often, and that holds a critic's patch."""
        least = -(-self._smallest() // self.factor)
        if least * self.factor >= min(self.height, self.width):
            raise NotApplicable(f"a critic needs images of {self._smallest()} pixels' side: it takes no smaller ones")
        size = [max(least, round(share * side / self.factor)) * self.factor for side in (self.height, self.width)]
        return batch | {"images": F.interpolate(batch["images"], size, mode="area")}

    # Learning and generating ------------------------------------------------------------------------------------------

    def forward(self, batch: Batch) -> Tensor:
        """Both pictures translated, in the layout of ``images``: the target as source, then the source as target."""
        source, target = self._both(batch["images"])
        return torch.cat([self.network(target, "back"), self.network(source, "there")], dim=1)

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Of the generators: adversarial, cycle and identity loss of both ways; of the critics: the squares of what
        they are off, half real, half generated. Without a player, the energy distances."""
        if player is self.critics:
            real, made = self.realness(batch), self.realness(batch, outputs.detach())
            return ((real.float() - _REAL) ** 2).mean() + ((made.float() + _REAL) ** 2).mean()
        if player is self.network:
            with resting(self.critics.parameters()):
                made = self.realness(batch, outputs)
            deceived = 2 * ((made.float() - _REAL) ** 2).mean()  # a mean over both ways
            return deceived + self._consistency(batch, outputs)
        pairs = zip(self._both(outputs), self._both(batch["images"]), strict=True)
        return torch.stack([energy_distance(made, real) for made, real in pairs]).sum()

    def _consistency(self, batch: Batch, outputs: Tensor) -> Tensor:
        """Weighted cycle and identity losses; each generator takes what it is to restore and to keep in one pass."""
        (source, target), (made_source, made_target) = self._both(batch["images"]), self._both(outputs)
        weight: float = self.options["cycle"]
        share: float = self.options["identity"]
        if not share:
            restored = self.network(made_target, "back"), self.network(made_source, "there")
            cycle = F.l1_loss(restored[0].float(), source) + F.l1_loss(restored[1].float(), target)
            return cycle * weight
        back = self.network(torch.cat([made_target, source]), "back").float().chunk(2)
        there = self.network(torch.cat([made_source, target]), "there").float().chunk(2)
        cycle = F.l1_loss(back[0], source) + F.l1_loss(there[0], target)
        same = F.l1_loss(back[1], source) + F.l1_loss(there[1], target)
        return (cycle + same * share) * weight

    def realness(self, batch: Batch, outputs: Tensor | None = None) -> Tensor:
        """A verdict for each patch of both pictures: shape (rows, patches)."""
        source, target = self._both(batch["images"] if outputs is None else outputs)
        return torch.cat([self.critics(source, "back"), self.critics(target, "there")], dim=1)

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs.float(), reference.float())

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        """The batch's sources with a target for each; nothing about it is random."""
        source, _ = self._both(batch["images"])
        made = self.network(source, "there").to(source)
        return {"images": torch.cat([source, made], dim=1), "item": torch.arange(len(source))}

    def _both(self, images: Tensor) -> tuple[Tensor, Tensor]:
        source, target = images.split(self.channels, dim=1)
        return source, target

    def _smallest(self) -> int:
        """Side of the smallest image that the critics can judge, and the generators' borders can be mirrored in."""
        layers = self.config["critic_layers"]
        return int(max(4, self.factor * 2, 3 * 2**layers))


def energy_distance(ones: Tensor, others: Tensor) -> Tensor:
    """2 E‖X - Y‖ - E‖X - X'‖ - E‖Y - Y'‖ between two sets of images, each distance a root mean square over pixels.

    Zero for equal sets, below it for none. Of single images it is twice their distance.
    """
    one, other = ones.float().flatten(1), others.float().flatten(1)
    with torch.autocast(one.device.type, enabled=False):
        exact = "donot_use_mm_for_euclid_dist"  # what is subtracted below would be lost to rounding
        pairs = (one, other), (one, one), (other, other)
        apart, within, among = (torch.cdist(*pair, compute_mode=exact).mean() for pair in pairs)
    distance: Tensor = (2 * apart - within - among) / math.sqrt(one.shape[1])
    return distance
