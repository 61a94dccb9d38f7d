"""Rows of token ids: padding, and which positions of them count."""

import torch
from torch import Tensor


def first(counts: Tensor, outputs: Tensor) -> Tensor:
    """Boolean mask of shape (rows, positions): the first ``counts[row]`` positions of each row."""
    return torch.arange(outputs.shape[1], device=outputs.device) < counts[:, None]


def padded(rows: list[list[int]], width: int, value: int) -> Tensor:
    filled = torch.full((len(rows), width), value, dtype=torch.int64)
    for index, row in enumerate(rows):
        filled[index, : len(row)] = torch.tensor(row)
    return filled
