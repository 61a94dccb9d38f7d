"""What a run writes of how far it is: counts that are those of its records, estimates that say what they rest on."""

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.results import disk, files, runs
from bench.running import tracking
from bench.running.ledger import Ledger
from bench.running.tracking import Tracked, Written
from bench.suite import loading
from bench.suite.cell import Cell
from tests import tiny
from tests.plans import write


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """Of twelve cells, ``full_finetuning`` and ``lora`` on two sizes and two seeds, and four controls."""
    changes = {"approaches": ["full_finetuning", "lora"], "data_sizes": [2, 4], "seeds": [0, 1]}
    suite = loading.load(write(tmp_path, changes | {"tuning/learning_rate": [1e-3]}))
    folder = tmp_path / "results" / suite.name / "run"
    made = Ledger(suite, folder, retry=False)
    made.write_run()
    made.workers = 2
    return made


def now(ledger: Ledger) -> Written:
    found = tracking.read(ledger.folder)
    assert found is not None
    return found


def end(ledger: Ledger, cell: Cell, status: str = "ok", seconds: float = 10.0) -> None:
    ledger.write_end(cell, status, "" if status == "ok" else "a fault")
    record = ledger.record(cell)
    record["happened"]["seconds"] = seconds
    ledger.write(cell, record)


def cells(ledger: Ledger, approach: str, size: int | None = None) -> list[Cell]:
    return [cell for cell in ledger.cells if cell.approach == approach and size in (None, cell.data_size)]


def tracked(ledger: Ledger, again: tuple[str, ...] = ()) -> Tracked:
    return Tracked(tiny.Silent(), ledger, again, "bench run it")


def test_it_counts_the_ends_there_are_and_those_that_come(ledger: Ledger) -> None:
    first, second, third, *_ = cells(ledger, "full_finetuning")
    end(ledger, first)
    end(ledger, second, "failed")
    made = tracked(ledger, (second.id,))  # which is tried again
    assert (now(ledger).stage, now(ledger).ended) == ("prepare", {"ok": 1})
    assert now(ledger).cells == len(ledger.cells) == now(ledger).left + 1
    assert (now(ledger).seconds_left, now(ledger).command) == (None, "bench run it")
    made.stage("datasets", 1)
    made.finished("dataset x", "failed", "is no cell", 0.0)
    made.stage("cells", len(ledger.cells), 1)
    made.finished(second.id, "failed", "another fault", 1.0)
    made.finished(third.id, "not_applicable", "", 0.0)
    made.steps({})
    time.sleep(tracking.PAUSE)
    made.steps({first.id: (1.0, 4.0)})
    told = now(ledger)
    assert (told.stage, told.of, told.done, told.total) == ("train", "cells", 3, len(ledger.cells))
    assert told.ended == {"ok": 1, "failed": 1, "not_applicable": 1}
    assert told.left == len(ledger.cells) - 3
    assert [list(one) for one in told.failures] == [[second.id, "failed", "another fault"]]
    assert {name: list(steps) for name, steps in told.at_work.items()} == {first.id: [1.0, 4.0]}
    made.remove()
    assert tracking.read(ledger.folder) is None


def test_time_that_is_left_is_that_of_cells_like_these(ledger: Ledger) -> None:
    for cell in (*cells(ledger, "full_finetuning", 2), *cells(ledger, "full_finetuning", 4)[:1]):
        end(ledger, cell, seconds=10.0 * cell.data_size)
    made = tracked(ledger)
    made.stage("cells", len(ledger.cells), 3)
    controls = [cell for cell in ledger.cells if not cell.data_size]
    told = now(ledger)
    # one like the cell of 40 s; of all others that train what the three took: 20, 20 and 40 s
    others = sum(cell.data_size > 0 for cell in ledger.cells) - 4
    assert told.unknown == len(controls), "of what does not train nothing is known"
    assert told.seconds_left == pytest.approx((40 + others * 80 / 3) / 2)
    made._write({cells(ledger, "full_finetuning", 4)[1].id: (1.0, 4.0)})
    assert now(ledger).seconds_left == pytest.approx((40 * 3 / 4 + others * 80 / 3) / 2)


def test_nothing_is_said_of_time_before_a_cell_has_ended_well(ledger: Ledger) -> None:
    end(ledger, cells(ledger, "lora")[0], "failed", seconds=0.1)
    made = tracked(ledger)
    made.stage("cells", len(ledger.cells), 1)
    assert (now(ledger).seconds_left, now(ledger).unknown) == (None, len(ledger.cells) - 1)


def test_before_the_first_has_ended_those_at_work_tell(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(tracking, "time", SimpleNamespace(time=time.time, monotonic=lambda: at[0]))
    made = tracked(ledger)
    made.stage("cells", len(ledger.cells))
    train = [cell for cell in ledger.cells if cell.data_size]
    made.steps({})
    at[0] += 10.0
    made.steps({train[0].id: (0.0, 100.0)})
    at[0] += 10.0
    made.steps({train[0].id: (4.0, 100.0)})
    assert now(ledger).seconds_left is None, "too early"
    at[0] += 10.0
    made.steps({train[0].id: (40.0, 100.0)})  # so it takes 50 s
    assert now(ledger).seconds_left == pytest.approx((50 * len(train) - 20) / 2)
    assert now(ledger).unknown == len(ledger.cells) - len(train)


def test_workers_that_have_nothing_to_do_make_nothing_faster(ledger: Ledger) -> None:
    *others, _ = ledger.cells
    for cell in others:
        end(ledger, cell)
    made = tracked(ledger)
    made.stage("cells", len(ledger.cells), len(others))
    assert now(ledger).seconds_left == 10.0


def test_measurements_take_what_those_before_took(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    at = [100.0]
    monkeypatch.setattr(tracking, "time", SimpleNamespace(time=time.time, monotonic=lambda: at[0]))
    made = tracked(ledger)
    made.stage("measurements", 5)
    assert now(ledger).seconds_left is None
    made.finished("a", "ok", "", 0.0)
    made.finished("b", "ok", "", 0.0)
    at[0] += 6.0
    made.steps({})
    assert (now(ledger).stage, now(ledger).seconds_left) == ("measure", 9.0)
    made.close()
    assert now(ledger).stage == "finish"


def test_it_is_written_about_once_a_second(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    made, calls = tracked(ledger), list[Any]()
    monkeypatch.setattr(files, "write_json", lambda *arguments: calls.append(arguments))
    until = time.monotonic() + 2.5 * tracking.PAUSE
    while time.monotonic() < until:
        made.steps({})
        time.sleep(0.01)
    assert 1 <= len(calls) <= 2


def test_a_full_disk_is_not_its_to_tell(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, write: object) -> None:
        with disk.clear_errors(path):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_atomically", full)
    tracked(ledger).stage("cells", 3)


def test_a_run_of_which_nothing_came_leaves_none(tmp_path: Path, finished: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    assert not (tiny.latest(path) / tracking.NAME).exists()
    assert not list(runs.Cells(tiny.latest(path)).run.glob(".*"))
