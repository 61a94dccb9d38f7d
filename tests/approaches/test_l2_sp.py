"""Pulled back to the start, and only to the start."""

import pytest
import torch
from torch import Tensor

from bench.transfer import Transfer
from tests.models import EXEMPLARS, batch_of, data_of, fitted, model_of, prepare, transfer_of

OPTIONS = {"alpha": 0.3, "beta": 0.2}


def prepared(family: str, approach: str = "l2_sp", steps: int = 12, **options: float) -> Transfer:
    transfer = transfer_of(model_of(family), data_of(family), steps=steps, weight_decay=0.0, decay="constant")
    return prepare(transfer, approach, l2_sp=OPTIONS | options)


def pull(transfer: Transfer) -> Tensor:
    (term,) = transfer.terms
    batch = batch_of(transfer.model, transfer.data)
    return term(batch, transfer.model(batch))


def moved(transfer: Transfer, start: list[Tensor]) -> float:
    pairs = zip(transfer.model.parameters(), start, strict=True)
    return sum(float((weight.detach() - value).square().sum()) for weight, value in pairs)


def values(transfer: Transfer) -> list[Tensor]:
    return [weight.detach().clone() for weight in transfer.model.parameters()]


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_pull_is_half_alpha_times_the_squared_distance(family: str) -> None:
    transfer = prepared(family)
    assert pull(transfer).item() == 0
    weights = transfer.trainable()
    with torch.no_grad():
        for weight in weights:
            weight.add_(0.5)
    loss = pull(transfer)
    count = sum(weight.numel() for weight in weights)
    assert loss.item() == pytest.approx(0.3 / 2 * 0.25 * count, rel=1e-4)
    (gradient,) = torch.autograd.grad(loss, weights[:1])
    assert torch.allclose(gradient, torch.full_like(gradient, 0.3 * 0.5), atol=1e-6), "α (w - w⁰)"


@pytest.mark.parametrize("approach", ["lora + augmentation + l2_sp", "l2_sp + lora + augmentation"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_new_weights_are_pulled_to_zero(family: str, approach: str) -> None:
    """With lora all that trains is new; the order of the parts makes no difference."""
    transfer = prepared(family, approach)
    new = transfer.trainable()
    assert not any(transfer.is_pretrained(weight) for weight in new)
    expected = 0.2 / 2 * sum(float(weight.detach().square().sum()) for weight in new)
    assert expected > 0
    assert pull(transfer).item() == pytest.approx(expected, rel=1e-5)
    assert pull(fitted(transfer)).item() > 0


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_new_head_is_pulled_to_zero_and_frozen_features_to_nowhere(family: str) -> None:
    transfer = prepared(family, "feature_extraction + l2_sp")
    with torch.no_grad():
        for weight in transfer.model.parameters():
            weight.add_(0.1 * (not weight.requires_grad))
    new = sum(float(weight.detach().square().sum()) for weight in transfer.trainable())
    assert pull(transfer).item() == pytest.approx(0.2 / 2 * new, rel=1e-5)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_what_thaws_late_is_pulled_to_the_pretrained_weights_too(family: str) -> None:
    transfer = prepared(family, "gradual_unfreezing + l2_sp")
    start = values(transfer)
    transfer.fit(transfer.steps)
    assert pull(transfer).item() == pytest.approx(0.3 / 2 * moved(transfer, start), rel=1e-3)
    assert moved(transfer, start) > 0


@pytest.mark.parametrize("approach", ["self_supervised + l2_sp", "gradual_unfreezing + self_supervised + l2_sp"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_start_is_before_a_pre_stage(family: str, approach: str) -> None:
    transfer = prepared(family, approach)
    start = values(transfer)
    for stage in transfer.stages:
        stage(transfer.steps)
    assert moved(transfer, start) > 0
    assert pull(transfer).item() == pytest.approx(0.3 / 2 * moved(transfer, start), rel=1e-3)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_a_strong_pull_keeps_the_weights_near(family: str) -> None:
    apart = []
    for alpha in (0.0, 100.0):
        transfer = prepared(family, alpha=alpha)
        start = values(transfer)
        transfer.practise("without validation", transfer.steps)
        apart.append(moved(transfer, start))
    assert apart[1] < apart[0] / 4
