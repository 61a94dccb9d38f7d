"""A small convolutional autoencoder whose code is one vector, kept on disk as diffusers keeps its models."""

from typing import Any

from diffusers import ConfigMixin, ModelMixin
from diffusers.configuration_utils import register_to_config
from torch import Tensor, nn


class ConvolutionalAutoencoder(ModelMixin, ConfigMixin):  # type: ignore[misc]
    """Strided convolutions down to one vector, and back up by nearest neighbours and convolutions.

    Options have the names that ``AutoencoderKL`` has for them.

    Args:
        in_channels: of the images.
        sample_size: their side in pixels, or height and width; each of ``block_out_channels`` halves it.
        block_out_channels: width of each stage on the way down; the way up has the same in reverse.
        layers_per_block: convolutions in each stage, beside the one that changes the size.
        latent_dim: length of the code.
        norm_num_groups: of each group norm.
        variational: whether the encoder says a mean and a log-variance for each number of the code, or the code alone.
    """

    config_name = "config.json"

    @register_to_config  # type: ignore[untyped-decorator]
    def __init__(
        self,
        in_channels: int = 1,
        sample_size: int | tuple[int, int] = 16,
        block_out_channels: tuple[int, ...] = (32, 64),
        layers_per_block: int = 1,
        latent_dim: int = 32,
        norm_num_groups: int = 8,
        variational: bool = True,
    ) -> None:
        super().__init__()
        sides = (sample_size, sample_size) if isinstance(sample_size, int) else tuple(sample_size)
        factor = 2 ** len(block_out_channels)
        if any(side % factor for side in sides):
            raise ValueError(f"images of {sides[0]}x{sides[1]} pixels cannot be halved {len(block_out_channels)} times")
        widths, groups = list(block_out_channels), norm_num_groups
        height, width = (side // factor for side in sides)
        size = widths[-1] * height * width
        self.conv_in = nn.Conv2d(in_channels, widths[0], 3, padding=1)
        entering = [widths[0], *widths[:-1]]
        self.down_blocks = nn.ModuleList(
            nn.Sequential(*_layers(before, before, layers_per_block, groups), *_down(before, after, groups))
            for before, after in zip(entering, widths, strict=True)
        )
        self.to_latent = nn.Sequential(nn.Flatten(), nn.Linear(size, latent_dim * (2 if variational else 1)))
        self.from_latent = nn.Sequential(nn.Linear(latent_dim, size), nn.Unflatten(1, (widths[-1], height, width)))
        self.up_blocks = nn.ModuleList(
            nn.Sequential(*_up(before, after, groups), *_layers(after, after, layers_per_block, groups))
            for before, after in zip(reversed(widths), reversed(entering), strict=True)
        )
        self.conv_out = nn.Conv2d(widths[0], in_channels, 3, padding=1)

    def moments(self, images: Tensor) -> Tensor:
        """Mean and, where variational, log-variance of the codes side by side: shape (rows, latent_dim or twice)."""
        features = self.conv_in(images)
        for block in self.down_blocks:
            features = block(features)
        found: Tensor = self.to_latent(features)
        return found

    def images(self, codes: Tensor) -> Tensor:
        """Codes of shape (rows, latent_dim) to images of shape (rows, channels, height, width)."""
        features = self.from_latent(codes)
        for block in self.up_blocks:
            features = block(features)
        made: Tensor = self.conv_out(features)
        return made


def _layers(before: int, after: int, count: int, groups: int) -> list[nn.Module]:
    return [
        part
        for index in range(count)
        for part in _bent(nn.Conv2d(before if index == 0 else after, after, 3, padding=1), after, groups)
    ]


def _down(before: int, after: int, groups: int) -> list[nn.Module]:
    return _bent(nn.Conv2d(before, after, 3, stride=2, padding=1), after, groups)


def _up(before: int, after: int, groups: int) -> list[nn.Module]:
    return [nn.Upsample(scale_factor=2.0), *_bent(nn.Conv2d(before, after, 3, padding=1), after, groups)]


def _bent(convolution: nn.Conv2d, width: int, groups: int) -> list[Any]:
    return [convolution, nn.GroupNorm(groups, width), nn.SiLU()]
