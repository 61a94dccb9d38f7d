"""A GAN through the training loop, and what models without a critic or a latent say."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from bench import plugins
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.suite import composition
from tests.gan import Gan, gan
from tests.models import fitted, language_model, pictures, unet


def test_both_players_learn_each_against_its_own_loss() -> None:
    transfer = gan(400, pictures(200), batch_size=32, learning_rate=3e-4, decay="constant", validations=4)
    fitted(transfer)
    losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
    assert min(losses) < losses[0] / 3
    fresh = Gan()
    for player, before in zip(transfer.model.players(), fresh.players(), strict=True):
        pairs = zip(player.parameters(), before.parameters(), strict=True)
        assert not any(torch.equal(one, other) for one, other in pairs)


@pytest.mark.parametrize("shared", [False, True])
def test_what_a_turn_does_not_train_gets_no_gradient_in_it(shared: bool) -> None:
    """Unless it is the other player's, too."""
    transfer = gan(2)
    model: Any = transfer.model
    awake: list[tuple[bool, bool]] = []
    players = [model.network, nn.ModuleList([model.judge, model.network[0]]) if shared else model.judge]
    model.players = lambda: players

    def look(batch: Batch, outputs: Tensor) -> Tensor:
        awake.append((outputs.requires_grad, model.judge[0][0].weight.requires_grad))
        return outputs.new_zeros(())

    transfer.terms.append(look)
    fitted(transfer)
    assert awake == [(True, False), (shared, True)] * 2
    assert all(weight.requires_grad for weight in model.parameters())


@pytest.mark.parametrize("model", [language_model, unet])
def test_who_has_no_critic_says_so(model: type[Model]) -> None:
    for ask in (lambda: model().critic(), lambda: model().latent(), lambda: model().realness({})):
        with pytest.raises(NotApplicable, match=r"has no (critic|latent)"):
            ask()


@pytest.mark.parametrize("approach", ["freeze_d", "minegan"])
@pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
def test_the_reason_is_said_before_anything_is_trained(approach: str, family: str) -> None:
    parts = [plugins.find("approaches", approach)]
    reason = composition.inapplicable(parts, plugins.find("families", family))
    assert reason.startswith(f"{approach} needs a critic that tells real from generated")
    assert reason.endswith(f"; {family} has none")
