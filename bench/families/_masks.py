"""Masked tokens: every one in turn, and from all of them to a text, step by step."""

import math
from collections.abc import Callable

import torch
from torch import Tensor


def in_turn(inside: Tensor) -> tuple[Tensor, Tensor]:
    """Row and place of every token, those of short rows first, so that what is near each other needs little padding.

    Args:
        inside: which places hold tokens, shape (rows, positions).
    """
    rows, places = inside.nonzero(as_tuple=True)
    order = inside.sum(1)[rows].argsort(stable=True)
    return rows[order], places[order]


def unmask(
    logits: Callable[[Tensor], Tensor],
    ids: Tensor,
    hidden: Tensor,
    steps: int,
    *,
    forbidden: Tensor,
    temperature: float,
    choice_temperature: float,
    generator: torch.Generator,
) -> Tensor:
    """Tokens in the place of masks. At each step all are drawn, those that the model is surest of stay, and the rest
    are masked again: of n masks, n cos(π/2 · step / steps), rounded down, and each time fewer than before.

    How sure the model is of a token is its log-probability plus Gumbel noise, which fades from ``choice_temperature``
    to none.

    Paper: Chang et al. 2022, MaskGIT: Masked Generative Image Transformer (section 3.2)

    Args:
        logits: token ids of shape (rows, positions) to logits of shape (rows, positions, vocabulary).
        ids: with masks in them.
        hidden: where these are, shape (rows, positions).
        steps: how many passes to make.
        forbidden: tokens that are never drawn, shape (vocabulary,).
        temperature: of drawing them.
        choice_temperature: of the noise on which of them stay.
        generator: on the device of ``ids``.
    """
    count = hidden.sum(1)
    for step in range(1, steps + 1):
        if not hidden.any():
            break
        chances = (logits(ids)[hidden].float().masked_fill(forbidden, -torch.inf) / temperature).softmax(-1)
        tokens = torch.multinomial(chances, 1, generator=generator)
        noise = -torch.empty(len(tokens), device=ids.device).exponential_(generator=generator).log()
        sure = chances.gather(1, tokens)[:, 0].log() + choice_temperature * (1 - step / steps) * noise
        left = (count * math.cos(math.pi / 2 * step / steps)).long().minimum(hidden.sum(1) - 1).clamp(min=0)
        left = left * (step < steps)  # cos(π/2) is not quite zero in floating point
        surest_last = torch.full(ids.shape, torch.inf, device=ids.device).masked_scatter(hidden, sure).argsort(1)
        again = hidden & (surest_last.argsort(1) < left[:, None])
        ids = torch.where(hidden & ~again, ids.masked_scatter(hidden, tokens), ids)
        hidden = again
    return ids
