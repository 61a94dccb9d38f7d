"""A smaller student that also listens to its teacher."""

from typing import Any

import pytest
import torch
from torch import Tensor

from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.transfer import Transfer
from tests.models import (
    EXEMPLARS,
    data_of,
    fitted,
    language_model,
    model_of,
    prepare,
    same,
    texts,
    transfer_of,
    unet,
    weights,
)

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


class Listening:
    """One step of a distillation, and all that the student was told in it."""

    def __init__(self, teacher: Model, approach: str = "distillation", **options: Any) -> None:
        self.teacher, self.heard = teacher, list[tuple[Batch, Tensor, Tensor, float]]()
        self.before = weights(teacher)
        self.transfer = transfer_of(
            teacher, data_of("diffusion" if teacher.modality == "image" else "causal_lm"), steps=1
        )
        prepare(self.transfer, approach, distillation=options)
        self.student = self.transfer.model
        divergence = self.student.divergence

        def listen(batch: Batch, outputs: Tensor, reference: Tensor, temperature: float) -> Tensor:
            self.heard.append((batch, outputs.detach(), reference, temperature))
            return divergence(batch, outputs, reference, temperature)

        self.student.divergence = listen  # type: ignore[method-assign, assignment]
        self.transfer.fit(1)
        self.loss = next(row["train_loss"] for row in self.transfer.curve if "train_loss" in row)


def no_dropout(family: str) -> Model:
    return language_model(sizes=NO_DROPOUT) if family == "causal_lm" else unet()


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_student_is_smaller_and_all_its_own(family: str) -> None:
    teacher = model_of(family)
    transfer = prepare(transfer_of(teacher, data_of(family)), "distillation")
    student = transfer.model
    assert sum(p.numel() for p in student.parameters()) < sum(p.numel() for p in teacher.parameters())
    assert all(parameter.requires_grad for parameter in student.parameters())
    assert set(transfer.stored()) >= {name for name, _ in student.named_parameters()}, "and the teacher is not stored"
    assert not {id(p) for p in student.parameters()} & {id(p) for p in teacher.parameters()}


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_loss_is_the_students_own_and_the_divergence(family: str) -> None:
    listening = Listening(no_dropout(family), weight=0.3, temperature=3.0)
    (batch, outputs, reference, temperature) = listening.heard[0]
    own = float(listening.student.loss(batch, outputs))
    apart = float(type(listening.student).divergence(listening.student, batch, outputs, reference, temperature))
    assert temperature == 3.0
    assert apart > 0
    assert listening.loss == pytest.approx(own + 0.3 * apart, rel=1e-5)


@pytest.mark.parametrize("approach", ["distillation", "distillation + augmentation"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_teacher_sees_what_the_student_sees_and_stays_as_it_was(family: str, approach: str) -> None:
    """The same images with the same noise at the same timesteps, the same tokens; with its dropout off."""
    listening = Listening(model_of(family), approach)
    batch, _, reference, _ = listening.heard[0]
    assert not listening.teacher.training
    with torch.no_grad():
        assert torch.equal(listening.teacher(batch), reference)
    assert not reference.requires_grad
    assert same(listening.before, weights(listening.teacher))
    assert not any(parameter.requires_grad for parameter in listening.teacher.parameters())


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_student_that_says_the_same_has_nothing_to_hear(family: str) -> None:
    model = no_dropout(family)
    batch = model.draw(model.collate(model.encode(data_of(family).test), torch.arange(4)), torch.Generator())
    said = model(batch)
    assert float(model.divergence(batch, said.detach(), said.detach(), 2.0)) == pytest.approx(0, abs=1e-6)


def test_the_weight_of_the_teacher_matters() -> None:
    """With none the student learns as it would alone."""
    ends = []
    for weight, alone in ((0.0, False), (0.0, True), (0.5, False)):
        transfer = prepare(transfer_of(language_model(), texts()), "distillation", distillation={"weight": weight})
        if alone:
            transfer.terms.clear()
        transfer.fit(3)
        ends.append(weights(transfer.model))
    assert same(ends[0], ends[1])
    assert not same(ends[0], ends[2])


def test_a_model_without_a_smaller_one_says_so() -> None:
    with pytest.raises(NotApplicable, match="no smaller student"):
        prepare(transfer_of(language_model(sizes={"num_hidden_layers": 1}), texts()), "distillation")


def finetuned(family: str, approach: str = "distillation", steps: int = 8, **options: Any) -> Transfer:
    transfer = transfer_of(no_dropout(family), data_of(family), steps=steps, decay="constant")
    return prepare(transfer, approach, distillation={"teacher": "finetuned"} | options)


@pytest.mark.parametrize(("share", "steps"), [(0.5, 4), (0.25, 2), (0.0, 0), (1.0, 7)])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_steps_of_a_finetuned_teacher_count(family: str, share: float, steps: int) -> None:
    transfer = fitted(finetuned(family, teacher_share=share))
    assert transfer.spent == ({"teacher": steps} if steps else {}) | {"": 8 - steps}
    assert transfer.taken == 8


@pytest.mark.parametrize("approach", ["distillation", "distillation + gradual_unfreezing", "distillation + lora"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_finetuned_teacher_learns_all_it_can_and_then_stays(family: str, approach: str) -> None:
    """By the target's loss alone, with all its weights, whatever becomes of the student; which does not move."""
    model = no_dropout(family)
    transfer = transfer_of(model, data_of(family), steps=8, decay="constant")
    prepare(transfer, approach, distillation={"teacher": "finetuned"})
    student, before = weights(transfer.model), [weight.detach().clone() for weight in model.parameters()]
    alone = transfer_of(no_dropout(family), data_of(family), steps=8, decay="constant")
    alone.practise("teacher", 4)

    (instruct,) = transfer.stages
    instruct(8)
    assert same(weights(model), weights(alone.model))
    assert not any(torch.equal(weight, value) for weight, value in zip(model.parameters(), before, strict=True))
    assert same(weights(transfer.model), student)
    taught = weights(model)
    transfer.fit(4)
    assert same(weights(model), taught)
    assert not same(weights(transfer.model), student)
    assert not model.training
    assert not any(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_student_hears_the_finetuned_teacher(family: str) -> None:
    transfer = finetuned(family)
    student, heard = transfer.model, list[tuple[Batch, Tensor]]()
    divergence = student.divergence

    def listen(batch: Batch, outputs: Tensor, reference: Tensor, temperature: float) -> Tensor:
        heard.append((batch, reference))
        return divergence(batch, outputs, reference, temperature)

    student.divergence = listen  # type: ignore[method-assign, assignment]
    fitted(transfer)
    alone = transfer_of(no_dropout(family), data_of(family), steps=8, decay="constant")
    alone.practise("teacher", 4)
    assert len(heard) == 4
    with torch.no_grad():
        assert torch.equal(alone.model(heard[0][0]), heard[0][1])
