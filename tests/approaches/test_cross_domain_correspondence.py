"""How alike images are to each other, and that it stays so."""

import math

import pytest
import torch

from bench import plugins
from bench.approaches._features import Tap
from bench.approaches.cross_domain_correspondence import apart, likeness
from bench.errors import NotApplicable
from bench.suite import composition
from bench.transfer import Transfer
from tests.models import batch_of, pictures, prepare, transfer_of, unet

ROWS = torch.tensor([[1.0, 0.0], [0.0, 2.0], [3.0, 3.0]])


def prepared(weight: float = 1000.0, batch_size: int = 4) -> Transfer:
    transfer = transfer_of(unet(), pictures(), steps=20, batch_size=batch_size, decay="constant")
    return prepare(transfer, "cross_domain_correspondence", cross_domain_correspondence={"weight": weight})


def test_likeness_is_a_softmax_over_cosines_with_the_others() -> None:
    diagonal = math.exp(math.sqrt(0.5))
    first = [1 / (1 + diagonal), diagonal / (1 + diagonal)]  # of the first image with the second and the third
    expected = torch.tensor([first, first, [0.5, 0.5]])
    assert torch.allclose(likeness(ROWS).exp(), expected, atol=1e-6)


def test_maps_are_compared_as_a_whole() -> None:
    maps = torch.randn(5, 3, 4, 4)
    assert torch.equal(likeness(maps), likeness(maps.flatten(1)))
    assert torch.allclose(likeness(maps).exp().sum(1), torch.ones(5))


def test_half_precision_is_too_coarse_for_cosines() -> None:
    features = torch.randn(6, 64)
    expected = likeness(features)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(likeness(features), expected)


def test_the_divergence_is_ours_from_theirs() -> None:
    other = torch.tensor([[1.0, 0.0], [1.0, 0.1], [0.0, 1.0]])
    p, q = likeness(ROWS), likeness(other)
    expected = sum(float(p[i, j].exp() * (p[i, j] - q[i, j])) for i in range(3) for j in range(2)) / 3
    assert apart(ROWS, other).item() == pytest.approx(expected, rel=1e-5)
    assert expected > 0
    assert apart(ROWS, ROWS).item() == pytest.approx(0, abs=1e-7)


def test_what_keeps_angles_keeps_likeness() -> None:
    """All images may become others, as long as they do it alike."""
    features = torch.randn(6, 8)
    turn, _ = torch.linalg.qr(torch.randn(8, 8))
    assert apart(3 * features @ turn, features).item() == pytest.approx(0, abs=1e-6)
    assert apart(features.roll(1, 0)[torch.randperm(6)], features).item() > 1e-4


def test_the_loss_is_the_own_and_the_mean_over_blocks() -> None:
    transfer, pretrained = prepared(weight=50.0), unet()
    (term,) = transfer.terms
    model, batch = transfer.model, batch_of(transfer.model, pictures())
    assert term(batch, model(batch)).item() == pytest.approx(0, abs=1e-4)
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(weight.numel())))
    features = []
    for one in (model, pretrained):
        tap = Tap(one, [1, 2, 3, 4, 5])
        features.append(tap.take(one(batch)))
    expected = 50 * sum(apart(mine, other).item() for mine, other in zip(*features, strict=True)) / 5
    assert expected > 0
    assert term(batch, model(batch)).item() == pytest.approx(expected, rel=1e-4)


def test_more_weight_keeps_images_as_alike_as_they_were() -> None:
    ends = []
    for weight in (0.0, 1e6):
        transfer = prepared(weight, batch_size=6)
        transfer.practise("without validation", 20)
        judge, batch = prepared(1.0), batch_of(transfer.model, pictures(), rows=6)
        judge.model.load_state_dict(transfer.model.state_dict())
        (term,) = judge.terms
        ends.append(term(batch, judge.model(batch)).item())
    assert ends[1] < ends[0] / 2


def test_it_takes_images_and_three_of_them() -> None:
    parts = [plugins.find("approaches", "cross_domain_correspondence")]
    assert "needs images" in composition.inapplicable(parts, plugins.find("families", "causal_lm"))
    with pytest.raises(NotApplicable, match="it takes 3"):
        prepared(batch_size=2)
    assert apart(torch.randn(1, 4), torch.randn(1, 4)).item() == 0, "where memory holds but one at a time"
