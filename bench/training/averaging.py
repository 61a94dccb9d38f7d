"""An exponential moving average of weights while they train."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor


class Average:
    """Follows tensors with a decay that grows with the steps taken, up to the one that is asked for: the first steps,
    far from where training ends, are soon forgotten.

    Paper: Polyak & Juditsky 1992, Acceleration of Stochastic Approximation by Averaging; the warm-up (1 + t)/(10 + t)
    is that of TensorFlow's ExponentialMovingAverage

    Args:
        tensors: followed from the values they have now.
        decay: of the average, per step, in the long run.
    """

    def __init__(self, tensors: Iterable[Tensor], decay: float) -> None:
        self.tensors, self.decay, self.steps = [tensor.detach() for tensor in tensors], decay, 0
        self.values = [tensor.clone() for tensor in self.tensors]

    @torch.no_grad()
    def follow(self) -> None:
        """After a step."""
        self.steps += 1
        weight = 1 - min(self.decay, (1 + self.steps) / (10 + self.steps))
        for value, tensor in zip(self.values, self.tensors, strict=True):
            value.lerp_(tensor, weight)

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """The tensors have their average values meanwhile."""
        own = [tensor.clone() for tensor in self.tensors]
        self._set(self.values)
        try:
            yield
        finally:
            self._set(own)

    @torch.no_grad()
    def _set(self, values: list[Tensor]) -> None:
        for tensor, value in zip(self.tensors, values, strict=True):
            tensor.copy_(value)
