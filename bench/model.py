"""Contract: a pretrained generative network.

A family plugin is a class that fills this contract; its module states ``MODALITY`` and ``OFFERS`` (what metrics and
approaches may ask for by name: ``"text"``, ``"image"``, ``"likelihood"``, ``"samples"``, ``"network"`` …). Options of
a family are the keyword-only parameters of its ``__init__``.

A batch is a ``dict`` of tensors whose first axis counts rows; every tensor of it lies on the model's device.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import NotApplicable

Batch = dict[str, Tensor]


class Model(nn.Module, ABC):
    """A generative network with all that training, transferring and sampling need to know of it."""

    modality: ClassVar[str]
    offers: ClassVar[frozenset[str]]
    network: nn.Module

    # Where it comes from ------------------------------------------------------------------------------------------

    @classmethod
    @abstractmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        """Load a hub id or a local folder; safetensors only. Raises :class:`bench.errors.CheckpointError`."""

    @classmethod
    @abstractmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        """An untrained model of that architecture; a tokenizer, where it has one, is learned from ``source.train``."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write what :meth:`from_checkpoint` reads."""

    @abstractmethod
    def fresh(self) -> Self:
        """The same architecture with newly initialised weights, built from the configuration."""

    @abstractmethod
    def student(self) -> Self:
        """A smaller model of the same kind, started from this one's weights where shapes allow."""

    # Its parts ----------------------------------------------------------------------------------------------------

    @abstractmethod
    def blocks(self) -> list[nn.Module]:
        """The network's parts in order from input to output; together they hold every weight."""

    @abstractmethod
    def generating_end(self) -> list[nn.Module]:
        """The parts that turn learned features into data: a language model's head, a U-Net's way up."""

    def players(self) -> list[nn.Module]:
        """What each optimizer trains: one network, or two that play against each other."""
        return [self.network]

    # Data in its own form -----------------------------------------------------------------------------------------

    @abstractmethod
    def encoding(self) -> dict[str, Any]:
        """JSON-able content that determines :meth:`encode`; encoded data is shared between cells by it."""

    @abstractmethod
    def encode(self, items: Items) -> Batch:
        """All items as rows on the CPU; ``item`` (int64, shape (rows,)) says which item a row belongs to."""

    @abstractmethod
    def decode(self, batch: Batch) -> Items:
        """Rows as plain items: the inverse of :meth:`encode` as far as there is one."""

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """The encoded rows at ``indices`` as a batch on the model's device; padding nobody needs is dropped here."""
        return {key: value[indices].to(self.device, non_blocking=True) for key, value in rows.items()}

    def join(self, batches: list[Batch]) -> Batch:
        """Batches as one; families whose rows differ in length pad here."""
        return {key: torch.cat([batch[key] for batch in batches]) for key in batches[0]}

    # Learning and generating --------------------------------------------------------------------------------------

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Add everything random that the loss needs (noise, timesteps), so that a teacher can see the same."""
        return batch

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The network's outputs for a batch that went through :meth:`draw`."""

    @abstractmethod
    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean loss over the batch's :meth:`units`, a scalar; ``player`` says whose, where there are several."""

    @abstractmethod
    def units(self, batch: Batch) -> int:
        """How many things the loss averages over: predicted tokens, images. Micro-batches are weighted by it."""

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where the family offers ``likelihood``: per row, the summed negative log-likelihood in nats (float64) and
        the number of predictions (int64), both of shape (rows,). Over all rows of an item everything in it is
        predicted exactly once."""
        raise NotApplicable(f"{type(self).__name__} has no likelihood")

    @abstractmethod
    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        """How far ``outputs`` are from another model's for the same batch, a scalar: KL(reference ‖ outputs) for
        language models, mean squared error otherwise."""

    @abstractmethod
    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        """New data in the batch's own form, as many rows; the batch supplies conditions where there are any."""

    def sample_in_full(self, batch: Batch, generator: torch.Generator) -> Batch:
        """As :meth:`sample`, at full length: what is timed, so that a model is not fast because it says little."""
        return self.sample(batch, generator)

    # Placement ----------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.network.parameters()).device
