"""Two models small enough to know every score of: bytes drawn from one distribution, and pictures of noise."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score, Training
from bench.model import Batch, Model


class Double(Model):
    """What metrics never ask for."""

    @classmethod
    def from_checkpoint(cls, checkpoint: str, *, revision: str | None, trust_remote_code: bool, **options: Any) -> Self:
        raise NotImplementedError

    @classmethod
    def from_architecture(cls, architecture: Mapping[str, Any], source: Dataset, **options: Any) -> Self:
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        raise NotImplementedError

    def fresh(self) -> Self:
        raise NotImplementedError

    def student(self) -> Self:
        raise NotImplementedError

    def blocks(self) -> list[nn.Module]:
        return [self.network]

    def generating_end(self) -> list[nn.Module]:
        return [self.network]

    def encoding(self) -> dict[str, Any]:
        return {}

    def divergence(self, batch: Batch, outputs: Tensor, reference: Tensor, temperature: float = 1.0) -> Tensor:
        return F.mse_loss(outputs, reference)


class UnigramBytes(Double):
    """Each byte of a text is drawn on its own from softmax(network); a row holds up to ``context`` bytes."""

    modality, offers = "text", frozenset({"text", "network", "samples", "likelihood"})

    def __init__(self, logits: Tensor, context: int = 8) -> None:
        super().__init__()
        self.network: nn.Module = nn.Embedding(1, 256)
        self.network.weight = nn.Parameter(logits[None].clone())
        self.context = context

    def encode(self, items: Items) -> Batch:
        rows = []
        for item, text in enumerate(items):
            coded = list(text.encode())
            rows += [
                (item, coded[start : start + self.context]) for start in range(0, max(len(coded), 1), self.context)
            ]
        ids = torch.zeros(len(rows), self.context, dtype=torch.int64)
        for row, (_, coded) in enumerate(rows):
            ids[row, : len(coded)] = torch.tensor(coded, dtype=torch.int64)
        return {
            "ids": ids,
            "length": torch.tensor([len(coded) for _, coded in rows]),
            "item": torch.tensor([item for item, _ in rows]),
        }

    def decode(self, batch: Batch) -> Items:
        texts: dict[int, bytes] = {}
        for row, length, item in zip(*(batch[key].tolist() for key in ("ids", "length", "item")), strict=True):
            texts[item] = texts.get(item, b"") + bytes(row[:length])
        return [text.decode() for text in texts.values()]

    def forward(self, batch: Batch) -> Tensor:
        weights = self.network(torch.zeros_like(batch["ids"]))
        return F.log_softmax(weights, -1).gather(-1, batch["ids"][..., None])[..., 0]

    def _each(self, batch: Batch, outputs: Tensor) -> Tensor:
        kept = torch.arange(self.context) < batch["length"][:, None]
        return -(outputs * kept).sum(1)

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        return self._each(batch, outputs).sum() / self.units(batch)

    def units(self, batch: Batch) -> int:
        return int(batch["length"].sum())

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return self._each(batch, self(batch)).double(), batch["length"]

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        n = len(batch["ids"])
        ids = torch.randint(97, 123, (n, self.context), generator=generator)
        ids[:, ::4] = 32
        return {"ids": ids, "length": torch.full((n,), self.context), "item": torch.arange(n)}


class NoisyPictures(Double):
    """Predicts the noise as ``scale`` times the noise, so its loss is (1 − scale)² times the noise's mean square."""

    modality, offers = "image", frozenset({"image", "network", "samples"})

    def __init__(self, scale: float = 0.0) -> None:
        super().__init__()
        self.network: nn.Module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, scale)

    def encode(self, items: Items) -> Batch:
        return {"images": torch.from_numpy(np.asarray(items)), "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> Items:
        return batch["images"].numpy()

    def draw(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch | {"noise": torch.randn(batch["images"].shape, generator=generator)}

    def forward(self, batch: Batch) -> Tensor:
        predicted: Tensor = self.network(batch["noise"])
        return predicted

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        return F.mse_loss(outputs, batch["noise"])

    def units(self, batch: Batch) -> int:
        return len(batch["images"])

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        shape = batch["images"].shape
        return {"images": torch.randint(256, shape, generator=generator).to(torch.uint8), "item": batch["item"]}


def measured(metric: Callable[..., list[Score]], *given: Any, **options: Any) -> tuple[dict[str, Score], str]:
    """The scores that have a meaning, by name, and why others have none."""
    reason = ""
    try:
        scores = metric(*given, **options)
    except NotApplicable as end:
        scores, reason = end.scores, str(end)
    return {score.metric: score for score in scores}, reason


def evaluation(model: Model, data: Dataset, samples: int = 16, batch_size: int = 5) -> Evaluation:
    """An evaluation whose splits are encoded when asked for."""
    return Evaluation(
        model.eval(), data, lambda split: model.encode(getattr(data, split)), samples, batch_size, 3, Training()
    )


def texts(test: list[str]) -> Dataset:
    return Dataset("texts", "text", ["a"], ["b"], test)


def pictures(count: int, side: int = 8, seed: int = 0) -> Dataset:
    """Splits of random greyscale pictures, ``count`` of them to test with."""
    random = np.random.default_rng(seed)
    train, test = (random.integers(0, 256, (n, side, side, 1), dtype=np.uint8) for n in (2, count))
    return Dataset("pictures", "image", train, train[:1], test)
