"""Contract: one model on its way to a new domain, and everything an approach may change of it.

An approach plugin is a function ``name(transfer, *, options) -> None``. It prepares; every gradient step happens in
:attr:`Transfer.fit`. Its module may state

- ``NEEDS``: what the model must offer (names from a family's ``OFFERS``);
- ``TRAINS = False``: it takes no gradient step, so it gets no tuning and no composition;
- ``USES_DATA = False``: its outcome does not depend on the target data, so it has one cell for all data sizes;
- ``REPLACES_MODEL = True``: another network takes the place of the pretrained one.

What has no meaning for a model raises :class:`bench.errors.NotApplicable` with a reason a user understands.
"""

import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from bench.cell import Budget
from bench.dataset import Dataset, Items
from bench.model import Batch, Model

Term = Callable[[Batch, Tensor], Tensor]
"""(batch, outputs) to a scalar that is added to the loss."""

Transform = Callable[[Batch, torch.Generator], Batch]
"""A training batch, changed: augmentation. Never sees validation or test data."""


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
        encode: items to encoded rows, shared between cells through the cache.
        rates: parameter to a factor on the learning rate; 1 where it is not named.
        terms: added to the loss of every training batch.
        transforms: applied in order to every training batch.
        schedule: called with the progress in [0, 1) before each step; may freeze and thaw.
        fit: takes that many gradient steps. Wrap it for an outer loop; set-up is not repeated.
        taken: gradient steps taken so far.
        curve: one row per step or validation: step, train_loss, validation_loss, learning_rate, seconds.
        progress: called with the steps taken so far.
    """

    model: Model
    data: Dataset
    budget: Budget
    seed: int
    encode: Callable[[Items], Batch]
    source: Dataset | None = None
    steps: int = 0
    rates: dict[nn.Parameter, float] = field(default_factory=dict)
    terms: list[Term] = field(default_factory=list)
    transforms: list[Transform] = field(default_factory=list)
    schedule: list[Callable[[float], None]] = field(default_factory=list)
    fit: Callable[[int], None] = field(init=False)
    taken: int = 0
    curve: list[dict[str, Any]] = field(default_factory=list)
    progress: Callable[[int], None] = lambda taken: None

    def __post_init__(self) -> None:
        from bench.training import fit

        self.fit = lambda steps: fit(self, steps)
        # by weak reference: a network that an approach replaced should not take memory until the end
        self._pretrained = {id(parameter): weakref.ref(parameter) for parameter in self.model.parameters()}

    def is_pretrained(self, parameter: nn.Parameter) -> bool:
        """Whether a parameter came with the pretrained model, rather than from an approach."""
        reference = self._pretrained.get(id(parameter))
        return reference is not None and reference() is parameter

    def trainable(self) -> list[nn.Parameter]:
        """The model's parameters that gradients reach now."""
        return [parameter for parameter in self.model.parameters() if parameter.requires_grad]

    def stored(self) -> dict[str, Tensor]:
        """What must be kept, beside the pretrained model, to have this model again: name to tensor.

        Parameters that train or did not come with the pretrained model, and all buffers that a state dict has.
        Taken after set-up and before training, its names stay valid whatever is frozen or thawed later.
        """
        kept = {n: p.data for n, p in self.model.named_parameters() if p.requires_grad or not self.is_pretrained(p)}
        state = self.model.state_dict(keep_vars=True)
        return kept | {name: buffer for name, buffer in self.model.named_buffers() if name in state}


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
