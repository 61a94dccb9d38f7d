"""StyleGAN2's generator and critic at any power of two: modulated convolutions, skip connections, residual critic.

Paper: Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN (architecture E); Karras et al. 2018,
Progressive Growing of GANs (equalised learning rate, minibatch standard deviation)
"""

import math
from itertools import pairwise
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.families._dcgan import Architecture
from bench.families._equalised import Bend, EqualConv2d, EqualLinear, Resampled
from bench.options import Count, Positive


class StyleGAN2(Architecture):
    """The ``architecture`` of a StyleGAN2-style pair.

    Attributes:
        w_dim: width of a style w.
        mapping_layers: of the mapping network from z to w.
        mapping_rate: factor on its learning rate.
        group_size: rows that the critic takes the standard deviation over, at most.
    """

    kind: Literal["stylegan2"] = "stylegan2"
    w_dim: Count = 64
    mapping_layers: Count = 4
    mapping_rate: Positive = 0.01
    group_size: Count = 4

    def generator(self) -> nn.Module:
        return Generator(self)

    def critic(self) -> nn.Sequential:
        sides, widths = self.sides()[::-1], self.critic_widths()[::-1]
        halvings = [Residual(*pair) for pair in pairwise(widths)]
        entrance = nn.Sequential(EqualConv2d(self.img_channels, widths[0], 1), Bend())
        verdict = nn.Sequential(
            *(MinibatchStdDev(self.group_size), EqualConv2d(widths[-1] + 1, widths[-1], 3, padding=1), Bend()),
            *(nn.Flatten(), EqualLinear(widths[-1] * sides[-1] ** 2, widths[-1]), Bend(), EqualLinear(widths[-1], 1)),
        )
        return nn.Sequential(entrance, *halvings, verdict)


class ModulatedConv2d(nn.Module):
    """A convolution whose input channels a style scales; demodulated, each output channel has unit norm again.

    Features are scaled, rather than a kernel for each row: the same numbers at less cost, and the convolution is an
    ordinary layer.
    """

    def __init__(self, given: int, made: int, kernel: int, w_dim: int, *, demodulate: bool = True) -> None:
        super().__init__()
        self.affine = EqualLinear(w_dim, given, bias=1.0)
        self.conv = EqualConv2d(given, made, kernel, padding=kernel // 2, bias=False)
        self.demodulate = demodulate

    def forward(self, features: Tensor, w: Tensor) -> Tensor:
        style = self.affine(w)
        convolved: Tensor = self.conv(features * style[:, :, None, None])
        if not self.demodulate:
            return convolved
        squares = self.conv.weight.float().square().sum((2, 3))  # by output and input channel
        norms = F.linear(style.float().square(), squares) + 1e-8
        return convolved * norms.rsqrt()[:, :, None, None].to(convolved.dtype)


class Layer(nn.Module):
    """A modulated convolution, noise for each pixel at a learned strength that starts at zero, a bias, a bend."""

    def __init__(self, given: int, made: int, w_dim: int) -> None:
        super().__init__()
        self.modulated = ModulatedConv2d(given, made, 3, w_dim)
        self.noise_strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(made))
        self.bend = Bend()

    def forward(self, features: Tensor, w: Tensor, noise: Tensor | None) -> Tensor:
        features = self.modulated(features, w)
        if noise is not None:
            features = features + self.noise_strength * noise
        bent: Tensor = self.bend(features + self.bias[:, None, None])
        return bent


class ToRGB(nn.Module):
    """What features show, added to what is there of the image already."""

    def __init__(self, given: int, colours: int, w_dim: int) -> None:
        super().__init__()
        self.modulated = ModulatedConv2d(given, colours, 1, w_dim, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(colours))

    def forward(self, features: Tensor, image: Tensor | None, w: Tensor) -> Tensor:
        shown: Tensor = self.modulated(features, w) + self.bias[:, None, None]
        return shown if image is None else image + shown


