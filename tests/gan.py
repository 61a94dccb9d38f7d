"""A small GAN that learns: two players, each with its own loss."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.model import Batch
from bench.transfer import Transfer
from tests.metrics.doubles import Double
from tests.models import pictures, transfer_of

WIDTH = 6  # of a latent


class Gan(Double):
    """Greyscale pictures of 8 by 8 pixels; the non-saturating loss.

    Validation is the mean squared distance of the mean picture, which a critic's moods do not touch.

    Paper: Goodfellow et al. 2014, Generative Adversarial Nets
    """

    modality, offers = "image", frozenset({"image", "network", "samples", "critic", "latent"})

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        shape = nn.Unflatten(1, (1, 8, 8))
        self.network: Any = nn.Sequential(nn.Linear(WIDTH, 32), nn.ReLU(), nn.Linear(32, 64), nn.Tanh(), shape)
        bend = nn.LeakyReLU(0.2)
        self.judge = nn.Sequential(
            nn.Sequential(nn.Conv2d(1, 8, 3, stride=2, padding=1), bend),
            nn.Sequential(nn.Conv2d(8, 16, 3, stride=2, padding=1), bend),
            nn.Sequential(nn.Flatten(), nn.Linear(64, 16), bend),
            nn.Linear(16, 1),
        )

    def players(self) -> list[nn.Module]:
        return [self.network, self.judge]

    def critic(self) -> list[nn.Module]:
        return list(self.judge)

    def latent(self) -> int:
        return WIDTH

    def encode(self, items: Items) -> Batch:
        images = torch.from_numpy(items).permute(0, 3, 1, 2) / 127.5 - 1
        return {"images": images, "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> Items:
        return ((batch["images"] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch | {"latents": torch.randn(len(batch["images"]), WIDTH, generator=generator)}

    def forward(self, batch: Batch) -> Tensor:
        made: Tensor = self.network(batch["latents"])
        return made

    def realness(self, batch: Batch, outputs: Tensor | None = None) -> Tensor:
        said: Tensor = self.judge(batch["images"] if outputs is None else outputs)
        return said[:, 0]

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        if player is self.judge:
            return F.softplus(self.realness(batch, outputs.detach())).mean() + F.softplus(-self.realness(batch)).mean()
        if player is self.network:
            return F.softplus(-self.realness(batch, outputs)).mean()
        return F.mse_loss(outputs.mean(0), batch["images"].mean(0))

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        drawn = self.draw(batch, generator)
        return {"images": self(drawn), "item": batch["item"]}


def gan(steps: int = 4, data: Dataset | None = None, **budget: Any) -> Transfer:
    """A GAN on its way to pictures of discs."""
    plain = {"batch_size": 8, "learning_rate": 1e-2, "clip": None}
    return transfer_of(Gan(), data or pictures(32), steps=steps, **plain | budget)
