"""Contract: one model on its way to a new domain, and everything an approach may change of it.

An approach plugin is a function ``name(transfer, *, options) -> None``. It prepares, and is cheap: it is called again
whenever a trained model is put together from its checkpoint. What takes time or gradients happens in
:meth:`Transfer.run`: in :attr:`Transfer.stages`, before the target is learned, or in :attr:`Transfer.fit`. Its module
may state

- ``NEEDS``: what the model must offer (names from a family's ``OFFERS``; ``"source"``: the domain it knows);
- ``TRAINS = False``: it takes no gradient step, so it gets no tuning and no composition;
- ``USES_DATA = False``: its outcome does not depend on the target data, so it has one cell for all data sizes;
- ``CONTROL``: it is a control, so it is in every run; a number, its place among them (of our own approaches only);
- ``GENERATION``: as plugins of any kind may, a number that is raised when a change alters what comes out, so that cells
  with it that were finished before count as missing;
- ``REPLACES_MODEL = True``: another network takes the place of the pretrained one;
- ``KEEPS_PRETRAINED = True``: it holds the model to what it was pretrained as, so nothing may replace that;
- ``DECIDES``: of what there can be one opinion only, names from :data:`bench.suite.composition.DECISIONS`.

In a composition, parts are applied in the order they are written, and their stages, terms and transforms follow each
other in that order. What has no meaning for a model raises :class:`bench.errors.NotApplicable` with a reason a user
understands; an option's value that does not fit the model raises :class:`bench.errors.PluginError`.
"""

import copy
import math
import time
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.batches import in_chance_order, rows_of
from bench.budget import Budget, EvaluationSpec
from bench.dataset import Dataset, Items
from bench.model import Batch, Model
from bench.pauses import Pauses

Term = Callable[[Batch, Tensor], Tensor]
"""(batch, outputs) to a scalar that is added to the loss; of a batch in parts, ``batch["row"]`` says which they are."""

Transform = Callable[[Batch, torch.Generator], Batch]
"""A training batch, changed: augmentation. Never sees validation or test data."""

Sampler = Callable[[Batch, int, torch.Generator], Iterator[Tensor]]
"""(encoded rows, batch size, generator) to the row indices of one training batch after another, without end."""


class Kept(Protocol):
    """The best weights of a loop; the one there is, is :class:`bench.training.validation.Validation`."""

    best_loss: float

    def loss(self) -> float:
        """The validation loss of the weights as they are."""

    def holds(self) -> bool:
        """Whether the model has the best weights."""


class Loop(Protocol):
    """What takes a transfer's gradient steps; the one there is, is :mod:`bench.training.loop`."""

    def fit(self, transfer: "Transfer", steps: int, stage: str = "") -> None:
        """Take ``steps`` gradient steps and keep the weights that are best on validation; a ``stage`` has none."""

    def gradients(self, transfer: "Transfer", batch: Batch) -> dict[nn.Parameter, Tensor]:
        """The gradient of the model's own loss for each weight that trains."""

    def settle(self, transfer: "Transfer") -> tuple[float, bool]:
        """The validation loss of the weights that training ends with, and whether it had to be taken anew."""


