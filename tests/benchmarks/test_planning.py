"""Planning 10,000 cells against 2,500, and what `bench --help` and `bench plan` cost beside Python's own start."""

import resource
import subprocess
import sys
from pathlib import Path

import pytest

from bench.running import planning
from bench.suite import loading
from tests import tiny
from tests.benchmarks.timing import seconds
from tests.plans import write

SMALL, LARGE = 2_500, 10_000
PYTHON = ["-c", "pass"]
COMMANDS = {"--help": ["--help"], "plan": ["plan", "quickstart"]}


def suite_of(folder: Path, cells: int) -> Path:
    """A suite of so many cells: five approaches in as many sizes, three controls without, and seeds."""
    approaches = ["full_finetuning", "lora", "feature_extraction", "gradual_unfreezing"]
    sizes = list(range(1, 10))
    seeds = cells // (5 * len(sizes) + 3)
    return write(folder, {"approaches": approaches, "data_sizes": sizes, "seeds": list(range(seeds))}, name=str(cells))


def plan(path: Path) -> planning.Plan:
    return planning.plan(loading.load(path), path.parent / "results")


def test_cells(benchmark, tmp_path):
    small, large = suite_of(tmp_path, SMALL), suite_of(tmp_path, LARGE)
    found = benchmark.pedantic(plan, args=(large,), rounds=3)
    ratio = benchmark.stats.stats.min / seconds(lambda: plan(small))
    benchmark.extra_info["time of 10,000 cells over 2,500"] = round(ratio, 2)
    print(f"\nplanning: {len(found.cells)} cells take {ratio:.2f} times as long as {len(plan(small).cells)}")
    assert ratio < 1.5 * LARGE / SMALL


def cpu_seconds(arguments: list[str], folder: Path) -> float:
    """Of a Python process, user and system, least of three."""
    taken = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, *arguments], env=tiny.environment(), cwd=folder, stdout=subprocess.PIPE, check=True
        )
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        taken.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(taken)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_that_train_nothing(command, benchmark, tmp_path):
    arguments = ["-m", "bench", *COMMANDS[command]]
    cost = benchmark.pedantic(cpu_seconds, args=(arguments, tmp_path), rounds=1)
    ratio, torch = cost / cpu_seconds(PYTHON, tmp_path), cpu_seconds(["-c", "import torch"], tmp_path) / cost
    benchmark.extra_info |= {"CPU seconds": round(cost, 3), "over starting Python": round(ratio, 1)}
    print(
        f"\nbench {command}: {cost:.2f} s of CPU, {ratio:.1f} times Python's start, import torch {torch:.1f} times that"
    )
    code = (
        f"import sys; from bench import __main__\ntry: __main__.main({COMMANDS[command]!r})\nexcept SystemExit: pass\n"
    )
    assert cpu_seconds(["-c", f"{code}assert 'torch' not in sys.modules"], tmp_path) > 0
