"""Table and report of 10,000 rows against 2,500, summary of 100,000: the time grows no faster than the rows."""

import time
from pathlib import Path

import numpy as np
import pytest

from bench import report
from bench.report import aggregate
from bench.results import tidy
from tests import calibration
from tests.benchmarks.timing import seconds
from tests.report.runs import APPROACHES, make_run

SMALL, LARGE = 2_500, 10_000
FACTOR = LARGE / SMALL


def run_of(folder: Path, rows: int) -> Path:
    """A run of about so many rows: more seeds, so that both have as many tables and figures."""
    per_seed = len(tidy.read(make_run(folder / "one", seeds=(0,), extra_metrics=4, beside=False)))
    return make_run(folder / str(rows), seeds=tuple(range(round(rows / per_seed))), extra_metrics=4, beside=False)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    folder = tmp_path_factory.mktemp("runs")
    return {rows: run_of(folder, rows) for rows in (SMALL, LARGE)}


def test_table(benchmark, runs):
    def work(rows: int) -> None:
        aggregate.summarise(tidy.write(runs[rows], runs.records(runs[rows])))

    benchmark.pedantic(work, args=(LARGE,), rounds=3)
    ratio = benchmark.stats.stats.min / seconds(lambda: work(SMALL))
    benchmark.extra_info["time of 10,000 rows over 2,500 rows"] = round(ratio, 2)
    print(f"\ntable: {LARGE} rows take {ratio:.2f} times as long as {SMALL}")
    assert ratio < 1.5 * FACTOR


def test_report(benchmark, runs, tmp_path):
    report.build(runs[SMALL], tmp_path)  # matplotlib's first figure is dear, once
    benchmark.pedantic(report.build, args=(runs[LARGE], tmp_path), rounds=2)
    ratio = benchmark.stats.stats.min / seconds(lambda: report.build(runs[SMALL], tmp_path))
    benchmark.extra_info["time of 10,000 rows over 2,500 rows"] = round(ratio, 2)
    print(f"\nreport: {LARGE} rows take {ratio:.2f} times as long as {SMALL}, {len(APPROACHES)} approaches each")
    assert ratio < 1.5 * FACTOR


def test_summary(benchmark):
    """Ten approaches with five seeds in two thousand columns: critical values are drawn once."""
    random = np.random.default_rng(0)
    draws = {columns: random.standard_normal((columns, 10, 5)) for columns in (500, 2_000)}

    def work(columns: int) -> None:
        controls = {"zero_shot": draws[columns][:, 0], "from_scratch": draws[columns][:, 1]}
        (frame,) = calibration.frames(draws[columns][:, 2:], controls)
        aggregate.summarise(frame)

    work(500)
    benchmark.pedantic(work, args=(2_000,), rounds=2)
    ratio = benchmark.stats.stats.min / seconds(lambda: work(500))
    benchmark.extra_info["time of 100,000 rows over 25,000 rows"] = round(ratio, 2)
    started = time.process_time()
    work(2_000)
    taken = time.process_time() - started
    print(f"\nsummary: 100,000 rows take {taken:.1f} s of one core, {ratio:.2f} times as long as 25,000")
    assert taken < 20
    assert ratio < 1.5 * FACTOR
