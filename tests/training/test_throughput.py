"""Speed of training: what is between two steps, and what share of the peak it is."""

import pytest
import torch

from bench.batches import rows_of
from bench.model import Batch
from bench.training.throughput import mfu, peak_flops, step_flops, step_seconds
from tests.models import data_of, model_of, transfer_of


def test_validation_does_not_count_as_a_step() -> None:
    rows = [(0.0, "v"), (0.5, "s"), (0.7, "s"), (0.9, "s"), (5.0, "v"), (5.2, "s"), (5.4, "s")]
    names = {"v": "validation_loss", "s": "learning_rate"}
    assert step_seconds([{"seconds": at, names[kind]: 1.0} for at, kind in rows]) == pytest.approx(0.2)
    assert step_seconds([]) == 0


@pytest.mark.parametrize(
    ("name", "teraflops"), [("NVIDIA H200", 989), ("NVIDIA H100 PCIe", 756), ("NVIDIA L40S", 362), ("NVIDIA L4", 121)]
)
def test_peaks_are_found_by_the_accelerators_name(name: str, teraflops: float) -> None:
    assert peak_flops(name) == teraflops * 1e12


@pytest.mark.parametrize("name", [None, "", "some processor"])
def test_an_unknown_peak_is_not_guessed(name: str | None) -> None:
    assert peak_flops(name) is None


def test_utilisation_is_arithmetic_over_the_peak() -> None:
    assert mfu(step_flops=500, seconds=2.0, peak=1000.0) == 0.25


def test_what_ran_out_of_memory_is_no_part_of_a_step() -> None:
    """A step in parts takes the arithmetic of a whole one, however often it was tried before they fitted."""
    whole, cramped = (transfer_of(model_of("diffusion"), data_of("diffusion"), batch_size=8) for _ in range(2))
    forward = cramped.model.forward

    def guarded(batch: Batch) -> torch.Tensor:
        found: torch.Tensor = forward(batch)
        if rows_of(batch) > 2:
            raise torch.OutOfMemoryError("out of memory")
        return found

    cramped.model.forward = guarded  # type: ignore[method-assign]
    assert step_flops(cramped) == step_flops(whole) > 0
