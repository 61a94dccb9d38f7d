"""10,000 resamples of 50 tasks with 100 runs each, against a quarter of the tasks: the time grows no faster."""

import time

import numpy as np
import pytest

from bench.statistics import tasks
from tests.benchmarks.timing import seconds

RUNS, TASKS, FACTOR = 100, 50, 4


def interquartile_mean(scores):
    return tasks.interquartile_mean(scores, np.random.default_rng(0))


def performance_profile(scores):
    return tasks.performance_profile(scores, np.linspace(-3, 3, 60), np.random.default_rng(0))


@pytest.mark.parametrize("work", [interquartile_mean, performance_profile])
def test_bootstrap(benchmark, work):
    scores = list(np.random.default_rng(0).normal(size=(TASKS, RUNS)))
    benchmark.pedantic(work, args=(scores,), rounds=3)
    taken = benchmark.stats.stats.min
    ratio = taken / seconds(lambda: work(scores[: TASKS // FACTOR]))
    started = time.process_time()
    work(scores)
    alone = time.process_time() - started  # what it takes where nobody else uses the machine
    benchmark.extra_info["time of 50 tasks over 12"] = round(ratio, 2)
    print(
        f"\n{work.__name__}: 10,000 resamples of {TASKS} × {RUNS} runs in {taken:.2f} s ({alone:.2f} s of CPU), ",
        end="",
    )
    print(f"{ratio:.2f} times 12 tasks")
    assert ratio < 1.5 * TASKS / (TASKS // FACTOR)
