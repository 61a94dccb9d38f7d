"""The networks of CycleGAN: two residual generators and two patch critics, kept as diffusers keeps its models."""

from itertools import pairwise
from typing import Literal

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn

Way = Literal["there", "back"]
"""From source to target, or from target to source."""


class CycleNetworks(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Generators there and back, and a critic for each domain.

    Args:
        in_channels: of the images of either domain.
        sample_size: their side in pixels, or height and width.
        base_channels: width of the generators' first layer; each halving doubles it.
        downsamplings: how often the generators halve the image; in the paper 2.
        residual_blocks: of each generator; in the paper 6 for images of 128 pixels, 9 for larger ones.
        critic_channels: width of the critics' first layer, which each further one doubles.
        critic_layers: how often the critics halve the image; in the paper 3, for patches of 70 pixels.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1,
        sample_size: int | tuple[int, int] = 16,
        base_channels: int = 64,
        downsamplings: int = 2,
        residual_blocks: int = 6,
        critic_channels: int = 64,
        critic_layers: int = 3,
    ) -> None:
        super().__init__()
        if min(base_channels, residual_blocks, critic_channels, critic_layers) < 1 or downsamplings < 0:
            raise ValueError("widths and numbers of layers start at 1")
        self.generators = Generators(in_channels, base_channels, downsamplings, residual_blocks)
        self.critics = Critics(in_channels, critic_channels, critic_layers)


class Ways(nn.Module):
    """The same part of both networks: the features go through the one of their way."""

    def __init__(self, there: nn.Module, back: nn.Module) -> None:
        super().__init__()
        self.there, self.back = there, back

    def forward(self, features: Tensor, way: Way) -> Tensor:
        """Of one way."""
        chosen: Tensor = (self.there if way == "there" else self.back)(features)
        return chosen


class Generators(nn.Module):
    """Two residual networks from images to images, each in as many parts."""

    def __init__(self, channels: int, base: int, downsamplings: int, residual_blocks: int) -> None:
        super().__init__()
        widths = [base * 2**index for index in range(downsamplings + 1)]
        wide = widths[-1]
        self.entrance = Ways(_entrance(channels, base), _entrance(channels, base))
        pairs = list(pairwise(widths))
        self.down_blocks = nn.ModuleList(Ways(_down(*pair), _down(*pair)) for pair in pairs)
        self.residual_blocks = nn.ModuleList(Ways(_Residual(wide), _Residual(wide)) for _ in range(residual_blocks))
        self.up_blocks = nn.ModuleList(Ways(_up(after, before), _up(after, before)) for before, after in pairs[::-1])
        self.exit = Ways(_exit(base, channels), _exit(base, channels))
        self.apply(_initialise)

    def parts(self) -> list[Ways]:
        """In order from image to image."""
        return [self.entrance, *self.down_blocks, *self.residual_blocks, *self.up_blocks, self.exit]

    def forward(self, images: Tensor, way: Way) -> Tensor:
        """Images of one domain, from -1 to 1, as images of the other."""
        for part in self.parts():
            images = part(images, way)
        return images


class Critics(nn.Module):
    """Two patch critics; ``there`` judges images of the target, ``back`` images of the source."""

    def __init__(self, channels: int, base: int, layers: int) -> None:
        super().__init__()
        widths = [base * min(2**index, 8) for index in range(layers + 1)]
        strides = [2] * (layers - 1) + [1]
        first = nn.Sequential(nn.Conv2d(channels, base, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        other = nn.Sequential(nn.Conv2d(channels, base, 4, stride=2, padding=1), nn.LeakyReLU(0.2))
        between = [(*pair, stride) for pair, stride in zip(pairwise(widths), strides, strict=True)]
        self.parts = nn.ModuleList([Ways(first, other)])
        self.parts.extend(Ways(_judge(*sizes), _judge(*sizes)) for sizes in between)
        self.parts.append(Ways(*(nn.Conv2d(widths[-1], 1, 4, padding=1) for _ in range(2))))
        self.apply(_initialise)

    def forward(self, images: Tensor, way: Way) -> Tensor:
        """A verdict for each patch: shape (rows, patches)."""
        for part in self.parts:
            images = part(images, way)
        return images.flatten(1)


class _Residual(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*_normed(width), nn.ReLU(), *_normed(width))

    def forward(self, features: Tensor) -> Tensor:
        added: Tensor = self.layers(features)
        return features + added


def _normed(width: int) -> list[nn.Module]:
    return [nn.Conv2d(width, width, 3, padding=1, padding_mode="reflect"), nn.InstanceNorm2d(width)]


def _entrance(channels: int, width: int) -> nn.Module:
    convolution = nn.Conv2d(channels, width, 7, padding=3, padding_mode="reflect")
    return nn.Sequential(convolution, nn.InstanceNorm2d(width), nn.ReLU())


def _down(before: int, after: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(before, after, 3, stride=2, padding=1), nn.InstanceNorm2d(after), nn.ReLU())


def _up(before: int, after: int) -> nn.Module:
    convolution = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1)
    return nn.Sequential(convolution, nn.InstanceNorm2d(after), nn.ReLU())


def _exit(width: int, channels: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(width, channels, 7, padding=3, padding_mode="reflect"), nn.Tanh())


def _judge(before: int, after: int, stride: int) -> nn.Module:
    convolution = nn.Conv2d(before, after, 4, stride=stride, padding=1)
    return nn.Sequential(convolution, nn.InstanceNorm2d(after), nn.LeakyReLU(0.2))


def _initialise(module: nn.Module) -> None:
    """As in the paper: Gaussian weights of standard deviation 0.02."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
        nn.init.normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
