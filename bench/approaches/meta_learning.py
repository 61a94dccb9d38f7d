"""A start from which a few steps are enough."""

import time
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from bench.approaches._mixing import source_of
from bench.approaches._prestage import practise_on, steps_of
from bench.batches import order
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.options import Count, Fraction, Positive
from bench.training.fitting import parts
from bench.transfer import Sampler, Transfer

NEEDS = ("source",)

_SEED = 90_000  # which sub-domains in which order, and which of their rows are kept apart


def meta_learning(
    transfer: Transfer,
    *,
    method: Literal["reptile", "fomaml"] = "reptile",
    share: Fraction = 0.5,
    inner_steps: Count = 5,
    tasks: Count = 5,
    outer_rate: Positive = 1.0,
) -> None:
    """The weights first move to where few steps lead to each sub-domain of the source, then they learn the target.

    Each update starts several times at the same weights θ, and takes a few inner steps on one sub-domain after another,
    at the constant peak learning rate and with a fresh optimizer. *Reptile* moves θ towards the mean of where these
    ended, at first by ``outer_rate`` of the way and, falling linearly, by none of it in the end. *First-order MAML*
    keeps rows of each sub-domain apart, takes the gradient of the loss on a batch of them at the adapted weights, and
    gives the mean of these gradients to Adam as θ's own. Each inner step and each gradient counts; the last update is a
    smaller one where the steps run out. Only what trains moves, and the pre-stage has none of the terms and transforms
    of a composition.

    Paper: Nichol et al. 2018, On First-Order Meta-Learning Algorithms (Reptile; the defaults are those for Omniglot);
    Finn et al. 2017, Model-Agnostic Meta-Learning for Fast Adaptation of Deep Networks

    Args:
        method: ``reptile`` or ``fomaml``.
        share: of the steps that go into meta-learning; at least one is left for the target.
        inner_steps: on each sub-domain.
        tasks: sub-domains for each update.
        outer_rate: of Reptile's first update; with first-order MAML the factor between the learning rate and Adam's.
    """
    source = source_of(transfer)
    groups = np.empty(0, np.int64) if source.groups is None else source.groups
    if (np.unique(groups[groups >= 0], return_counts=True)[1] > 1).sum() < 2:
        raise NotApplicable(f"the source domain {source.name} names no sub-domains, so there is nothing to adapt to")

    apart, now = method == "fomaml", _Course()

    def learn(left: int) -> bool:
        """One update; whether another follows."""
        if not now.weights:
            now.weights, now.rows = transfer.trainable(), transfer.encode(source.train)
            now.domains = _domains(now.rows, groups)
            now.generator.manual_seed(transfer.seed * 1_000_003 + _SEED)
            now.turns = order(len(now.domains), tasks, now.generator)
            now.adam = _adam(transfer, now.weights, outer_rate)
            now.begin, now.end = transfer.taken, transfer.taken + steps_of(share, left)
        if not over():
            update()
        return not over()

    def over() -> bool:  # the gradient of first-order MAML takes a step itself
        return now.end - transfer.taken <= apart or time.perf_counter() > transfer.deadline

    def update() -> None:
        rate = outer_rate * (now.end - transfer.taken) / (now.end - now.begin)
        values, statistics = [weight.detach() for weight in now.weights], _statistics(transfer.model)
        moving = [*values, *statistics]
        start, sums, done = [value.clone() for value in moving], [torch.zeros_like(v) for v in moving], 0
        for index in next(now.turns).tolist():
            mixed = now.domains[index][torch.randperm(len(now.domains[index]), generator=now.generator)]
            query = mixed[: min(transfer.budget.batch_size, len(mixed) // 2) * apart]
            practise_on(
                transfer,
                "meta",
                min(inner_steps, now.end - transfer.taken - apart),
                source,
                encode=lambda items: now.rows,
                sampler=_among(mixed[len(query) :]),
                shape=lambda progress: 1.0,
            )
            found = _gradients(transfer, now.rows, query, now.weights, now.generator) if apart else values
            torch._foreach_add_(sums, [*found, *statistics])
            torch._foreach_copy_(moving, start)
            done += 1
            if over():
                break
        means = torch._foreach_div(sums, done)
        if apart:
            for weight, gradient in zip(now.weights, means[: len(values)], strict=True):
                weight.grad = gradient
            now.adam.step()
            now.adam.zero_grad()
        else:
            torch._foreach_lerp_(values, means[: len(values)], rate)
        if statistics:
            torch._foreach_copy_(statistics, means[len(values) :])

    transfer.stages.append(learn)


class _Course:
    """How far meta-learning is: what it holds from one update to the next."""

    def __init__(self) -> None:
        self.weights, self.rows, self.domains = list[nn.Parameter](), Batch(), list[Tensor]()
        self.generator = torch.Generator()
        self.turns: Iterator[Tensor]
        self.adam: torch.optim.Adam
        self.begin = self.end = 0


def _statistics(model: Model) -> list[Tensor]:
    """The running statistics of batch normalisation. They follow the batches rather than the loss: each sub-domain
    starts at the same, and an update leaves the mean of what they became."""
    norms = [module for module in model.modules() if isinstance(module, _BatchNorm) and module.track_running_stats]
    return [statistic for norm in norms for statistic in (norm.running_mean, norm.running_var) if statistic is not None]


def _domains(rows: Batch, groups: np.ndarray) -> list[Tensor]:
    """Indices of the rows of each sub-domain that has more than one."""
    of_row = torch.tensor(groups)[rows["item"]]
    ranked, counts = of_row.argsort(stable=True), of_row.unique(return_counts=True)[1]
    each = zip(of_row.unique().tolist(), ranked.split(counts.tolist()), strict=True)
    return [indices.clone() for group, indices in each if group >= 0 and len(indices) > 1]


def _among(chosen: Tensor) -> Sampler:
    """A sampler of some rows only: each of them once before any again."""

    def sampler(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        return (chosen[indices] for indices in order(len(chosen), size, generator))

    return sampler


def _gradients(
    transfer: Transfer, rows: Batch, query: Tensor, weights: list[nn.Parameter], generator: torch.Generator
) -> list[Tensor]:
    """Each weight's gradient of the model's own loss on some rows."""
    model, micro = transfer.model, transfer.budget.micro_batch_size or len(query)
    found = {weight: torch.zeros_like(weight) for weight in weights}
    for part, share in parts(model, model.draw(model.collate(rows, query), generator), micro):
        gradients = transfer.gradients("meta", part)
        torch._foreach_add_([found[weight] for weight in gradients], list(gradients.values()), alpha=share)
    return list(found.values())


def _adam(transfer: Transfer, weights: list[nn.Parameter], factor: float) -> torch.optim.Adam:
    """MAML's outer optimizer; other approaches' factors on the learning rate hold here too."""
    rates = {weight: transfer.budget.learning_rate * factor * transfer.rates.get(weight, 1.0) for weight in weights}
    groups = [{"params": [w for w in weights if rates[w] == rate], "lr": rate} for rate in sorted(set(rates.values()))]
    return torch.optim.Adam(groups)
