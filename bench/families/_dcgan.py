"""DCGAN's and SNGAN's generators and critics at any power of two, and what every GAN's architecture says.

Paper: Radford et al. 2016, Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
Networks; Miyato et al. 2018, Spectral Normalization for Generative Adversarial Networks (table 3)
"""

from abc import abstractmethod
from itertools import pairwise
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from bench.options import Count

Network = TypeVar("Network", bound=nn.Module)

_FIRST = 4  # side of the first and of the last features


def _power_of_two(side: int) -> int:
    if side < 2 * _FIRST or side & (side - 1):
        raise ValueError("sides are a power of two, 8 or more; images of another size are resized to it")
    return side


class Architecture(BaseModel):
    """What ``architecture`` may say of a GAN; names as in StyleGAN2's own code.

    Attributes:
        kind: of GAN.
        img_resolution: side of the images.
        img_channels: 1 for grey, 3 for colours.
        z_dim: width of a latent.
        channel_base: a side of r pixels has ``channel_base // r`` channels …
        channel_max: … but no more than these.
        critic_channel_base: the same for the critic; the generator's where it does not say.
        critic_channel_max: the same for the critic.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    kind: str
    img_resolution: Annotated[int, AfterValidator(_power_of_two)]
    img_channels: Literal[1, 3]
    z_dim: Count = 64
    channel_base: Count = 512
    channel_max: Count = 64
    critic_channel_base: Count | None = None
    critic_channel_max: Count | None = None

    @abstractmethod
    def generator(self) -> nn.Module:
        """Latents of shape (rows, z_dim) to images; ``parts()`` lists its blocks."""

    @abstractmethod
    def critic(self) -> nn.Sequential:
        """Images to logits of shape (rows, 1); its parts, from its input to its verdict."""

    def sides(self) -> list[int]:
        """Of the features, from the smallest to the image's."""
        return [_FIRST << step for step in range((self.img_resolution // _FIRST).bit_length())]

    def widths(self) -> list[int]:
        """Channels of the generator's features, by side."""
        return [max(1, min(self.channel_base // side, self.channel_max)) for side in self.sides()]

    def critic_widths(self) -> list[int]:
        """Channels of the critic's features, by side."""
        base, most = self.critic_channel_base or self.channel_base, self.critic_channel_max or self.channel_max
        return [max(1, min(base // side, most)) for side in self.sides()]


class DCGAN(Architecture):
    """The ``architecture`` of a DCGAN: strided convolutions and batch normalisation in both players."""

    kind: Literal["dcgan"] = "dcgan"

    def generator(self) -> nn.Module:
        inner = self.widths()[:-1]
        exit_ = nn.Sequential(_doubling(inner[-1], self.img_channels), nn.Tanh())
        return _started(Generator(self.z_dim, inner, exit_))

    def critic(self) -> nn.Sequential:
        widths = self.critic_widths()[::-1][1:]
        entrance = nn.Sequential(_halving(self.img_channels, widths[0]), nn.LeakyReLU(0.2))
        inner = [
            nn.Sequential(_halving(given, made, bias=False), nn.BatchNorm2d(made), nn.LeakyReLU(0.2))
            for given, made in pairwise(widths)
        ]
        verdict = nn.Sequential(nn.Conv2d(widths[-1], 1, _FIRST), nn.Flatten())
        return _started(nn.Sequential(entrance, *inner, verdict))


class SNGAN(Architecture):
    """The ``architecture`` of an SNGAN: the critic's layers have a spectral norm of one."""

    kind: Literal["sngan"] = "sngan"

    def generator(self) -> nn.Module:
        exit_ = nn.Sequential(nn.Conv2d(self.widths()[-1], self.img_channels, 3, padding=1), nn.Tanh())
        return _started(Generator(self.z_dim, self.widths(), exit_))

    def critic(self) -> nn.Sequential:
        widths = self.critic_widths()[::-1]
        parts = [
            nn.Sequential(
                *(nn.Conv2d(given if index else self.img_channels, given, 3, padding=1), nn.LeakyReLU(0.1)),
                *(_halving(given, made), nn.LeakyReLU(0.1)),
            )
            for index, (given, made) in enumerate(pairwise(widths))
        ]
        verdict = nn.Sequential(
            *(nn.Conv2d(widths[-1], widths[-1], 3, padding=1), nn.LeakyReLU(0.1)),
            *(nn.Flatten(), nn.Linear(widths[-1] * _FIRST**2, 1)),
        )
        critic = _started(nn.Sequential(*parts, verdict))
        for module in list(critic.modules()):
            if isinstance(module, nn.Conv2d | nn.Linear):
                spectral_norm(module)
        return critic


class Generator(nn.Module):
    """Latents to images between -1 and 1 through transposed convolutions.

    Args:
        z_dim: width of a latent.
        widths: channels of the features, the first of 4×4 pixels, each of twice the side of the one before.
        last: from these features to an image.
    """

    noise_width = 0

    def __init__(self, z_dim: int, widths: list[int], last: nn.Module) -> None:
        super().__init__()
        project = nn.Linear(z_dim, widths[0] * _FIRST**2, bias=False)
        shape = nn.Unflatten(1, (widths[0], _FIRST, _FIRST))
        self.first = nn.Sequential(project, shape, nn.BatchNorm2d(widths[0]), nn.ReLU())
        self.doublings = nn.ModuleList(
            nn.Sequential(_doubling(given, made, bias=False), nn.BatchNorm2d(made), nn.ReLU())
            for given, made in pairwise(widths)
        )
        self.exit = last

    def parts(self) -> list[nn.Module]:
        """From the projection to the image: together, every weight."""
        return [self.first, *self.doublings, self.exit]

    def forward(self, latents: Tensor) -> Tensor:
        for part in self.parts():
            latents = part(latents)
        return latents


def _doubling(given: int, made: int, *, bias: bool = True) -> nn.Module:
    return nn.ConvTranspose2d(given, made, 4, stride=2, padding=1, bias=bias)


def _halving(given: int, made: int, *, bias: bool = True) -> nn.Module:
    return nn.Conv2d(given, made, 4, stride=2, padding=1, bias=bias)


def _started(network: Network) -> Network:
    """The network with DCGAN's initial weights."""
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm2d):
            nn.init.normal_(module.weight, mean=1.0, std=0.02)
    return network
