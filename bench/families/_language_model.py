"""What language models of every kind share: transformers' checkpoints, a tokenizer beside the network, its layers."""

import copy
from abc import abstractmethod
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from torch import Tensor, nn
from transformers import AutoConfig, GenerationConfig

from bench.checkpoints import weights
from bench.errors import CheckpointError, NotApplicable
from bench.families import _architecture, _tokenizer, _tokens, _weights
from bench.families._errors import one_line
from bench.model import Batch, Model


class LanguageModel(Model):
    """A network that transformers loads, and its tokenizer.

    Attributes:
        kind: what a checkpoint must be, in words.
        loader: the class of transformers that loads it.
        network, tokenizer: as transformers has them.
        options: what the family was given.
        padding: the token behind the end of a row.
    """

    kind: ClassVar[str]
    loader: ClassVar[Any]
    network: Any
    tokenizer: Any
    options: dict[str, Any]
    padding: int

    @property
    @abstractmethod
    def probe(self) -> int:
        """A token that the network can be tried with."""

    @abstractmethod
    def check(self, where: str) -> None:
        """Raise :class:`CheckpointError`, which begins with ``where``, if network and tokenizer will not do."""

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        common: dict[str, Any] = {"revision": revision, "trust_remote_code": trust_remote_code}
        where = f"checkpoint {checkpoint}"
        try:
            tokenizer = _tokenizer.load(checkpoint, **common)
            config = AutoConfig.from_pretrained(checkpoint, **common)
            _weights.fits(lambda: cls.loader.from_config(config, trust_remote_code=trust_remote_code))
            network, info = cls.loader.from_pretrained(checkpoint, dtype=torch.float32, **weights.SAID, **common)
            fault = _weights.fault(network, info)
            model = cls(network, tokenizer, **options)
        except Exception as error:
            remedy = f"name one that {cls.loader.__name__} loads, with its tokenizer"
            raise CheckpointError(f"{where}: not {cls.kind} ({one_line(error)}); {remedy}") from error
        if fault:
            raise CheckpointError(f"{where}: {fault}")
        model.check(where)
        return model

    def save(self, folder: Path) -> None:
        self.network.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)

    def export(self, folder: Path) -> None:
        """With what says where a text begins and ends, so that ``generate`` stops; here samples do without."""
        if self.network.can_generate():
            self.network.generation_config = GenerationConfig(**self.marks())
        self.save(folder)

    def marks(self) -> dict[str, int]:
        """The tokens that generation needs to know, as transformers calls them."""
        return {}

    def fresh(self) -> Self:
        return self._with(type(self.network)(copy.deepcopy(self.network.config)))

    def student(self) -> Self:
        """Every other layer, of each kind and on each side, and all that is not a layer (as in DistilBERT, Sanh et al.
        2019; Shleifer & Rush 2020, Pre-trained Summarization Distillation)."""
        network = copy.deepcopy(self.network)
        _architecture.halve(network, self.probe)
        return self._with(network)

    def _with(self, network: Any) -> Self:
        return type(self)(network, self.tokenizer, **self.options).to(self.device)

    def blocks(self) -> list[nn.Module]:
        return _architecture.blocks(self.network, self.probe)

    def generating_end(self) -> list[nn.Module]:
        head = self.network.get_output_embeddings()
        if head is None:
            raise NotApplicable(f"{type(self.network).__name__} has no output embeddings")
        return [head]

    @cached_property
    def vocabulary(self) -> str:
        """Hash of all that the tokenizer does."""
        return _tokenizer.fingerprint(self.tokenizer)

    def collate(self, rows: Batch, indices: Tensor) -> Batch:
        """As wide as the longest row."""
        batch = {key: value[indices] for key, value in rows.items()}
        batch["input_ids"] = batch["input_ids"][:, : int(batch["length"].max())].long()
        return {key: value.to(self.device, non_blocking=True) for key, value in batch.items()}

    def join(self, batches: list[Batch]) -> Batch:
        if any("targets" in batch for batch in batches):  # where no noise was put, what is read is the target
            batches = [{"targets": batch["input_ids"]} | batch for batch in batches]
        return super().join(_tokens.of_one_width(batches, self.padding))
