"""The critic's lower layers are frozen, and nothing else is."""

import pytest
import torch

from bench.errors import PluginError
from tests.gan import Gan, gan
from tests.models import fitted, prepare


@pytest.mark.parametrize(("share", "count"), [(0.0, 0), (0.25, 1), (0.5, 2), (0.75, 3)])
def test_as_many_parts_as_asked_stay_to_the_last_bit(share: float, count: int) -> None:
    transfer = prepare(gan(), "freeze_d", freeze_d={"share": share})
    fitted(transfer)
    fresh, model = Gan(), transfer.model
    kept = [
        all(torch.equal(one, other) for one, other in zip(part.parameters(), old.parameters(), strict=True))
        for part, old in zip(model.critic(), fresh.critic(), strict=True)
    ]
    assert kept == [True] * count + [False] * (4 - count)
    moved = zip(model.network.parameters(), fresh.network.parameters(), strict=True)
    assert not any(torch.equal(one, other) for one, other in moved), "the generator learns"


def test_frozen_layers_take_no_gradient_and_no_place_in_the_optimizer() -> None:
    transfer = prepare(gan(), "freeze_d")
    frozen = {weight for part in transfer.model.critic()[:2] for weight in part.parameters()}
    assert not frozen & set(transfer.trainable())
    fitted(transfer)
    assert all(weight.grad is None for weight in frozen)


def test_a_critic_that_could_not_learn_is_one_line() -> None:
    with pytest.raises(PluginError, match=r"^approach freeze_d: option 'share': 0.9 will not do; .*all 4 parts"):
        prepare(gan(), "freeze_d", freeze_d={"share": 0.9})
