"""The peak of a block is seen, also where the kernel keeps no mark, and what came before it is not."""

import mmap
import time
from pathlib import Path

import pytest
import torch

from bench.training import memory

CPU = torch.device("cpu")
SIZE = 64 << 20


def peak_of(size: int) -> int:
    # not from the heap, where freed memory may wait to be used again
    with memory.Peak(CPU, memory.resident()) as peak, mmap.mmap(-1, size) as held:
        held[:: mmap.PAGESIZE] = bytes(size // mmap.PAGESIZE)
        time.sleep(0.05)
    return peak.measures["peak_rss"]


@pytest.fixture(params=["kernel", "looks"])
def _both_ways(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "looks":
        monkeypatch.setattr(memory, "_CLEAR", tmp_path / "missing" / "clear_refs")


@pytest.mark.usefixtures("_both_ways")
def test_peak_is_what_was_held_at_once_though_freed_since() -> None:
    assert 0.8 * SIZE < peak_of(SIZE) < 1.5 * SIZE


@pytest.mark.usefixtures("_both_ways")
def test_an_earlier_higher_peak_does_not_count() -> None:
    peak_of(2 * SIZE)
    assert peak_of(SIZE // 4) < SIZE


def test_baseline_does_not_count_and_nothing_is_below_it() -> None:
    with memory.Peak(CPU, baseline=1 << 50) as peak:
        pass
    assert peak.measures == {"peak_rss": 0}


def test_measures_are_there_after_an_exception() -> None:
    peak = memory.Peak(CPU)
    with pytest.raises(ValueError, match="inside"), peak:
        raise ValueError("inside")
    assert peak.measures["peak_rss"] > 0


def test_on_a_gpu_it_is_what_pytorch_allocated_and_reserved(monkeypatch: pytest.MonkeyPatch) -> None:
    reset: list[torch.device] = []
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", reset.append)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: 3)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: 5)
    device = torch.device("cuda", 0)
    with memory.Peak(device, baseline=100) as peak:
        pass
    assert reset == [device]
    assert peak.measures == {"peak_allocated": 3, "peak_reserved": 5}
