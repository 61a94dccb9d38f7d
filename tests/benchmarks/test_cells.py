"""What a cell costs beside its training: cells of zero steps, against a script of its own for each."""

import subprocess
import sys
import time
from pathlib import Path

from tests import tiny

FEW, SOME, MANY = 1, 5, 9  # seeds; each has four cells: the controls
CELLS = 4
SCRIPT = """
import torch
from diffusers import UNet2DModel
from transformers import AutoModelForCausalLM, AutoTokenizer
"""


def seconds_of_run(folder: Path, seeds: int) -> float:
    """A whole run with one worker; base model and data are in the cache."""
    budget = tiny.SUITE["budget"] | {"steps": 0}
    path = tiny.write(folder, f"seeds{seeds}", approaches=["zero_shot"], seeds=list(range(seeds)), budget=budget)
    started = time.perf_counter()
    tiny.run(path, new=True, workers=1)
    return time.perf_counter() - started


def seconds_of_script(folder: Path) -> float:
    """A process that imports what an experiment on text or images needs, and does nothing."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-c", SCRIPT], cwd=folder, env=tiny.environment(), check=True)
    return time.perf_counter() - started


def test_fixed_cost_of_a_cell(benchmark, tmp_path):
    seconds_of_run(tmp_path, FEW)  # pretrains, and starts the fork server
    few = min(seconds_of_run(tmp_path, FEW) for _ in range(2))
    some = min(seconds_of_run(tmp_path, SOME) for _ in range(2))
    many = benchmark.pedantic(lambda: seconds_of_run(tmp_path, MANY), rounds=2)
    many = min(many, benchmark.stats.stats.min)
    cell = (many - few) / (CELLS * (MANY - FEW))
    growth = (many - some) / (some - few)
    script = min(seconds_of_script(tmp_path) for _ in range(2))
    benchmark.extra_info |= {"seconds per cell": round(cell, 3), "script over cell": round(script / cell, 1)}
    print(f"\na cell costs {cell:.2f} s; a script of its own {script:.1f} s, {script / cell:.0f} times as much")
    print(f"12 cells more: {growth:.2f} times as long the second time as the first")
    assert script / cell > 5
    assert 0.5 < growth < 2
