"""Which task comes first, for how long, and that it is learned."""

from typing import Any

import numpy as np
import pytest

from bench import dataset
from bench.dataset import Items
from bench.device import accelerator
from bench.errors import NotApplicable
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.models import (
    EXEMPLARS,
    data_of,
    fitted,
    language_model,
    model_of,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
)

TASKS = {"causal_lm": ["nested_brackets", "copying"], "diffusion": ["fractals", "shapes"]}


def learned_from(transfer: Transfer) -> list[Items]:
    """The training splits of the stages, in order."""
    splits: list[Items] = []
    encode = transfer.encode

    def look(items: Items) -> Any:
        if items is transfer.data.train:
            splits.append(items)
        return encode(items)

    transfer.encode = look
    fitted(transfer)
    return splits


@pytest.mark.parametrize(
    ("family", "task"), [(family, task) for family, tasks in TASKS.items() for task in ["auto", *tasks]]
)
def test_the_task_comes_first_and_then_the_target(family: str, task: str) -> None:
    transfer = transfer_of(model_of(family), data_of(family), steps=8)
    prepare(transfer, "synthetic_pretraining", synthetic_pretraining={"task": task, "share": 0.25})
    first, then = learned_from(transfer)
    made = dataset.load(TASKS[family][0] if task == "auto" else task, {"size": 8} if family == "diffusion" else None)
    assert np.array_equal(first, made.train)
    assert np.array_equal(then, data_of(family).train)
    assert transfer.spent == {"synthetic": 2, "": 6}
    assert transfer.looked == 0, "nothing of the target's pool"


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_task_is_learned(family: str) -> None:
    """After it, the model is better at examples of it that it has not seen."""
    task = dataset.load(TASKS[family][0], {"size": 8} if family == "diffusion" else None)
    transfer = transfer_of(model_of(family), data_of(family), steps=40, learning_rate=1e-2)
    (stage,) = prepare(transfer, "synthetic_pretraining").stages
    held_out, context = transfer.encode(task.test[:32]), accelerator(transfer.budget)
    before = mean_loss(transfer.model, held_out, 16, 16, context)
    stage(40)
    assert mean_loss(transfer.model, held_out, 16, 16, context) < 0.9 * before


@pytest.mark.parametrize(("family", "task"), [("causal_lm", "fractals"), ("diffusion", "copying")])
def test_a_task_of_another_modality_is_refused(family: str, task: str) -> None:
    transfer, options = transfer_of(model_of(family), data_of(family)), {"task": task}
    with pytest.raises(NotApplicable, match=f"the task {task} is of modality .*; task: auto would do"):
        prepare(transfer, "synthetic_pretraining", synthetic_pretraining=options)


def test_there_is_a_last_step_for_the_target() -> None:
    transfer = prepare(
        transfer_of(language_model(), texts(), steps=3), "synthetic_pretraining", synthetic_pretraining={"share": 1.0}
    )
    assert fitted(transfer).spent == {"synthetic": 2, "": 1}


def test_pictures_are_as_large_as_the_targets() -> None:
    shape = (12, 20, 1)
    transfer = prepare(transfer_of(unet(shape), pictures(shape=shape), steps=4), "synthetic_pretraining")
    first, _ = learned_from(transfer)
    assert np.asarray(first).shape[1:] == (20, 20, 1)
