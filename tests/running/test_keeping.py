"""Which trained weights stay, and when the others go."""

import itertools
from pathlib import Path

import pytest

from bench.errors import ResultsError
from bench.results import files, packed, runs, verification, weights
from bench.running.keeping import Keeping
from bench.running.ledger import Ledger
from bench.suite import loading
from bench.suite.cell import Cell
from tests import tiny


class Run:
    """A run that is told what its cells come to, and trains nothing."""

    def __init__(self, folder: Path, keep: str, *, measure: str = "once") -> None:
        evaluation = {"samples": 8, "batch_size": 64, "measure": measure}
        approaches = ["full_finetuning", "lora"]
        suite = loading.load(tiny.write(folder, approaches=approaches, seeds=[0, 1], evaluation=evaluation))
        self.ledger = Ledger(suite, folder / "run", retry=False)
        self.keeping = Keeping(self.ledger, keep)
        self.cells = {f"{cell.approach} {cell.seed}": cell for cell in self.ledger.cells}

    def trained(self, name: str, loss: float | None, *, status: str = "ok", measured: bool = True) -> None:
        cell = self.cells[name]
        path = weights.path(self.ledger.folder, cell.id)
        if loss is not None:
            files.write_atomically(path, lambda partial: partial.write_text(name))
        self.ended(cell, loss, status, measured)

    def ended(self, cell: Cell, loss: float | None, status: str = "ok", measured: bool = True) -> None:
        trials = [] if loss is None else [{"values": {}, "status": "ok", "validation_loss": loss}]
        happened = {"status": status, "reason": "", "scores": [], "trials": trials, "chosen": {}, "measured": measured}
        self.ledger.write(cell, {"cell": cell.id, "asked": cell.asked("run"), "happened": happened, "environment": {}})
        self.keeping.ended(cell)

    @property
    def there(self) -> set[str]:
        names = {cell.id: name for name, cell in self.cells.items()}
        return {names[weights.cell_of(file)] for file in weights.there(self.ledger.folder)}


ALL = ["full_finetuning 0", "full_finetuning 1", "lora 0", "lora 1"]
LOSSES = [3.0, 1.0, 2.0, 1.0]


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_the_best_stays_whichever_is_trained_first(order: tuple[int, ...], tmp_path: Path) -> None:
    run = Run(tmp_path, "best")
    for count, index in enumerate(order, start=1):
        run.trained(ALL[index], LOSSES[index])
        assert len(run.there) == 1, "what cannot be the best any more goes at once"
        assert LOSSES[ALL.index(next(iter(run.there)))] == min(LOSSES[one] for one in order[:count])
    assert run.keeping.settle().keys() == {weights.path(Path(), run.cells["full_finetuning 1"].id).name}


def test_what_is_to_be_measured_stays_until_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path, "best")
    for name, loss in reversed(list(zip(ALL, LOSSES, strict=True))):
        run.trained(name, loss, measured=False)
    assert run.there == {"full_finetuning 0", "full_finetuning 1", "lora 0"}, "the first of each approach is measured"
    run.ended(run.cells["full_finetuning 0"], 3.0)
    assert run.there == {"full_finetuning 1", "lora 0"}
    run.ended(run.cells["lora 0"], 2.0)
    assert run.there == {"full_finetuning 1"}


def test_where_each_is_measured_each_stays_until_it_is(tmp_path: Path) -> None:
    run = Run(tmp_path, "none", measure="each")
    for name, loss in zip(ALL, LOSSES, strict=True):
        run.trained(name, loss, measured=False)
    assert run.there == set(ALL)
    for name, loss in zip(ALL, LOSSES, strict=True):
        run.ended(run.cells[name], loss)
    assert not run.there
    assert run.keeping.settle() == {}
    assert not (run.ledger.folder / weights.FOLDER).exists()


def test_all_are_those_that_ended_well(tmp_path: Path) -> None:
    run = Run(tmp_path, "all")
    run.trained("zero_shot 0", None)
    run.trained("lora 0", 1.0)
    run.trained("lora 1", 2.0, status="failed")
    assert run.there == {"lora 0", "lora 1"}
    assert (
        {weights.cell_of(file) for file in run.keeping.settle()}
        == {run.cells["lora 0"].id}
        == {run.cells[name].id for name in run.there}
    )


