"""Approaches that freeze weights keep no gradients, optimizer state or copies of them: peaks of training, in processes
of their own."""

import subprocess
import sys

import pytest

FROZEN = ["lora", "bitfit"]
SAVED = 2  # sizes of the pretrained weights, of the four that gradients, two moments and the best weights so far take


def peak(approach: str, kind: str) -> tuple[int, int]:
    """Bytes at the peak of training, and those of the pretrained weights."""
    command = [sys.executable, "-m", "tests.benchmarks.training_peak", approach, kind]
    found = [subprocess.run(command, check=True, capture_output=True, text=True).stdout.split() for _ in range(2)]
    return min(int(bytes_) for bytes_, _ in found), int(found[0][1])


@pytest.mark.parametrize("kind", ["text", "images"])
def test_frozen_weights_take_their_own_room_only(benchmark, kind):
    full, size = benchmark.pedantic(peak, args=("full_finetuning", kind), rounds=1)
    peaks = {approach: peak(approach, kind)[0] for approach in FROZEN}
    benchmark.extra_info |= {f"{name} over full_finetuning": round(least / full, 3) for name, least in peaks.items()}
    print(f"\n{kind}, {size / 2**20:.1f} MiB of weights: full_finetuning peaks at {full / 2**20:.1f} MiB")
    for approach, least in peaks.items():
        print(f"{approach} peaks at {least / 2**20:.1f} MiB, {least / full:.2f} of that")
        assert full - least > SAVED * size
