"""What checkpoints inside a cell cost: their share of the time that training takes, in one run."""

import time

import pytest

from bench.training.intervals import SHARE
from bench.training.resuming import Keeper
from bench.training.unfinished import Unfinished
from tests.benchmarks.by_hand import transfer
from tests.resuming import CELL

STEPS = 400
BOUND = 1.25 * SHARE  # what a machine that does other things meanwhile may add


@pytest.mark.parametrize("kind", ["text", "images"])
def test_share(benchmark, kind, tmp_path):
    """At intervals of half a second, and so far more often than by default: the share bounds what is written."""
    prepared = transfer(kind, STEPS)
    keeper = prepared.pauses = Keeper(Unfinished(tmp_path, CELL), 0, interval=0.5).use(prepared.encode)
    started = time.perf_counter()
    benchmark.pedantic(prepared.run, rounds=1)
    took = time.perf_counter() - started
    numbers = keeper.unfinished.numbers()
    assert numbers, "it wrote none"
    share = keeper.spent / took
    benchmark.extra_info |= {"share of the time": round(share, 4), "checkpoints": numbers[0]}
    said = f"{numbers[0]} checkpoints in {took:.1f} s take {100 * share:.2f} %"
    print(f"\n{kind}: {said} (claimed: at most {100 * SHARE:g} %)")
    assert share < BOUND
