"""Which numbers are computed with where, as far as a machine without a GPU can tell."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from accelerate.state import AcceleratorState
from torch import Tensor, nn

from bench import device
from bench.budget import Budget
from bench.evaluation import Evaluation, Training
from tests.models import TRAINED, data_of, model_of, prepare, transfer_of


@pytest.fixture(autouse=True)
def _own_state() -> Iterator[None]:
    yield
    AcceleratorState._reset_state()


def gpu(monkeypatch: pytest.MonkeyPatch, bf16: bool) -> None:
    """A machine with a GPU that computes in bfloat16, or only imitates it."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation=True: bf16 or including_emulation)


@pytest.mark.parametrize(
    ("asked", "bf16", "given"),
    [
        ("auto", True, "bf16"),
        ("auto", False, "fp16"),
        ("fp32", True, "fp32"),
        ("bf16", True, "bf16"),
        ("fp16", True, "fp16"),
    ],
)
def test_precision_on_a_gpu(asked: Any, bf16: bool, given: str, monkeypatch: pytest.MonkeyPatch) -> None:
    gpu(monkeypatch, bf16)
    assert device.precision(Budget(steps=1, precision=asked)) == given


@pytest.mark.parametrize("asked", ["auto", "fp32", "bf16", "fp16"])
def test_a_cpu_computes_in_full_precision(asked: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.precision(Budget(steps=1, precision=asked)) == "fp32"


def test_the_precision_can_change_within_a_process(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, mixed in (("fp32", "no"), ("bf16", "bf16"), ("fp32", "no")):
        monkeypatch.setattr(device, "precision", lambda budget, name=name: name)
        assert device.accelerator(Budget(steps=1)).mixed_precision == mixed


@pytest.mark.parametrize("approach", ["full_finetuning", "lora", "distillation + augmentation"])
@pytest.mark.parametrize("family", TRAINED)
def test_training_under_autocast(family: str, approach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """bfloat16 inside, float32 in weights, gradients and losses; as good as full precision to its few digits."""

    def run(name: str) -> tuple[list[float], set[torch.dtype], set[torch.dtype]]:
        monkeypatch.setattr(device, "precision", lambda budget: name)
        transfer = prepare(transfer_of(model_of(family), data_of(family), steps=3), approach)
        inside: set[torch.dtype] = set()

        def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
            inside.add(output.dtype)

        for module in transfer.model.modules():
            if isinstance(module, nn.Linear | nn.Conv2d):
                module.register_forward_hook(note)
        transfer.fit(3)
        losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
        return losses, inside, {parameter.dtype for parameter in transfer.model.parameters()}

    exact, full, _ = run("fp32")
    rough, half, kept = run("bf16")
    assert full == {torch.float32}
    assert torch.bfloat16 in half
    assert kept == {torch.float32}
    assert all(math.isfinite(loss) for loss in rough)
    assert rough == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("family", TRAINED)
def test_sampling_under_autocast(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """In inference mode, bfloat16 inside; what comes out is as many whole items as in full precision."""
    model, data, inside = model_of(family), data_of(family), set[tuple[torch.dtype, bool]]()

    def note(module: nn.Module, inputs: Any, output: Tensor) -> None:
        inside.add((output.dtype, torch.is_inference_mode_enabled()))

    for module in model.modules():
        if isinstance(module, nn.Linear | nn.Conv2d | nn.Conv1d):
            module.register_forward_hook(note)
    monkeypatch.setattr(device, "precision", lambda budget: "bf16")
    made = Evaluation(model, data, lambda split: model.encode(getattr(data, split)), 5, 4, 0, Training())
    assert len(made.samples) == 5
    assert {inference for _, inference in inside} == {True}
    assert torch.bfloat16 in {dtype for dtype, _ in inside}
    floats = [value for value in made.sampled.values() if value.is_floating_point()]
    assert all(bool(value.isfinite().all()) for value in floats)
    assert all(value.dtype == torch.float32 for value in floats), "pixels and sounds keep all their digits"
