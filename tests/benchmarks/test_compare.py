"""What it takes to hold two tables of 100,000 rows against each other."""

import itertools

import numpy as np

from bench.comparison import history, paces, sides, verdicts
from bench.results import runs
from tests.benchmarks.timing import seconds
from tests.comparison.nights import Suite, row, side, table, write


def test_100_000_rows(benchmark):
    random, metrics = np.random.default_rng(0), [f"metric_{place}" for place in range(20)]
    cells = itertools.product(range(1000), range(5), metrics)
    rows = [row(f"approach_{name}", seed, metric, 1.0) for name, seed, metric in cells]
    frames = [table(rows) for _ in range(2)]
    for frame in frames:
        frame["value"] = random.normal(5.0, 0.05, len(frame))
    found = benchmark.pedantic(lambda: verdicts.compare(side(frames[0]), side(frames[1])), rounds=1)
    assert len(found.rows) == 20_000
    tenth = [frame[frame["approach"].str.len() <= len("approach_99")] for frame in frames]
    share = benchmark.stats.stats.min / seconds(lambda: verdicts.compare(side(tenth[0]), side(tenth[1])))
    print(f"\n{len(rows)} rows a side: {benchmark.stats.stats.min:.1f} s, {share:.1f} times a tenth of them")
    assert share < 20


def test_365_nights(benchmark, tmp_path):
    suite = Suite(np.random.default_rng(0), approaches=34)
    for place in range(365):
        write(tmp_path / "nightly", suite.night(), place)
    found = benchmark.pedantic(lambda: history.read(tmp_path / "nightly"), rounds=1)
    assert found.values.shape == (102, 365)
    print(f"\n365 nights of {len(found.nights[0].side.frame)} rows: {benchmark.stats.stats.min:.1f} s")


def test_twenty_nights_before_100_000_rows(benchmark, tmp_path):
    """A tenth of them times, as in a real suite: they tell how far nights lie apart."""
    random, metrics = np.random.default_rng(0), [("training_seconds", "s"), *((f"m{place}", "") for place in range(9))]
    cells = itertools.product(range(1000), range(10), metrics)
    frame = table([row(f"approach_{name}", seed, metric, 1.0, unit) for name, seed, (metric, unit) in cells])
    for place in range(21):
        night = write(tmp_path / "nightly", frame.assign(value=random.normal(5.0, 0.05, len(frame))), place)
    new = sides.quick(night, runs.read_info(night)[0])
    found = benchmark.pedantic(lambda: paces.paces(new, 0.01), rounds=1)
    assert list(found) == ["training_seconds"]
    print(f"\n20 nights of {len(frame)} rows: {benchmark.stats.stats.min:.1f} s")