@dataclass
class Transfer:
    """One trial of one cell.

    Attributes:
        model: starts as the pretrained model, on its device; an approach may replace it.
        data: the target domain; ``data.train`` is what this cell may learn from.
        source: the domain the model was pretrained on, where it is known.
        budget: steps, batch size, rates …, with the trial's values filled in.
        steps: gradient steps to take; every one counts, whoever takes it.
        seed: of initialisation, order and noise.
        encode, loop: items to encoded rows, shared between cells through the cache; what takes the steps.
        rates: parameter to a factor on the learning rate; 1 where it is not named.
        terms, transforms: added to the loss of every training batch; applied in order to every one.
        schedule: called with the progress in [0, 1) before each step; may freeze and thaw.
        sampler: says which rows make up each batch; by default every row once before any row again.
        shape: progress in (0, 1) to the share of the peak learning rate; by default the budget's warm-up and decay.
        pool: all training items of the target; an approach says by :meth:`look` what it sees beside its own.
        samples: how many the model is scored by; an approach that has fewer to give says so.
        stands_for: how many samples and test items all other cells have, as :class:`bench.evaluation.Evaluation` says.
        stages: what comes before the target is learned, in order. Each is told the steps that are left, and takes some
            with :meth:`practise` or :meth:`gradients`. One that returns True is called again (see :mod:`bench.pauses`).
        fit: takes that many gradient steps on the target. Wrap it for an outer loop; set-up is not repeated, and what
            the weights are when it is over is validated and scored.
        beside: networks that are no part of the model and run whenever it does, in inference too.
        adapters: what PEFT put into the network, in order: its tuners, and networks that it wrapped.
        began, deadline: of :func:`time.perf_counter`, when the first step began (0 before) and after which none does.
        taken, examples: gradient steps taken so far, wherever, and the rows that gradients were taken of.
        spent: stage to the gradient steps it took; the target's own have the empty name.
        looked: items of the pool looked at beside ``data.train``.
        curve: one row per step or validation: step, stage, train_loss, validation_loss, learning_rate, seconds.
        validation: of the loop that trained the target last; what it kept is what the weights should be.
        validation_loss: of the weights that :meth:`run` ended with; NaN where it had no steps to take.
        changed: whether these are others than the loop kept, so that they had to be validated once more.
        progress: called with the steps taken.
        pauses, reached: to go on after a kill; stages that are over.
    """

    model: Model
    data: Dataset
    budget: Budget
    seed: int
    encode: Callable[[Items], Batch]
    loop: Loop
    source: Dataset | None = None
    steps: int = 0
    rates: dict[nn.Parameter, float] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    transforms: list[Transform] = field(default_factory=list)
    schedule: list[Callable[[float], None]] = field(default_factory=list)
    sampler: Sampler = in_chance_order
    shape: Callable[[float], float] = field(init=False)
    pool: Items = field(default_factory=list)
    samples: int = EvaluationSpec().samples
    stands_for: tuple[int, int] | None = None
    stages: list[Callable[[int], object]] = field(default_factory=list)
    fit: Callable[[int], None] = field(init=False)
    beside: list[nn.Module] = field(default_factory=list)
    adapters: list[Any] = field(default_factory=list)
    began: float = 0.0
    deadline: float = math.inf
    taken: int = 0
    spent: dict[str, int] = field(default_factory=dict)
    examples: int = 0
    looked: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    validation: Kept | None = None
    validation_loss: float = math.nan
    changed: bool = False
    progress: Callable[[int], None] = lambda taken: None
    pauses: Pauses = field(default_factory=Pauses)
    reached: int = 0

    def __post_init__(self) -> None:
        self.fit = lambda steps: self.loop.fit(self, steps)
        self.shape = lambda progress: self.budget.rate(progress)
        if not len(self.pool):
            self.pool = self.data.train
        self._open = dict[str, int]()  # rows of each stage's gradients so far
        # by weak reference: a network that an approach replaced should not take memory until the end
        self._pretrained = {id(parameter): weakref.ref(parameter) for parameter in self.model.parameters()}
        self._places = [name for name, _ in self.model.named_parameters(remove_duplicate=False)]
        # what approaches put into the network is not in this one; its weights are the network's own, and take no memory
        shared = {id(weight): nn.Parameter(weight.detach(), False) for weight in self.model.parameters()}
        self._untouched: Model | None = copy.deepcopy(self.model, shared)
        self._original: Callable[[], Model | None] = lambda: None

    def run(self) -> None:
        """Spend the budget: each stage in order, then the target with all steps that are left.

        Weights that an outer loop changed after the last validation are validated as they are.
        """
        self._untouched = None
        self.pauses.at_rest(self)  # after which some stages may be over
        while self.reached < len(self.stages):
            in_time = time.perf_counter() < self.deadline
            self.reached += not in_time or self.stages[self.reached](self.steps - self.taken) is not True
            self.pauses.at_rest(self)
        if self.taken < self.steps:
            self.fit(self.steps - self.taken)
        if self.steps:
            self.validation_loss, self.changed = self.loop.settle(self)
        self.model.eval()

    def practise(self, stage: str, steps: int) -> None:
        """Take gradient steps that are not the target's own: a pre-stage, a teacher's, an inner loop's.

        They count against the budget under the stage's name. Nothing is validated; the last weights stay. Use
        :meth:`having` for other data, another model, without terms.
        """
        self.loop.fit(self, steps, stage)

    def gradients(self, stage: str, batch: Batch) -> dict[nn.Parameter, Tensor]:
        """The gradient of the model's own loss for each weight that trains; no weight changes.

        Its rows count against the budget: each ``budget.batch_size`` of them, or part thereof, are a step.
        """
        rows, size = rows_of(batch), self.budget.batch_size
        self._open[stage] = self._open.get(stage, 0) + rows
        self.count(stage, rows, -(-self._open[stage] // size) - -(-(self._open[stage] - rows) // size))
        return self.loop.gradients(self, batch)

    @contextmanager
    def having(self, **changes: Any) -> Iterator[None]:
        """For a while, other values of some attributes: ``with transfer.having(data=…, terms=[]): …``."""
        before = {name: getattr(self, name) for name in changes}
        try:
            for name, value in changes.items():
                setattr(self, name, value)
            yield
        finally:
            for name, value in before.items():
                setattr(self, name, value)

    def count(self, stage: str, rows: int, steps: int = 1) -> None:
        """Note gradient steps of a stage, and how many rows they were taken of."""
        self.examples += rows
        self.spent[stage] = self.spent.get(stage, 0) + steps
        self.taken += steps

    def note(self, stage: str = "", **values: float) -> None:
        """Add a row to the curve: how a step or a validation went."""
        row = {"step": self.taken, "stage": stage, **values}
        self.curve.append(row | {"seconds": time.perf_counter() - self.began})

    def look(self, items: int) -> None:
        """Note that so many items of the pool, beside ``data.train``, were looked at."""
        self.looked += items

    def is_pretrained(self, parameter: Tensor) -> bool:
        """Whether a parameter came with the pretrained model, rather than from an approach."""
        reference = self._pretrained.get(id(parameter))
        return reference is not None and reference() is parameter

    def replaced(self) -> list[str]:
        """Names of the pretrained weights that are no longer in their places; what was put beside them is no matter."""

        def found(name: str) -> Any:
            with suppress(AttributeError):
                return attrgetter(name)(self.model)
            return None

        return [name for name in self._places if not self.is_pretrained(found(name))]

    def added(self) -> list[str]:
        """Names of the model's weights that the pretrained model had none of."""
        return [name for name, _ in self.model.named_parameters() if name not in self._places]

    def original(self) -> Model:
        """The pretrained model as it was before any approach: a frozen copy in evaluation mode. Ask for it in set-up.

        All that hold it hold the same one. It is no part of the model, so it is neither trained nor stored.
        """
        if (found := self._original()) is None:
            assert self._untouched is not None, "when training begins the pretrained weights move on"
            found = copy.deepcopy(self._untouched).eval()
            self._original = weakref.ref(found)
        return found

    def trainable(self) -> list[nn.Parameter]:
        """The model's parameters that gradients reach now."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def stored(self) -> dict[str, Tensor]:
        """What must be kept, beside the pretrained model, to have this model again: name to tensor.

        Parameters that train or did not come with the pretrained model, and all buffers that a state dict has.
        Taken after set-up and before training, its names stay valid whatever is frozen or thawed later.
        """
        # parameters themselves, whose ``.data`` would be the old one as soon as somebody gave them another
        known: dict[str, Tensor] = dict(self.model.named_parameters())
        kept = {n: p for n, p in known.items() if p.requires_grad or not self.is_pretrained(p)}
        state = self.model.state_dict(keep_vars=True)
        return kept | {name: buffer for name, buffer in self.model.named_buffers() if name in state}

    def of_now(self, stored: dict[str, Tensor]) -> dict[str, Tensor]:
        """The names of an earlier :meth:`stored` with the tensors that stand in their places now."""
        now = dict(self.model.named_parameters(remove_duplicate=False)) | dict(self.model.named_buffers())
        return {name: now.get(name, tensor) for name, tensor in stored.items()}


def freeze(modules: Iterable[nn.Module]) -> None:
    """No gradient for any parameter of ``modules``."""
    for module in modules:
        module.requires_grad_(False)


def save(stored: dict[str, Tensor], path: Path) -> None:
    """Write :meth:`Transfer.stored` as safetensors."""
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in stored.items()}, path)


@torch.no_grad()
def restore(stored: dict[str, Tensor], values: dict[str, Tensor]) -> None:
    """Put saved values back into a transfer that was set up in the same way."""
    for name, tensor in stored.items():
        tensor.copy_(values[name])


def load(stored: dict[str, Tensor], path: Path) -> None:
    """:func:`restore` from a file written by :func:`save`."""
    restore(stored, load_file(path))
