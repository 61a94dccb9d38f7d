"""Contract: a pretrained generative network.

A family plugin is a class that fills this contract; its module states ``MODALITY`` and ``OFFERS`` (what metrics and
approaches may ask for by name: ``"text"``, ``"image"``, ``"likelihood"``, ``"samples"``, ``"network"`` …). Options of
a family are the keyword-only parameters of its ``__init__``.

A batch is a ``dict`` of tensors whose first axis counts rows; every tensor of it lies on the model's device.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Self

import torch
from torch import Tensor, nn

from bench.dataset import Columns, Dataset, Items
from bench.errors import NotApplicable

Batch = dict[str, Tensor]


class Reader(NamedTuple):
    """What of another library loads a model that was written by :meth:`Model.export`, by its ``from_pretrained``.

    Attributes:
        name: of the class, such as ``transformers.AutoModelForCausalLM``.
        part: the folder in the exported one that it is given; empty for that one itself.
        tokenizer: whether a tokenizer of transformers lies beside it.
    """

    name: str
    part: str = ""
    tokenizer: bool = False


class Model(nn.Module, ABC):
    """A generative network with all that training, transferring and sampling need to know of it."""

    modality: ClassVar[str]
    offers: ClassVar[frozenset[str]]
    network: nn.Module
    generated: ClassVar[str] = ""  # where items have columns, the one that is made; the others are the condition
    read_by: Reader | None = None  # what loads it without this package, where something does
    averaging: float = 0.0  # decay per step of the moving average of weights that validation and results are taken of
    betas: tuple[float, float] = (0.9, 0.999)  # decay of AdamW's means of gradients and of their squares
    limit: int = 2**31  # positions the network has for a row, where it reads one position after another

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

    def export(self, folder: Path) -> None:
        """Write what :attr:`read_by` loads, and :meth:`from_checkpoint` too."""
        self.save(folder)

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

    def critic(self) -> list[nn.Module]:
        """Where the family offers ``critic``: the parts of the player that tells real from generated, in order from
        its input to its verdict; together they hold every weight of it."""
        raise NotApplicable(f"{type(self).__name__} has no critic")

    def latent(self) -> int:
        """Where the family offers ``latent``: the width of what the network turns into data in one pass. The network
        is called with latents of shape (rows, width) as its first argument."""
        raise NotApplicable(f"{type(self).__name__} has no latent")

    # Data in its own form -----------------------------------------------------------------------------------------

    @abstractmethod
    def encoding(self) -> dict[str, Any]:
        """JSON-able content that determines :meth:`encode`; encoded data is shared between cells by it."""

    @abstractmethod
    def encode(self, items: Items) -> Batch:
        """All items as rows on the CPU; ``item`` (int64, shape (rows,)) says which item a row belongs to.

        An item with an array becomes one row, and looks the same whatever other items are there.
        """

    def misfit(self, data: Dataset) -> str:
        """Why the model cannot read a domain, with the remedy, for the message that refuses it; empty where it can."""
        return ""

    @abstractmethod
    def decode(self, batch: Batch) -> Items:
        """Rows as plain items, conditions among them: the inverse of :meth:`encode` as far as there is one."""

    def restored(self, items: Items) -> list[str | None]:
        """Where the family offers a likelihood of texts: what its tokenizer gives back of each, whole and without the
        conditions; None where that is not known."""
        made = self.decode(self.encode(items))
        return list(made[self.generated] if isinstance(made, Columns) else made)

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """The encoded rows at ``indices`` as a batch on the model's device; padding nobody needs is dropped here."""
        return {key: value[indices].to(self.device, non_blocking=True) for key, value in rows.items()}

    def join(self, batches: list[Batch]) -> Batch:
        """Batches as one, on their device; each row is an ``item`` of its own then.

        Rows need not be alike: families whose rows differ in length pad here. What only some of the batches hold is
        left out, unless the family knows what the others would have there.
        """
        shared = [key for key in batches[0] if all(key in batch for batch in batches)]
        joined = {key: torch.cat([batch[key] for batch in batches]) for key in shared}
        return joined | {"item": torch.arange(len(joined[shared[0]]), device=joined[shared[0]].device)}

    def lengths(self, items: Items) -> list[int]:
        """Where the family offers ``context``: how many positions each item takes there."""
        raise NotApplicable(f"{type(self).__name__} has no context")

    def show(self, items: Items, most: int) -> None:
        """Where the family offers ``context``: put these items, one after another, before every row from now on, in
        learning, scoring and sampling; no more than their first ``most`` positions. Room for them is reserved."""
        raise NotApplicable(f"{type(self).__name__} has no context")

    def reserve(self, positions: int) -> None:
        """Where the family offers ``context`` or ``soft_prompts``: leave that many positions free before each row.

        Where positions are limited, rows are shorter from now on, and there are more of them.
        """
        raise NotApplicable(f"{type(self).__name__} has no positions to put anything in")

    def tokens(self, text: str) -> list[int]:
        """Where the family offers ``caption``: a piece of a caption in the tokens its network reads."""
        raise NotApplicable(f"{type(self).__name__} reads no captions")

    def begin_captions(self, tokens: list[int]) -> None:
        """Where the family offers ``caption``: put these tokens before every caption from now on, in learning, scoring
        and sampling; :meth:`decode` leaves them out again. The network has ``get_input_embeddings`` and
        ``set_input_embeddings`` there: the module that turns tokens into vectors."""
        raise NotApplicable(f"{type(self).__name__} reads no captions")

    def coarser(self, batch: Batch, share: float) -> Batch:
        """A training batch with less in it, of the kind :meth:`forward` takes: texts cut to about that share of their
        positions, images made smaller to about that share of their side."""
        raise NotApplicable(f"{type(self).__name__} learns from whole examples only")

    def corrupted(self, batch: Batch, share: float | None, generator: torch.Generator) -> Batch:
        """A training batch with a part of its input spoilt or hidden, while the loss asks for what was there.

        Args:
            batch: did not go through :meth:`draw` yet.
            share: of the tokens of a text, the patches of an image; None for what the field usually takes.
            generator: of what is spoilt, and how.
        """
        raise NotApplicable(f"{type(self).__name__} cannot restore what was spoilt")

    # Learning and generating --------------------------------------------------------------------------------------

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        """Add everything random that the loss needs (noise, timesteps), so that a teacher can see the same."""
        return batch

    @abstractmethod
    def forward(self, batch: Batch) -> Tensor:
        """The network's outputs for a batch that went through :meth:`draw`; their first axis counts rows, too."""

    @abstractmethod
    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        """Mean loss over the batch's :meth:`units`, a scalar; ``player`` says whose, where there are several.

        Without a player it is what validation goes by: where two play against each other, how far what is generated is
        from the data, whatever the critic says.
        """

    @abstractmethod
    def units(self, batch: Batch) -> int:
        """How many things the loss averages over: predicted tokens, images. Micro-batches are weighted by it."""

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """Where the family offers ``likelihood``: per row, the summed negative log-likelihood in nats (float64) and
        the number of predictions (int64), both of shape (rows,). Over all rows of an item everything in it is
        predicted exactly once.

        Where it offers ``likelihood_bound``, the negative of the bound and the number of dimensions; where it offers
        ``pseudo_likelihood``, the sum of each token's, given all others.
        """
        raise NotApplicable(f"{type(self).__name__} has no likelihood")

    def reconstruct(self, batch: Batch) -> Batch:
        """Where the family offers ``reconstruction``: the batch's rows, encoded and decoded again by the network."""
        raise NotApplicable(f"{type(self).__name__} does not reconstruct what it is given")

    def realness(self, batch: Batch, outputs: Tensor | None = None) -> Tensor:
        """Where the family offers ``critic``: what it says of the batch's own rows or, where they are given, of the
        ``outputs`` generated for it: logits of shape (rows,) or (rows, places), above zero where it takes them for
        real.

        The family's loss hears the critic through this method alone, so an approach can stand between them.
        """
        raise NotApplicable(f"{type(self).__name__} has no critic")

    @abstractmethod
    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        """How far ``outputs`` are from another model's for the same batch, a scalar: KL(reference ‖ outputs) for
        language models, mean squared error otherwise."""

    @abstractmethod
    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        """New data in the batch's own form, as many rows; the batch supplies conditions where there are any, and they
        are in the new rows again."""

    def sample_in_full(self, batch: Batch, generator: torch.Generator) -> Batch:
        """As :meth:`sample`, at full length: what is timed, so that a model is not fast because it says little."""
        return self.sample(batch, generator)

    # Placement ----------------------------------------------------------------------------------------------------

    @property
    def device(self) -> torch.device:
        """Where the network lies."""
        return next(self.network.parameters()).device


@contextmanager
def resting(weights: Iterable[Tensor]) -> Iterator[None]:
    """Meanwhile gradients go through what is computed with these weights, not into the weights."""
    awake = [weight for weight in weights if weight.requires_grad]
    for weight in awake:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in awake:
            weight.requires_grad_(True)
