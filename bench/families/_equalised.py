"""StyleGAN2's plain layers: with equalised learning rate, and with filters where sides change.

Paper: Karras et al. 2018, Progressive Growing of GANs (equalised learning rate); Karras et al. 2020, Analyzing and
Improving the Image Quality of StyleGAN (filters)
"""

import math
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_SLOPE = 0.2  # of the leaky ReLU
_GAIN = math.sqrt(2)  # behind it, so that the variance stays what it was


class _Equalised(nn.Module):
    """Weights are N(0, 1) and scaled when they are used (He's constant), so that Adam moves all layers alike.

    ``raw`` is what is learned, ``weight`` what is used.
    """

    raw: nn.Parameter
    gain: float

    def _equalise(self, rate: float = 1.0) -> None:
        shape = self._parameters.pop("weight").shape  # type: ignore[union-attr]  # that of torch's own layer
        self.raw, self.gain = nn.Parameter(torch.randn(shape) / rate), rate / math.sqrt(shape[1:].numel())

    @property
    def weight(self) -> Tensor:
        return self.raw * self.gain


class EqualLinear(_Equalised, nn.Linear):  # type: ignore[override]  # a weight that is computed
    """A linear layer with equalised learning rate."""

    def __init__(self, given: int, made: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__(given, made)
        self._equalise(rate)
        self.rate = rate
        nn.init.constant_(self.bias, bias / rate)

    def forward(self, features: Tensor) -> Tensor:
        return F.linear(features, self.weight, self.bias * self.rate)


class EqualConv2d(_Equalised, nn.Conv2d):  # type: ignore[override]  # a weight that is computed
    """A convolution with equalised learning rate; its bias starts at zero."""

    def __init__(self, given: int, made: int, kernel: int, **options: Any) -> None:
        super().__init__(given, made, kernel, **options)
        self._equalise()
        if self.bias is not None:
            nn.init.zeros_(self.bias)


class Bend(nn.Module):
    """A leaky ReLU that keeps the variance."""

    def forward(self, features: Tensor) -> Tensor:
        return F.leaky_relu(features, _SLOPE) * _GAIN


class Resampled(nn.Module):
    """Features filtered with the kernel [1, 3, 3, 1] either way: at twice the side, at half of it, or one pixel larger
    and only blurred, for a convolution with a stride of 2 to come."""

    kernel: Tensor

    def __init__(self, how: Literal["double", "halve", "blur"]) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.how = how
        # between the pixels there are zeros then, three of four
        kernel = torch.outer(line, line) * (4 if how == "double" else 1)
        self.register_buffer("kernel", kernel, persistent=False)

    def forward(self, features: Tensor) -> Tensor:
        channels = features.shape[1]
        kernel = self.kernel.to(features.dtype).expand(channels, 1, -1, -1)
        if self.how == "double":
            return F.conv_transpose2d(features, kernel, stride=2, padding=1, groups=channels)
        if self.how == "halve":
            return F.conv2d(features, kernel, stride=2, padding=1, groups=channels)
        return F.conv2d(features, kernel, padding=2, groups=channels)
