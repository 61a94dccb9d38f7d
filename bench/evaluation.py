"""Contract: what a metric is given, and what it returns.

A metric plugin is a function ``name(evaluation, *, options) -> list[Score]``. Where it has no meaning it raises
:class:`bench.errors.NotApplicable`, with the scores that do have one. Its module may state

- ``NEEDS``: what the model must offer, a tuple of names from a family's ``OFFERS`` (``"likelihood"``, ``"image"`` …);
- ``EXCLUSIVE = True``: measured in a fresh process while nothing else runs on the machine (latency, memory).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import torch

from bench.budget import Budget
from bench.dataset import Columns, Dataset, Items, take
from bench.device import sampling
from bench.model import Batch, Model

Better = Literal["lower", "higher", "none"]


@dataclass(frozen=True)
class Score:
    """One number.

    Attributes:
        metric: its name; the space it was measured in stands in brackets, as in ``kid[digit_classifier]``.
        value: the number.
        unit: ``"bits/byte"``, ``"ms"``, ``"bytes"`` …; empty for a pure number.
        better: which direction is better.
        n: how many samples, texts or repetitions it rests on.
        error: its standard error over those n, where one is defined.
        items: what each test item adds to it: float, shape (N,), for the first N items of ``data.test`` in order, NaN
            for one that has no part in it; None where test items have none. Their mean is the ``value``, so that the
            same item of two approaches makes a pair. Of a mean they are the items' own scores. Of f(Σa / Σb), such as
            perplexity, they are linearised (delta method), value + f'(R) (a_i - R b_i) / mean(b) with R = Σa / Σb: the
            standard error of their mean is that of the score. See ``metrics/_items.py``.
    """

    metric: str
    value: float
    unit: str
    better: Better
    n: int
    error: float | None = None
    items: np.ndarray | None = field(default=None, compare=False, repr=False)


@dataclass
class Training:
    """What training took: filled by the training loop, read by ``metrics/cost.py``.

    Attributes:
        steps: gradient steps of the chosen trial, wherever they were taken.
        stages: what came before the target or around it (``teacher``, ``synthetic`` …) to its gradient steps; the
            target's own have the empty name.
        examples: rows that gradients were taken of.
        looked: items of the target looked at beside those the cell may learn from.
        seconds: wall time of the chosen trial, validation included.
        tuning_seconds: wall time of all trials together.
        trials: number of points of the tuning grid that were trained.
        peak_memory: name of a measure to bytes: ``"training_peak_rss"``, ``"training_peak_allocated"`` … of the chosen
            trial, and ``"tuning_peak_rss"`` … the largest of all trials.
        trainable, stored, total: number of parameters that train, that the result adds to the pretrained model, and
            of all that runs in inference.
        checkpoint_bytes: size of the stored file.
        step_seconds: median wall time of a gradient step.
        step_flops: floating-point operations of a gradient step, forward and backward, a teacher's included.
        mfu: share of the accelerator's peak arithmetic that the steps used; None where the peak is not known.
    """

    steps: int = 0
    stages: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    looked: int = 0
    seconds: float = 0.0
    tuning_seconds: float = 0.0
    trials: int = 0
    peak_memory: dict[str, int] = field(default_factory=dict)
    trainable: int = 0
    stored: int = 0
    total: int = 0
    checkpoint_bytes: int = 0
    step_seconds: float = 0.0
    step_flops: int = 0
    mfu: float | None = None


@dataclass
class Evaluation:
    """A trained model, the domain it was trained for, and what metrics share.

    Attributes:
        model: the trained model, in evaluation mode, on its device.
        data: the target domain; ``data.train`` is the subset the cell learned from. Scores are taken on ``data.test``.
        encode: split name to encoded rows (``dict`` of tensors, first axis the rows), cached between cells.
        samples_wanted: how many samples to draw.
        stands_for: where the floor is found on fewer samples and test items (:mod:`bench.approaches.real_data`), their
            numbers in all other cells. A metric whose mean between two sets of one law depends on both numbers takes
            that to these, by :attr:`shrinkage` where it can.
        batch_size: rows at a time, in scoring and in sampling.
        seed: of every random number drawn in the evaluation; equal for all approaches, so they see the same noise.
        training: what training took.
        budget: of the training; samples are drawn in its precision.
        baseline_memory: the process's resident set before any model was loaded, in bytes.
    """

    model: Model
    data: Dataset
    encode: Callable[[str], Batch]
    samples_wanted: int
    batch_size: int
    seed: int
    training: Training
    budget: Budget = field(default_factory=lambda: Budget(steps=0))
    baseline_memory: int = 0
    stands_for: tuple[int, int] | None = None

    @property
    def shrinkage(self) -> float:
        """1/n + 1/m of the cells that this stands for, over that of its own: 1 for every model.

        The mean of a distance that falls as 1/n + 1/m between two sets of one law is to be multiplied with it, and of
        one that falls as the root of that with its root.
        """
        n, m = self.stands_for or (1, 1)
        own = 1 / self.samples_wanted + 1 / len(self.data.test)
        return (1 / n + 1 / m) / own if self.stands_for else 1.0

    def generator(self) -> torch.Generator:
        """A fresh CPU generator, always in the same state."""
        return torch.Generator().manual_seed(self.seed)

    @cached_property
    def sampled(self) -> Batch:
        """``samples_wanted`` rows drawn from the model once, on the CPU; conditions come from the test split's rows."""
        rows, generator, drawn = self.encode("test"), self.generator(), []
        total = len(next(iter(rows.values())))
        for start in range(0, self.samples_wanted, self.batch_size):
            size = min(self.batch_size, self.samples_wanted - start)
            indices = torch.arange(start, start + size) % total
            with sampling(self.budget):
                batch = self.model.sample(self.model.collate(rows, indices), generator)
            drawn.append({key: value.cpu() for key, value in batch.items()})
        return self.model.join(drawn)

    @cached_property
    def _sampled_items(self) -> Items:
        return self.model.decode(self.sampled)

    @cached_property
    def samples(self) -> Any:
        """What was generated, in the form a dataset has it (texts, or a uint8 array N × H × W × C …)."""
        return self._generated(self._sampled_items)

    @cached_property
    def conditions(self) -> Columns | None:
        """Where the family is conditional: what each of the ``samples`` was asked for; texts in full, as the test split
        has them."""
        made, asked = self._sampled_items, self.data.test
        if not isinstance(made, Columns) or not isinstance(asked, Columns) or "condition" not in self.model.offers:
            return None
        which = np.arange(len(made)) % len(asked)
        given = {name: asked[name] for name in made.names if name != self.model.generated}
        return Columns(
            {n: [held[i] for i in which] if isinstance(held, list) else made[n] for n, held in given.items()}
        )

    @cached_property
    def references(self) -> Any:
        """The test split: texts as they are, anything else in the form and at the resolution of ``samples``."""
        given = self._generated(self.data.test)
        if isinstance(given, list):
            return given
        return self._generated(self.model.decode(self.encode("test")))

    @cached_property
    def wanted(self) -> Any:
        """Where the family is conditional: what the test split has for the condition of each of the ``samples``."""
        return take(self.references, np.arange(len(self.samples)) % len(self.references))

    def _generated(self, items: Items) -> Any:
        return items[self.model.generated] if isinstance(items, Columns) else items
