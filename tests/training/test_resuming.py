"""Going on inside a trial: what is kept, what is used, and what happens when that is damaged, foreign or too much."""

import errno
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

from bench.batches import in_chance_order
from bench.errors import ResultsError
from bench.model import Batch
from bench.training import intervals, unfinished
from bench.training.resuming import CannotGoOn, Keeper
from bench.training.unfinished import Unfinished
from bench.transfer import Transfer
from tests.loops import line
from tests.models import language_model as model
from tests.models import prepare, same, source_texts, texts, transfer_of, weights
from tests.resuming import CELL, cut_off, keeper_of

STEPS = 10


def trial(approach: str = "full_finetuning", **budget: Any) -> Transfer:
    return prepare(transfer_of(model(layers=1), texts(), steps=STEPS, source=source_texts(), **budget), approach)


def went_on(transfer: Transfer, folder: Path) -> list[str]:
    """What is said when a trial that was cut off goes on to its end."""
    keeper = transfer.pauses = keeper_of(transfer, folder)
    transfer.run()
    return keeper.unfinished.notes


def newest(folder: Path) -> Path:
    return sorted(folder.glob("*.safetensors"))[-1]


@pytest.fixture(scope="module")
def whole() -> dict[str, Tensor]:
    transfer = trial()
    transfer.run()
    return weights(transfer.model)


# What goes on ---------------------------------------------------------------------------------------------------------


def test_a_trial_may_be_cut_off_after_every_step(whole: dict[str, Tensor], tmp_path: Path) -> None:
    for at in range(1, STEPS):
        transfer = trial()
        cut_off(transfer, tmp_path, at)
        assert transfer.taken == at
        assert len(list(tmp_path.glob("*.safetensors"))) == min(2, at), "the newest and the one before"
    transfer = trial()
    notes = went_on(transfer, tmp_path)
    assert [note.partition(",")[0] for note in notes] == [
        f"went on inside the cell at step {step} of trial 1" for step in range(1, STEPS)
    ]
    assert same(weights(transfer.model), whole)
    assert [row["step"] for row in transfer.curve if "train_loss" in row] == [*range(1, STEPS + 1)]


def test_keeping_changes_nothing(whole: dict[str, Tensor], tmp_path: Path) -> None:
    transfer = trial()
    assert went_on(transfer, tmp_path) == []
    assert same(weights(transfer.model), whole)


def test_what_a_killed_part_took_is_counted(tmp_path: Path) -> None:
    cut = cut_off(trial(), tmp_path, 5)
    transfer = trial()
    keeper = transfer.pauses = keeper_of(transfer, tmp_path)
    assert keeper.seconds > 0
    assert 0 < keeper.unfinished.seconds <= cut.unfinished.elapsed()
    transfer.run()
    seconds = [row["seconds"] for row in transfer.curve]
    assert seconds == sorted(seconds)
    assert transfer.began > 0


def test_a_budget_of_seconds_goes_on_with_what_is_left_of_it(tmp_path: Path) -> None:
    cut_off(trial(), tmp_path, 5)
    number, about = Unfinished(tmp_path, CELL).usable(0)
    assert about is not None
    store = Unfinished(tmp_path, CELL)
    _, tensors = store.read(number)
    store.write(about | {"seconds": 1000.0}, tensors, [])  # as if it had taken so long
    transfer = trial()
    transfer.budget = transfer.budget.model_copy(update={"seconds": 999.0})
    went_on(transfer, tmp_path)
    assert transfer.taken == 5, "its time is up"


def test_frozen_weights_are_not_written_again(tmp_path: Path) -> None:
    cut_off(trial("lora"), tmp_path, 3)
    written = safetensors.torch.load_file(newest(tmp_path))
    frozen = sum(tensor.numel() for tensor in model(layers=1).parameters())
    floats = sum(tensor.numel() for tensor in written.values() if tensor.is_floating_point())
    assert 0 < floats < frozen


# What cannot be used --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("at", [100, -100], ids=["header", "tensors"])
def test_instead_of_a_damaged_checkpoint_the_one_before_is_used(
    at: int, whole: dict[str, Tensor], tmp_path: Path
) -> None:
    cut_off(trial(), tmp_path, 6)
    content = bytearray(newest(tmp_path).read_bytes())
    content[at] ^= 1
    newest(tmp_path).write_bytes(content)
    transfer = trial()
    damage, way_on = went_on(transfer, tmp_path)
    assert damage.startswith("checkpoint 6 inside the cell cannot be used (")
    assert damage.endswith("); the one before it is used")
    assert way_on.startswith("went on inside the cell at step 5")
    assert same(weights(transfer.model), whole)


@pytest.mark.parametrize("content", [b"", b"\x80\x04K\x01.", b"\xff" * 64], ids=["empty", "a pickle", "no header"])
def test_without_any_that_is_whole_the_trial_starts_anew(
    content: bytes, whole: dict[str, Tensor], tmp_path: Path
) -> None:
    cut_off(trial(), tmp_path, 6)
    for path in tmp_path.glob("*.safetensors"):
        path.write_bytes(content)
    transfer = trial()
    first, second = went_on(transfer, tmp_path)
    assert first.endswith("the one before it is used")
    assert second.endswith("the trial starts anew")
    assert same(weights(transfer.model), whole)