def test_a_run_that_goes_on_finds_what_it_kept(tmp_path: Path) -> None:
    run = Run(tmp_path, "best")
    run.trained("lora 0", 1.0)
    run.keeping = Keeping(run.ledger, "best")
    run.trained("lora 1", 2.0)
    assert run.there == {"lora 0"}


# Whole runs -----------------------------------------------------------------------------------------------------------


def test_the_best_of_a_run_is_there_and_told(finished: Path) -> None:
    losses = {
        record["cell"]: min(trial["validation_loss"] for trial in record["happened"]["trials"])
        for record in runs.records(finished)
        if record["happened"]["trials"]
    }
    best = min(losses, key=losses.__getitem__)
    (file,) = weights.there(finished)
    assert weights.cell_of(file) == best
    info, _ = runs.read_info(finished)
    assert info["weights"] == {file: weights.checksum(finished / weights.FOLDER / file)}
    assert "keep" not in info
    assert "keep" not in info["definition"], "runs from before keep are as they were"
    found = verification.verify(finished)
    assert (found.faults, found.strange) == ([], {})
    assert found.checked["weights file"] == 1


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1] + b"?"), "not what run.json says"),
        (lambda path: path.unlink(), "it is gone"),
    ],
)
def test_weights_that_are_not_what_they_were_are_named(harm, said, finished: Path, tmp_path: Path) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    (file,) = weights.there(folder)
    harm(folder / weights.FOLDER / file)
    (fault,) = verification.verify(folder).faults
    assert fault.file == f"weights/{file}"
    assert said in fault.what
    assert "train their cell again" in fault.remedy


def test_other_files_beside_weights_are_strange(finished: Path, tmp_path: Path) -> None:
    folder = tiny.latest(tiny.copied(finished, tmp_path))
    (folder / weights.FOLDER / "notes.txt").write_text("mine")
    (folder / weights.FOLDER / "other-n4-s0-0123456789abcdef.safetensors").write_text("mine")
    found = verification.verify(folder)
    assert list(found.strange) == ["weights/notes.txt", "weights/other-n4-s0-0123456789abcdef.safetensors"]
    assert not found.faults


def test_another_keep_makes_nothing_be_trained_again(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    folder, before = tiny.latest(path), tiny.quality(finished)
    tiny.edited(path, "seeds:", "keep: all\nseeds:")
    started = runs.read_info(folder)[0]["finished"]
    assert tiny.run(path) == folder
    assert len(weights.there(folder)) == 1, "what was not kept cannot be had back"
    tiny.edited(path, "keep: all", "keep: none")
    tiny.run(path)
    assert not (folder / weights.FOLDER).exists()
    info, _ = runs.read_info(folder)
    assert (info["finished"], info["weights"]) == (started, {})
    assert tiny.quality(folder) == before
    assert packed.Pack(folder).names()


def test_another_word_is_refused_before_anything_goes(finished: Path, tmp_path: Path) -> None:
    path = tiny.copied(finished, tmp_path)
    before = tiny.states(path.parent / "results")
    with pytest.raises(ResultsError, match="keep: 'some' will not do; use one of: best, all, none"):
        tiny.run(path, keep="some")
    assert tiny.states(path.parent / "results") == before


def test_a_run_that_was_told_what_to_keep_goes_on_so(tmp_path: Path) -> None:
    path = tiny.write(tmp_path)
    folder = tiny.run(path, keep="all")
    assert len(weights.there(folder)) == 2
    before = tiny.states(folder)
    assert tiny.run(path) == folder
    assert tiny.states(folder) == before, "nothing is to do, and nothing is taken away"
    tiny.edited(path, "- 0\n", "- 0\n- 1\n")
    tiny.run(path)
    assert len(weights.there(folder)) == 4
    assert runs.read_info(folder)[0]["keep"] == "all"
    tiny.run(path, keep="best")
    assert len(weights.there(folder)) == 1
