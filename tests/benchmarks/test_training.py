"""The training loop against the same loop written by hand: the same weights, and what they took to get."""

import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import pytest
import torch

from bench.transfer import Transfer
from tests.benchmarks.by_hand import by_hand, ours, transfer
from tests.models import same, weights

STEPS, ROUNDS = 12, 10
CLAIMED = 1.03
BOUND = 1.15  # what a machine that does other things meanwhile may add
KINDS = pytest.mark.parametrize("kind", ["text", "images"])


def seconds(loop: Callable[[Transfer], None], kind: str) -> tuple[float, float]:
    """Of the clock on the wall, and of this process."""
    prepared = transfer(kind, STEPS)
    started, worked = time.perf_counter(), time.process_time()
    loop(prepared)
    return time.perf_counter() - started, time.process_time() - worked


@KINDS
def test_time(benchmark, kind):
    """Rounds of both in turn, each first as often as the other; the median of the ratios within a round."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        ends = [transfer(kind, STEPS) for _ in range(2)]
        for loop, end in zip((ours, by_hand), ends, strict=True):  # also warms up
            torch.manual_seed(1)  # of dropout
            loop(end)
        assert same(weights(ends[0].model), weights(ends[1].model)), "it is not the same training"
        taken = []
        for index in range(ROUNDS):
            pair = {loop: seconds(loop, kind) for loop in ((ours, by_hand), (by_hand, ours))[index % 2]}
            taken.append([mine / theirs for mine, theirs in zip(pair[ours], pair[by_hand], strict=True)])
        benchmark.pedantic(ours, setup=lambda: ((transfer(kind, STEPS),), {}), rounds=1)
    finally:
        torch.set_num_threads(threads)
    wall, own = (statistics.median(ratios) for ratios in zip(*taken, strict=True))
    benchmark.extra_info |= {"time over a loop by hand": round(wall, 3), "CPU time over it": round(own, 3)}
    print(f"\n{kind}: {wall:.3f} times as long as by hand, {own:.3f} times the CPU time (claimed: at most {CLAIMED})")
    assert min(wall, own) < BOUND


def peak(loop: str, kind: str) -> int:
    """Bytes above what the process held before, in a process of its own."""
    command = [sys.executable, "-m", "tests.benchmarks.by_hand", loop, kind]
    return int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


@KINDS
def test_memory(benchmark, kind):
    theirs = [peak("by_hand", kind) for _ in range(2)]
    mine = [peak("ours", kind), benchmark.pedantic(peak, args=("ours", kind), rounds=1)]
    ratio = min(mine) / min(theirs)
    benchmark.extra_info["memory over a loop by hand"] = round(ratio, 3)
    sizes = f"{min(mine) / 2**20:.1f} MiB against {min(theirs) / 2**20:.1f} MiB"
    print(f"\n{kind}: {ratio:.3f} times the memory of a loop by hand ({sizes}; claimed: at most {CLAIMED})")
    assert ratio < BOUND