class Mapping(nn.Module):
    """From a latent z, brought to unit length per dimension, to a style w."""

    def __init__(self, architecture: StyleGAN2) -> None:
        super().__init__()
        widths = [architecture.z_dim] + [architecture.w_dim] * architecture.mapping_layers
        pairs = pairwise(widths)
        self.layers = nn.ModuleList(EqualLinear(*pair, rate=architecture.mapping_rate) for pair in pairs)
        self.bend = Bend()

    def forward(self, latents: Tensor) -> Tensor:
        w = latents * (latents.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            w = self.bend(layer(w))
        return w


class First(nn.Module):
    """From the learned constant to features of 4×4 pixels."""

    def __init__(self, width: int, w_dim: int, side: int) -> None:
        super().__init__()
        self.constant = nn.Parameter(torch.randn(width, side, side))
        self.layer = Layer(width, width, w_dim)

    def forward(self, w: Tensor, noise: Tensor | None) -> Tensor:
        features: Tensor = self.layer(self.constant.expand(len(w), -1, -1, -1), w, noise)
        return features


class Doubling(nn.Module):
    """Features and image at twice the side. What the features of the smaller side show is added to the image first:
    that way all that a block hands on is features and image, and whatever changes them between blocks is seen."""

    def __init__(self, given: int, made: int, colours: int, w_dim: int) -> None:
        super().__init__()
        self.show = ToRGB(given, colours, w_dim)
        self.up, self.layer = Layer(given, made, w_dim), Layer(made, made, w_dim)
        self.doubled = Resampled("double")

    def forward(
        self, features: Tensor, image: Tensor | None, w: Tensor, noise: tuple[Tensor | None, Tensor | None]
    ) -> tuple[Tensor, Tensor]:
        image = self.doubled(self.show(features, image, w))
        return self.layer(self.up(self.doubled(features), w, noise[0]), w, noise[1]), image


class Generator(nn.Module):
    """Latents to images through styles."""

    def __init__(self, architecture: StyleGAN2) -> None:
        super().__init__()
        sides, widths, w_dim = architecture.sides(), architecture.widths(), architecture.w_dim
        colours, pairs = architecture.img_channels, list(pairwise(widths))
        self.mapping = Mapping(architecture)
        self.first = First(widths[0], w_dim, sides[0])
        self.doublings = nn.ModuleList(Doubling(*pair, colours, w_dim) for pair in pairs)
        self.exit = ToRGB(widths[-1], colours, w_dim)
        self.sides = [sides[0], *(side for side in sides[1:] for _ in range(2))]
        self.noise_width = sum(side**2 for side in self.sides)

    def parts(self) -> list[nn.Module]:
        """From the mapping network to the last toRGB: together, every weight."""
        return [self.mapping, self.first, *self.doublings, self.exit]

    def forward(
        self,
        latents: Tensor,
        noise: Tensor | None = None,
        *,
        psi: float = 1.0,
        about: int = 0,
        with_styles: bool = False,
    ) -> Any:
        """Images of shape (rows, channels, side, side), not bounded.

        Args:
            latents: shape (about + rows, z_dim).
            noise: standard normal, shape (rows, ``noise_width``): all layers' pixels side by side; None for none.
            psi: how far styles keep from their mean: 1 leaves them, 0 makes all alike (truncation).
            about: of that many latents at the front only the styles' mean is taken, for truncation.
            with_styles: whether styles come with the images, for gradients through them.
        """
        w = self.mapping(latents)
        if about:
            w = w[:about].mean(0).lerp(w[about:], psi)
        noises: list[Tensor | None] = [None] * len(self.sides)
        if noise is not None:
            pixels = noise.split([side**2 for side in self.sides], dim=1)
            noises = [part.view(-1, 1, side, side) for part, side in zip(pixels, self.sides, strict=True)]
        features, image = self.first(w, noises[0]), None
        for index, doubling in enumerate(self.doublings):
            features, image = doubling(features, image, w, (noises[2 * index + 1], noises[2 * index + 2]))
        made = self.exit(features, image, w)
        return (made, w) if with_styles else made


class Residual(nn.Module):
    """The critic's block: two convolutions to half the side, and a way around them."""

    def __init__(self, given: int, made: int) -> None:
        super().__init__()
        self.conv, self.down = EqualConv2d(given, given, 3, padding=1), EqualConv2d(given, made, 3, stride=2)
        self.around, self.bend = EqualConv2d(given, made, 1, bias=False), Bend()
        self.blurred, self.halved = Resampled("blur"), Resampled("halve")

    def forward(self, features: Tensor) -> Tensor:
        through: Tensor = self.bend(self.down(self.blurred(self.bend(self.conv(features)))))
        around: Tensor = self.around(self.halved(features))
        return (through + around) / math.sqrt(2)


class MinibatchStdDev(nn.Module):
    """One more channel: how much features differ within a group of rows, the mean over channels and places.

    Groups are as large as divides the batch, up to ``group_size``.
    """

    def __init__(self, group_size: int) -> None:
        super().__init__()
        self.group_size = group_size

    def forward(self, features: Tensor) -> Tensor:
        rows, _, height, width = features.shape
        size = next(size for size in range(min(self.group_size, rows), 0, -1) if rows % size == 0)
        groups = features.float().view(size, -1, *features.shape[1:])
        spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
        channel = spread.to(features.dtype).repeat(size).view(rows, 1, 1, 1).expand(-1, -1, height, width)
        return torch.cat([features, channel], dim=1)
