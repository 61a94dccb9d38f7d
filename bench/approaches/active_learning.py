"""The model chooses what it learns from."""

import time
from collections.abc import Callable
from functools import partial
from itertools import accumulate, pairwise
from typing import Literal

import torch
from torch import Tensor

from bench.approaches._rows import farthest, impression, of_items
from bench.dataset import subset_indices, take
from bench.errors import NotApplicable
from bench.model import Batch
from bench.options import Count, Fraction
from bench.transfer import Transfer

DECIDES = ("examples",)


def active_learning(
    transfer: Transfer,
    *,
    rounds: Count = 4,
    start: Fraction = 0.2,
    strategy: Literal["uncertainty", "coverage", "both"] = "both",
    candidates: Count = 256,
) -> None:
    """After a random start, each round adds the examples of the pool that tell the current model most.

    In the end it has learned from as many examples as other approaches are given at random, but chosen from the whole
    training split. *Uncertainty* takes those with the highest loss per token or image, *coverage* those whose hidden
    features are farthest from all that is learned from already (greedy k-centre). The steps are shared out as the
    examples are. Each round is a training of its own: it goes on from the weights of the one before, while the course
    of the learning rate and all other schedules start again. Only the last, which has all examples, is validated.

    Paper: Settles 2009, Active Learning Literature Survey (uncertainty); Sener & Savarese 2018, Active Learning for
    Convolutional Neural Networks: A Core-Set Approach (coverage)

    Args:
        rounds: how often examples are chosen.
        start: share of the examples that are random; at least one is.
        strategy: ``uncertainty``, ``coverage``, or half of each round by either.
        candidates: how many items of the pool are looked at in a round, at random; looking takes time.
    """
    pool, wanted = transfer.pool, len(transfer.data.train)
    if len(pool) <= wanted:
        problem = f"all {wanted} training examples may be learned from, so there are none to choose from"
        raise NotApplicable(f"{problem}; it needs a smaller data size")
    first = max(1, round(start * wanted))
    sizes = sorted({first + round((wanted - first) * k / rounds) for k in range(rounds + 1)})
    chosen = torch.empty(0, dtype=torch.int64)
    seen = set(subset_indices(len(pool), wanted, transfer.seed, transfer.data.name).tolist())
    inner = transfer.fit

    def fit(steps: int) -> None:
        nonlocal chosen
        rows = transfer.encode(pool)
        todo = [size for size in sizes if size > len(chosen)] or [wanted]
        ends = [min(round(steps * done / sum(todo)), steps - 1) for done in accumulate(todo[:-1], initial=0)] + [steps]
        for size, (begin, end) in zip(todo, pairwise(ends), strict=True):
            if not len(chosen):
                chosen = torch.from_numpy(subset_indices(len(pool), size, transfer.seed, transfer.data.name))
            elif size > len(chosen) and time.perf_counter() < transfer.deadline:
                count = size - len(chosen)
                offered = _drawn(len(pool), chosen, max(candidates, count), transfer.seed)
                new = set(offered.tolist()) - seen
                seen.update(new)
                transfer.look(min(len(new), len(pool) - wanted - transfer.looked))
                chosen = torch.cat([chosen, _most_telling(transfer, rows, chosen, offered, count, strategy)])
            last = size == todo[-1]
            learn(of_items(rows, chosen), inner if last else partial(transfer.practise, "rounds"), end - begin)

    def learn(rows: Batch, train: Callable[[int], None], steps: int) -> None:
        encode, items = transfer.encode, take(pool, chosen.numpy())
        transfer.data = transfer.data.learning_from(items)
        with transfer.having(encode=lambda given: rows if given is items else encode(given)):
            train(steps)

    transfer.fit = fit


def _drawn(size: int, chosen: Tensor, count: int, seed: int) -> Tensor:
    """Indices of that many items of the pool, or of all there are, that are not learned from yet."""
    shuffled = torch.randperm(size, generator=torch.Generator().manual_seed(seed * 1_000_003 + len(chosen)))
    return shuffled[~torch.isin(shuffled, chosen)][:count]


def _most_telling(
    transfer: Transfer, rows: Batch, chosen: Tensor, offered: Tensor, count: int, strategy: str
) -> Tensor:
    """Indices of the items to learn from next, some of those offered."""
    known = torch.cat([chosen, offered])
    part = of_items(rows, known)  # what is chosen comes first
    seen = impression(transfer, part).by_item(part)
    by_loss = {"uncertainty": count, "coverage": 0, "both": (count + 1) // 2}[strategy]
    difficulty = seen.difficulty()
    difficulty[: len(chosen)] = -torch.inf
    new = difficulty.argsort(descending=True, stable=True)[:by_loss]
    centres = torch.cat([torch.arange(len(chosen)), new])
    return known[torch.cat([new, farthest(seen.features, centres, count - by_loss)])]
