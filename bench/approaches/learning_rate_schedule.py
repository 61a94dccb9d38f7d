"""The course of the learning rate over the steps."""

import itertools
import math
from typing import Literal

from bench.options import Count, Fraction, Positive
from bench.transfer import Transfer

DECIDES = ("rate",)


def learning_rate_schedule(
    transfer: Transfer,
    *,
    shape: Literal["constant", "linear", "cosine", "one_cycle", "warm_restarts"] = "one_cycle",
    warmup: Fraction = 0.1,
    base: Fraction = 0.1,
    annihilation: Fraction = 0.1,
    cycles: Count = 3,
    growth: Positive = 2.0,
) -> None:
    """The learning rate takes another course than the budget's: constant, linear, cosine, one cycle, or warm restarts.

    ``constant``, ``linear`` and ``cosine`` warm up and then stay or fall to zero. ``one_cycle`` rises from a base rate
    to the peak and falls back in as many steps, both linearly, and spends what is left on a fall to zero.
    ``warm_restarts`` begins every cycle at the peak and falls as half a cosine to zero. What comes before the target
    (a pre-stage) runs through a course of its own.

    Paper: Loshchilov & Hutter 2017, SGDR: Stochastic Gradient Descent with Warm Restarts; Smith & Topin 2018,
    Super-Convergence: Very Fast Training of Neural Networks Using Large Learning Rates

    Args:
        shape: of the course.
        warmup: of constant, linear and cosine: share of the steps over which the rate rises from zero.
        base: of one_cycle: where it begins, as a share of the peak.
        annihilation: of one_cycle: share of the steps, at its end, in which the rate falls from the base to zero.
        cycles: of warm_restarts: how many.
        growth: of warm_restarts: how much longer each cycle is than the one before.
    """
    if shape == "one_cycle":
        transfer.shape = lambda progress: _one_cycle(progress, base, annihilation)
    elif shape == "warm_restarts":
        longest = max(0.0, (cycles - 1) * math.log(growth))  # logarithms do not overflow
        lengths = [math.exp(cycle * math.log(growth) - longest) for cycle in range(cycles)]
        whole = sum(lengths)
        ends = [end / whole for end in itertools.accumulate(lengths)]
        transfer.shape = lambda progress: _warm_restarts(progress, ends)
    else:
        budget = transfer.budget.model_copy(update={"warmup": warmup, "decay": shape})
        transfer.shape = budget.rate


def _one_cycle(progress: float, base: float, annihilation: float) -> float:
    half = (1 - annihilation) / 2
    if progress < 2 * half:
        return 1 - (1 - base) * abs(progress / half - 1)
    return base * (1 - progress) / annihilation


def _warm_restarts(progress: float, ends: list[float]) -> float:
    begin, end = next(pair for pair in zip([0.0, *ends], [*ends[:-1], 1.0], strict=False) if progress < pair[1])
    return (1 + math.cos(math.pi * (progress - begin) / (end - begin))) / 2