def test_checkpoints_of_another_version_or_cell_are_not_used(
    whole: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut_off(trial(), tmp_path, 4)
    monkeypatch.setattr(unfinished, "GENERATION", 99)
    transfer = trial()
    _, last = went_on(transfer, tmp_path)
    assert "it is of another version: generation 1, not 99" in last
    assert same(weights(transfer.model), whole)


def test_what_does_not_fit_is_refused_before_anything_is_trained(tmp_path: Path) -> None:
    cut_off(trial(), tmp_path, 4)
    other = trial("lora")
    with pytest.raises(CannotGoOn, match="and now"):
        went_on(other, tmp_path)
    assert other.taken == 0


def test_one_that_builds_on_a_damaged_one_is_not_used(tmp_path: Path) -> None:
    keeper = cut_off(trial("self_supervised"), tmp_path, 8)
    rest = sorted(tmp_path.glob("*.safetensors"))[0]
    assert keeper.newest is None
    rest.write_bytes(b"")
    notes = went_on(trial("self_supervised"), tmp_path)
    assert any("on which it builds, cannot be used" in note for note in notes)
    assert notes[-1].endswith("starts anew")


def test_on_a_full_disk_a_cell_goes_on_without(
    whole: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(unfinished, "save_file", full)
    transfer = trial()
    notes = went_on(transfer, tmp_path)
    assert len(notes) == 1
    assert "the disk is full" in notes[0]
    assert notes[0].endswith("it goes on without")
    assert same(weights(transfer.model), whole)
    assert not list(tmp_path.iterdir()), "nothing half-written"


# What cannot be seen --------------------------------------------------------------------------------------------------


def with_a_generator(transfer: Transfer) -> Transfer:
    """As a third party may write a sampler: nobody can tell where it is."""

    def sampler(rows: Batch, size: int, generator: torch.Generator) -> Iterator[Tensor]:
        yield from in_chance_order(rows, size, generator)

    transfer.sampler = sampler
    return transfer


def test_what_cannot_be_told_is_never_gone_on_with_wrongly(whole: dict[str, Tensor], tmp_path: Path) -> None:
    keeper = cut_off(with_a_generator(trial()), tmp_path, 6)
    assert "builtins.generator" in keeper.unseen
    assert not list(tmp_path.glob("*"))
    transfer = with_a_generator(trial())
    assert went_on(transfer, tmp_path) == []
    assert same(weights(transfer.model), whole)


def test_the_identity_of_an_object_is_not_taken_for_a_number(tmp_path: Path) -> None:
    def with_identities() -> Transfer:
        transfer, known = trial(), set[int]()
        known.update(id(weight) for weight in transfer.trainable())

        def term(batch: Batch, outputs: Tensor) -> Tensor:
            assert {id(weight) for weight in transfer.trainable()} == known
            return outputs.sum() * 0

        transfer.terms.append(term)
        return transfer

    assert "identity" in cut_off(with_identities(), tmp_path, 6).why_not
    assert went_on(with_identities(), tmp_path) == []


def test_after_a_stage_it_goes_on_even_if_the_target_cannot_be_told(tmp_path: Path) -> None:
    cut_off(with_a_generator(trial("intermediate_task")), tmp_path, 8)
    transfer = with_a_generator(trial("intermediate_task"))
    (note,) = went_on(transfer, tmp_path)
    assert note.startswith("went on inside the cell at step 5 of trial 1")
    plain = with_a_generator(trial("intermediate_task"))
    plain.run()
    assert same(weights(transfer.model), weights(plain.model))


def test_a_stage_that_is_called_again_goes_on_between_two_calls(tmp_path: Path) -> None:
    def staged() -> tuple[Transfer, list[int]]:
        transfer, sizes = line(steps=12), list[int]()

        def stage(left: int) -> bool:
            transfer.practise("short", 2)
            sizes.append(left)
            return len(sizes) < 4

        transfer.stages.append(stage)
        return transfer, sizes

    one, expected = staged()
    one.run()
    assert expected == [12, 10, 8, 6]
    cut_off(staged()[0], tmp_path, 5)
    other, sizes = staged()
    (note,) = went_on(other, tmp_path)
    assert note.startswith("went on inside the cell at step 5")
    assert sizes == expected
    assert same(weights(one.model), weights(other.model))


# How often ------------------------------------------------------------------------------------------------------------


def test_short_trials_write_nothing(tmp_path: Path) -> None:
    transfer = trial()
    transfer.pauses = Keeper(Unfinished(tmp_path, CELL), 0).use(transfer.encode)
    transfer.run()
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("said", "seconds"), [("", 60.0), ("5", 5.0), ("0.5", 0.5), ("off", math.inf)])
def test_the_environment_says_how_often(said: str, seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(intervals.NAME, said)
    assert intervals.seconds() == seconds


@pytest.mark.parametrize("said", ["0", "-1", "often", "nan"])
def test_what_is_no_interval_is_refused(said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(intervals.NAME, said)
    with pytest.raises(ResultsError, match=f"{intervals.NAME}='{said}': no number of seconds; set it to"):
        intervals.seconds()
