"""Rows of token ids: padding, and which positions of them count."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.model import Batch


def first(counts: Tensor, outputs: Tensor) -> Tensor:
    """Boolean mask of shape (rows, positions): the first ``counts[row]`` positions of each row."""
    return torch.arange(outputs.shape[1], device=outputs.device) < counts[:, None]


def padded(rows: list[list[int]], width: int, value: int) -> Tensor:
    filled = torch.full((len(rows), width), value, dtype=torch.int64)
    for index, row in enumerate(rows):
        filled[index, : len(row)] = torch.tensor(row)
    return filled


def of_one_width(batches: list[Batch], value: int) -> list[Batch]:
    """Batches whose tensors of shape (rows, positions) are all padded at their end to the widest of them."""
    width = max(batch["input_ids"].shape[1] for batch in batches)
    return [
        {
            key: F.pad(rows, (0, width - rows.shape[1]), value=value) if rows.ndim == 2 else rows
            for key, rows in batch.items()
        }
        for batch in batches
    ]


def shorter(batch: Batch, predicted: float) -> Batch:
    """A batch whose rows have that many predicted tokens at most, and at least one."""
    kept = max(1, round(predicted))
    cut = {key: rows[:, : kept + 1] if rows.ndim == 2 else rows for key, rows in batch.items()}
    return cut | {"length": batch["length"].clamp(max=kept + 1), "text": batch["text"].clamp(max=kept)}


def noisy(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """A batch in which each input token is replaced with that probability; the clean ones stand in ``targets``.

    Replaced tokens come from the batch's own tokens, so from its unigram distribution. The start of a text stays.
    """
    tokens = batch["input_ids"]
    inside = first(batch["length"], tokens)
    hit = (torch.rand(tokens.shape, generator=generator) < share).to(tokens.device) & inside
    hit[:, 0] = False
    known = tokens[inside]
    drawn = torch.randint(len(known), tokens.shape, generator=generator).to(tokens.device)
    return {"targets": tokens} | batch | {"input_ids": torch.where(hit, known[drawn], tokens)}
