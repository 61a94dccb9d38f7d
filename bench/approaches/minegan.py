"""A small network that steers the latent."""

from typing import Any

from torch import Tensor, nn

from bench.options import Count, Fraction
from bench.transfer import Transfer

NEEDS = ("latent", "critic")
DECIDES = ("weights", "thaw")


def minegan(transfer: Transfer, *, layers: Count = 2, alone: Fraction = 0.5) -> None:
    """A miner turns each latent into one that the pretrained generator makes the target's kind of data of.

    First it learns against the critic while the generator is frozen, so that it finds the part of what the generator
    knows that is nearest to the target. Then everything trains.

    Paper: Wang et al. 2020, MineGAN: Effective Knowledge Transfer from GANs to Target Domains with Few Images

    Args:
        layers: of the miner, each as wide as the latent.
        alone: share of the steps in which the generator is frozen; 1 for all of them.
    """
    model, width = transfer.model, transfer.model.latent()
    parts = [part for _ in range(layers) for part in (nn.Linear(width, width), nn.ReLU())]
    miner = nn.Sequential(*parts[:-1]).to(model.device)
    network = model.network
    model.network = _Steered(network, miner)
    resting: list[nn.Parameter] = []

    def rest(progress: float) -> None:
        if not resting:  # when all approaches are set up: what any of them froze stays frozen
            resting.extend(weight for weight in network.parameters() if weight.requires_grad)
        for weight in resting:
            weight.requires_grad_(progress >= alone)

    transfer.schedule.append(rest)


class _Steered(nn.Module):
    """A network whose latents go through a miner first; all else that is asked of it, it answers itself."""

    def __init__(self, network: nn.Module, miner: nn.Module) -> None:
        super().__init__()
        self.miner, self.steered = miner, network

    def forward(self, latents: Tensor, *given: Any, **named: Any) -> Any:
        return self.steered(self.miner(latents), *given, **named)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            return getattr(super().__getattr__("steered"), name)
