"""A packed run of 10,000 cells against one of 2,500: how long it takes to read, and to see that nothing is to do."""

from pathlib import Path

import pytest

from bench.results import files, packed, runs, tidy
from bench.running.ledger import Ledger
from bench.suite import loading
from bench.suite.loading import Suite
from tests.benchmarks.test_planning import LARGE, SMALL, suite_of
from tests.benchmarks.timing import seconds

SCORES = [
    {"metric": f"score_{number}", "value": 1 / (number + 1), "unit": "", "better": "lower", "n": 100, "error": 0.01}
    for number in range(40)
]


def run_of(folder: Path, cells: int) -> tuple[Suite, Path]:
    """A finished run with forty scores for each cell."""
    suite = loading.load(suite_of(folder, cells))
    run = folder / "results" / suite.name / "2026-01-01_000000"
    happened = {"status": "ok", "reason": "", "scores": SCORES, "measured": True, "seconds": 1.0}
    for cell in suite.cells:
        record = {"cell": cell.id, "asked": cell.asked(run.name), "happened": happened, "environment": {}}
        files.write_json(runs.record_path(run, cell.id), record)
    ledger = Ledger(suite, run, retry=False)
    ledger.write_run()
    tidy.write(run, runs.records(run))
    packed.pack(run)
    ledger.write_run(finished=True)
    return suite, run


@pytest.fixture(scope="module")
def both(tmp_path_factory: pytest.TempPathFactory) -> dict[int, tuple[Suite, Path]]:
    folder = tmp_path_factory.mktemp("runs")
    return {cells: run_of(folder, cells) for cells in (SMALL, LARGE)}


def test_reading(benchmark, both):
    found = benchmark.pedantic(runs.read, args=(both[LARGE][1],), rounds=3)
    ratio = benchmark.stats.stats.min / seconds(lambda: runs.read(both[SMALL][1]))
    size = (both[LARGE][1] / packed.RECORDS).stat().st_size
    benchmark.extra_info["time of 10,000 cells over 2,500"] = round(ratio, 2)
    print(f"\nreading {len(found.records)} records of {size >> 10} KiB takes {ratio:.2f} times as long as of a quarter")
    assert not found.damaged
    assert ratio < 1.5 * LARGE / SMALL


def test_deciding_that_nothing_is_to_do(benchmark, both):
    def decide(cells: int) -> bool:
        run = both[cells][1]
        return Ledger(loading.load(both[cells][0].path), run, retry=False).is_settled()

    assert benchmark.pedantic(decide, args=(LARGE,), rounds=3)
    ratio = benchmark.stats.stats.min / seconds(lambda: decide(SMALL))
    benchmark.extra_info["time of 10,000 cells over 2,500"] = round(ratio, 2)
    print(f"\ndeciding about {LARGE} cells, their suite read, takes {ratio:.2f} times as long as about {SMALL}")
    assert ratio < 1.5 * LARGE / SMALL
