"""What the classifiers that are trained here share: the same weights on every run, and leaving no trace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn


@contextmanager
def reproducible() -> Iterator[None]:
    """One thread and a fixed seed inside; outside, the caller's as they were."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # the last digits of a sum depend on how many share it
    try:
        with torch.random.fork_rng(devices=[]), torch.inference_mode(False), torch.enable_grad():
            torch.manual_seed(0)
            yield
    finally:
        torch.set_num_threads(threads)


def fit(
    network: nn.Module,
    inputs: Tensor,
    targets: Tensor,
    varied: Callable[[Tensor], Tensor],
    *,
    epochs: int,
    size: int,
    rate: float,
) -> None:
    """Train a classifier on batches of ``size`` that went through ``varied``; what is left of an epoch is left out."""
    optimizer = torch.optim.AdamW(network.parameters(), lr=rate, weight_decay=0.01)
    steps = epochs * (len(inputs) // size)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    network.train()
    for _ in range(epochs):
        for batch in torch.randperm(len(inputs))[: len(inputs) // size * size].view(-1, size):
            loss = F.cross_entropy(network(varied(inputs[batch])), targets[batch], label_smoothing=0.1)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
