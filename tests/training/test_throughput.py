"""Speed of training: what is between two steps, and what share of the peak it is."""

import pytest

from bench.training.throughput import mfu, peak_flops, step_seconds


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
