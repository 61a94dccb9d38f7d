"""A model whose gradients are known by heart, and an eye on what the training loop does to its weights."""

import pytest
import torch
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.model import Batch
from bench.transfer import Transfer
from tests.metrics.doubles import Double
from tests.models import transfer_of

ITEMS = Dataset("numbers", "text", [str(n) for n in range(8)], ["8", "9", "10"], ["11"])


class Line(Double):
    """Predicts each number as ``weight`` times it; the loss is the mean squared error against twice the number."""

    modality, offers = "text", frozenset({"network"})

    def __init__(self, weight: float = 0.0) -> None:
        super().__init__()
        self.network: nn.Module = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.network.weight, weight)

    def encode(self, items: Items) -> Batch:
        numbers = torch.tensor([float(item) for item in items])
        return {"x": numbers[:, None], "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> Items:
        return [str(int(number)) for number in batch["x"][:, 0]]

    def forward(self, batch: Batch) -> Tensor:
        predicted: Tensor = self.network(batch["x"])
        return predicted

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        return (outputs - 2 * batch["x"]).square().mean()

    def units(self, batch: Batch) -> int:
        return len(batch["x"])

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch


def line(weight: float = 0.0, **budget: object) -> Transfer:
    """A transfer of a line; all eight numbers in each batch, no decay, no warm-up, no clipping."""
    plain = {"batch_size": 8, "warmup": 0.0, "decay": "constant", "clip": None, "learning_rate": 0.1}
    return transfer_of(Line(weight), ITEMS, **plain | budget)  # type: ignore[arg-type]


class Steps:
    """What every optimizer step was given: gradients by parameter, and its groups' learning rates."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.gradients: list[dict[nn.Parameter, Tensor]] = []
        self.rates: list[list[float]] = []
        step = torch.optim.AdamW.step

        def note(optimizer: torch.optim.AdamW, closure: None = None) -> None:
            held = [parameter for group in optimizer.param_groups for parameter in group["params"]]
            self.gradients.append({p: p.grad.clone() for p in held if p.grad is not None})
            self.rates.append([group["lr"] for group in optimizer.param_groups])
            step(optimizer, closure)

        monkeypatch.setattr(torch.optim.AdamW, "step", note)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Steps:
    return Steps(monkeypatch)
