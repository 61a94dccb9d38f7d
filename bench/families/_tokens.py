"""Rows of token ids: padding, and which positions of them count."""

import torch
import torch.nn.functional as F
from torch import Tensor

from bench.model import Batch


def first(counts: Tensor, outputs: Tensor) -> Tensor:
    """Boolean mask of shape (rows, positions): the first ``counts[row]`` positions of each row."""
    return torch.arange(outputs.shape[1], device=outputs.device) < counts[:, None]


def span(begin: Tensor, counts: Tensor, outputs: Tensor) -> Tensor:
    """Boolean mask of shape (rows, positions): ``counts[row]`` positions from ``begin[row]`` on."""
    places = torch.arange(outputs.shape[1], device=outputs.device) - begin[:, None]
    return (places >= 0) & (places < counts[:, None])


def padded(rows: list[list[int]], width: int, value: int) -> Tensor:
    filled = torch.full((len(rows), width), value, dtype=torch.int64)
    for index, row in enumerate(rows):
        filled[index, : len(row)] = torch.tensor(row)
    return filled


def of_bytes(texts: list[str]) -> Batch:
    """Texts as rows of their bytes in UTF-8."""
    coded = [list(text.encode("utf-8", "surrogatepass")) for text in texts]
    length = [len(row) for row in coded]
    return {"input_ids": padded(coded, max(1, *length), 0).to(torch.uint8), "length": torch.tensor(length)}


def of_one_width(batches: list[Batch], value: int) -> list[Batch]:
    """Batches whose tensors of shape (rows, positions) are padded at their end, each to the widest of its name."""
    wide = [(key, rows.shape[1]) for batch in batches for key, rows in batch.items() if rows.ndim == 2]
    width = {key: max(size for name, size in wide if name == key) for key, _ in wide}
    return [
        {
            key: F.pad(rows, (0, width[key] - rows.shape[1]), value=value) if rows.ndim == 2 else rows
            for key, rows in batch.items()
        }
        for batch in batches
    ]


def shorter(batch: Batch, predicted: float) -> Batch:
    """A batch whose rows have that many predicted tokens at most, and at least one."""
    kept = max(1, round(predicted))
    cut = {key: rows[:, : kept + 1] if rows.ndim == 2 else rows for key, rows in batch.items()}
    return cut | {"length": batch["length"].clamp(max=kept + 1), "text": batch["text"].clamp(max=kept)}


def noisy(batch: Batch, share: float, generator: torch.Generator, starts: int = 1) -> Batch:
    """A batch in which each input token is replaced with that probability; the clean ones stand in ``targets``.

    Replaced tokens come from the batch's own tokens, so from its unigram distribution. The ``starts`` tokens that every
    row begins with stay.
    """
    tokens = batch["input_ids"]
    inside = first(batch["length"], tokens)
    hit = (torch.rand(tokens.shape, generator=generator) < share).to(tokens.device) & inside
    hit[:, :starts] = False
    known = tokens[inside]
    drawn = torch.randint(len(known), tokens.shape, generator=generator).to(tokens.device)
    return {"targets": tokens} | batch | {"input_ids": torch.where(hit, known[drawn], tokens)}


def divergence(kept: Tensor, outputs: Tensor, reference: Tensor, temperature: float) -> Tensor:
    """KL(reference ‖ outputs) in nats per token, both softened, times temperature², over the places that are ``kept``.

    Paper: Hinton et al. 2015, Distilling the Knowledge in a Neural Network
    """
    ours = F.log_softmax(outputs[kept].float() / temperature, dim=-1)
    theirs = F.log_softmax(reference[kept].float() / temperature, dim=-1)
    return F.kl_div(ours, theirs, reduction="batchmean", log_target=True) * temperature**2
