"""The old answers are kept while the new ones are learned."""

import gc
import weakref

import pytest
import torch
from torch import Tensor

from bench.errors import NotApplicable
from bench.model import Batch, Model
from tests.models import (
    EXEMPLARS,
    batch_of,
    data_of,
    fitted,
    language_model,
    model_of,
    prepare,
    texts,
    transfer_of,
    unet,
)

NO_DROPOUT = {"resid_pdrop": 0.0, "embd_pdrop": 0.0, "attn_pdrop": 0.0}


def no_dropout(family: str) -> Model:
    return language_model(sizes=NO_DROPOUT) if family == "causal_lm" else unet()


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_loss_is_the_own_and_the_divergence_from_what_was_said_before(family: str) -> None:
    model = no_dropout(family)
    transfer = prepare(transfer_of(model, data_of(family), steps=6), "lwf", lwf={"weight": 0.7, "temperature": 3.0})
    before, heard = no_dropout(family), list[tuple[Batch, Tensor, Tensor, float]]()
    divergence = model.divergence

    def listen(batch: Batch, outputs: Tensor, reference: Tensor, temperature: float) -> Tensor:
        heard.append((batch, outputs.detach(), reference, temperature))
        return divergence(batch, outputs, reference, temperature)

    model.divergence = listen  # type: ignore[method-assign, assignment]
    fitted(transfer)
    losses = [row["train_loss"] for row in transfer.curve if "train_loss" in row]
    assert len(heard) == 6
    for (batch, outputs, reference, temperature), loss in zip(heard, losses, strict=True):
        assert temperature == 3.0
        with torch.no_grad():
            assert torch.equal(before(batch), reference), "the pretrained model, for the same noise, at every step"
        own, apart = model.loss(batch, outputs), divergence(batch, outputs, reference, temperature)
        assert loss == pytest.approx(float(own + 0.7 * apart), rel=1e-5)
    assert float(divergence(*heard[0])) == pytest.approx(0, abs=1e-6)
    assert float(divergence(*heard[-1])) > 1e-6


@pytest.mark.parametrize("family", EXEMPLARS)
def test_more_weight_forgets_less(family: str) -> None:
    data, apart = data_of(family), []
    for weight in (0.0, 100.0):
        model = no_dropout(family)
        transfer = prepare(transfer_of(model, data, steps=10, decay="constant"), "lwf", lwf={"weight": weight})
        transfer.practise("without validation", 10)
        batch = batch_of(model, data)
        with torch.no_grad():
            apart.append(float(model.divergence(batch, model(batch), no_dropout(family)(batch))))
    assert apart[1] < apart[0] / 2


@pytest.mark.parametrize("approach", ["lwf", "delta", "lora + lwf + delta"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_copy_is_no_part_of_the_model(family: str, approach: str) -> None:
    alone, parts = model_of(family), [part for part in approach.split(" + ") if part == "lora"]
    for part in parts:
        prepare(transfer_of(alone, data_of(family)), part)
    transfer = prepare(transfer_of(model_of(family), data_of(family)), approach)
    assert [*transfer.model.state_dict()] == [*alone.state_dict()]
    assert sum(1 for _ in transfer.model.parameters()) == sum(1 for _ in alone.parameters())


@pytest.mark.parametrize("part", ["prompt_tuning", "prefix_tuning", "adapter", "lora", "bitfit", "dora", "peft"])
def test_what_was_said_before_is_what_the_pretrained_model_said(part: str) -> None:
    """Also where what was added changes it from the start, such as a random prompt."""
    options = {"method": "lora", "options": {"init_lora_weights": False}} if part == "peft" else {}
    for approach in (f"{part} + lwf + delta", f"lwf + delta + {part}"):
        model, before = no_dropout("causal_lm"), no_dropout("causal_lm")
        transfer = prepare(transfer_of(model, texts()), approach, **{part: options})
        batch = batch_of(model, texts())
        with torch.no_grad():
            said = before(batch)
            assert torch.equal(transfer.original()(batch), said)
            changed = float(model.divergence(batch, model(batch), said, 2.0))
        assert (changed > 1e-6) == (part in ("prompt_tuning", "prefix_tuning", "peft"))
        lwf, delta = transfer.terms
        assert lwf(batch, model(batch)).item() == pytest.approx(changed, abs=1e-6)
        assert (delta(batch, model(batch)).item() > 1e-6) == (changed > 1e-6)
        fitted(transfer)


def test_all_that_hold_to_it_hold_one_copy() -> None:
    transfer = prepare(transfer_of(unet(), data_of("diffusion")), "lwf + delta + cross_domain_correspondence")
    models = [m for term in transfer.terms for c in term.__closure__ or () if isinstance(m := c.cell_contents, Model)]
    assert len(models) == 3
    assert len({id(model) for model in models}) == 1
    assert not any(weight.requires_grad for weight in models[0].parameters())
    gone = weakref.ref(prepare(transfer_of(unet(), data_of("diffusion")), "lwf").original())
    gc.collect()
    assert gone() is None, "and it goes with them"


@pytest.mark.parametrize("approach", ["lwf", "delta"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_stands_before_what_puts_new_weights_in_place_of_old_ones(family: str, approach: str) -> None:
    with pytest.raises(NotApplicable, match=f"{approach} needs the pretrained model"):
        prepare(transfer_of(model_of(family), data_of(family)), f"feature_extraction + {approach}")
    fitted(prepare(transfer_of(model_of(family), data_of(family)), f"{approach} + feature_extraction"))
    prepare(transfer_of(model_of(family), data_of(family)), f"lora + {approach}")


def test_what_was_replaced_is_known_by_its_place() -> None:
    """A tied embedding is still there when its other place, the head, has got a weight of its own."""
    transfer = transfer_of(language_model(), texts())
    assert transfer.replaced() == []
    prepare(transfer, "feature_extraction")
    assert transfer.replaced() == ["network.lm_head.weight"]
    assert transfer.is_pretrained(transfer.model.network.get_parameter("transformer.wte.weight"))
    assert prepare(transfer_of(language_model(), texts()), "lora").replaced() == []
    student = prepare(transfer_of(language_model(), texts()), "distillation")
    assert len(student.replaced()) == 53
