"""`bench status` of 10,000 cells, while they train and afterwards, and what a run pays for being looked at."""

import json
import time
from pathlib import Path

import pytest

from bench.results import files
from bench.running import holding, status, tracking
from bench.running.ledger import Ledger
from bench.running.tracking import Tracked, Written
from bench.suite import loading
from tests import tiny
from tests.benchmarks.test_planning import LARGE, cpu_seconds, suite_of
from tests.benchmarks.timing import seconds

PROMISED = 0.5  # seconds


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Of a run in the folder in which all but a hundred cells have a record."""
    suite = loading.load(suite_of(tmp_path_factory.mktemp("runs"), LARGE))
    run = suite.path.parent / "results" / suite.name / "2026-01-01_000000"
    made = Ledger(suite, run, retry=False)
    made.write_run()
    (run / "cells").mkdir()
    for cell in made.cells[100:]:
        (run / "cells" / f"{cell.id}.json").write_text("{}")
    return made


@pytest.mark.parametrize("state", ["running", "stopped", "finished"])
def test_looking(state: str, benchmark, ledger: Ledger) -> None:
    run, count = ledger.folder, len(ledger.cells)
    info = files.read_json(run / "run.json")
    finished = {"finished": "2026-01-02", "ends": {"ok": count - 1, "failed": 1}, "failures": [["a", "failed", "b"]]}
    files.write_json(run / "run.json", info | (finished if state == "finished" else {"finished": None}))
    arguments = ["-c", "import sys; from bench import __main__; sys.exit(__main__.main(sys.argv[1:]) > 1)"]
    arguments += ["status", str(run)]
    with holding.alone(run):
        now = Written(stage="train", cells=count, ended={"ok": count - 100}, updated=time.time(), began=time.time())
        files.write_json(run / tracking.NAME, now._asdict())
        if state == "running":
            cost = benchmark.pedantic(cpu_seconds, args=(arguments, run), rounds=1)
    if state != "running":
        cost = benchmark.pedantic(cpu_seconds, args=(arguments, run), rounds=1)
    found = status.look(run)
    assert sum(found.ended.values()) == (count if state == "finished" else count - 100)
    benchmark.extra_info["CPU seconds"] = round(cost, 3)
    print(f"\nbench status of {count} cells, {state}: {cost:.2f} s of CPU")
    assert cost < PROMISED


def test_being_looked_at(benchmark, ledger: Ledger) -> None:
    """The file is written once in :data:`bench.running.tracking.PAUSE`."""
    made = Tracked(tiny.Silent(), ledger, (), "bench run it")
    made.stage("cells", len(ledger.cells))
    running = {cell.id: (1.0, 2.0) for cell in ledger.cells[:16]}
    benchmark.pedantic(lambda: made._write(running), rounds=5)
    share = seconds(lambda: made._write(running)) / tracking.PAUSE
    size = len(json.dumps(files.read_json(Path(ledger.folder, tracking.NAME))))
    benchmark.extra_info["share of a run"] = round(share, 4)
    print(f"\nwriting how far {len(ledger.cells)} cells are: {size} bytes, {100 * share:.2f} % of a run's time")
    assert share < 0.02
