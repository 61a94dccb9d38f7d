"""A GAN through the training loop, and what models without a critic or a latent say."""

import pytest
import torch

from bench import composition, plugins
from bench.errors import NotApplicable
from bench.model import Model
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
