"""A miner that steers a GAN's latent: alone first, then with everything."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from bench.dataset import Dataset
from tests.gan import WIDTH, Gan, gan
from tests.models import fitted, pictures, prepare, same, transfer_of, weights


class Watch:
    """What of a GAN moved in each step."""

    def __init__(self, steps: int = 8, **options: object) -> None:
        self.transfer = prepare(gan(steps), "minegan", minegan=options)
        self.model: Any = self.transfer.model
        self.moved: list[set[str]] = []
        self.before = self.parts()
        self.transfer.schedule.insert(0, self._note)  # before each step, so what the one before it has moved
        self.transfer.fit(steps)

    def parts(self) -> dict[str, dict[str, torch.Tensor]]:
        network, critic = self.model.players()
        found = {"miner": network.miner, "generator": network.steered, "critic": critic}
        return {
            name: {key: value.detach().clone() for key, value in part.state_dict().items()}
            for name, part in found.items()
        }

    def _note(self, progress: float) -> None:
        now = self.parts()
        if progress:
            self.moved.append({name for name in now if not same(now[name], self.before[name])})
        self.before = now


def test_first_the_miner_and_the_critic_learn_and_then_everything() -> None:
    moved = Watch(steps=8, alone=0.5).moved
    assert moved == [{"miner", "critic"}] * 4 + [{"miner", "critic", "generator"}] * 3


def test_the_generator_may_stay_as_it_was() -> None:
    assert Watch(steps=5, alone=1.0).moved == [{"miner", "critic"}] * 4
    assert Watch(steps=5, alone=0.0).moved == [{"miner", "critic", "generator"}] * 4


def steered(**options: Any) -> Any:
    """A GAN with a miner."""
    return prepare(gan(), "minegan", minegan=options).model


def test_latents_go_through_the_miner_in_learning_and_in_sampling() -> None:
    model, plain = steered(layers=3), Gan()
    miner, latents = model.network.miner, torch.randn(5, WIDTH)
    assert torch.equal(model({"latents": latents}), plain({"latents": miner(latents)}))
    assert [type(part) for part in miner] == [nn.Linear, nn.ReLU, nn.Linear, nn.ReLU, nn.Linear]
    batch = model.collate(model.encode(pictures().test), torch.arange(4))
    model.network.miner = nn.Sequential(nn.Linear(WIDTH, WIDTH))
    nn.init.zeros_(model.network.miner[0].weight)
    drawn = model.sample(batch, torch.Generator().manual_seed(0))["images"]
    assert torch.equal(drawn[0], drawn[1]), "a miner that always finds the same"


def test_the_network_answers_as_before() -> None:
    model = steered()
    assert [type(part) for part in model.network.children()] == [nn.Sequential, nn.Sequential]
    assert len(model.network.steered) == 5
    assert callable(model.network.append), "asked of the generator"
    with pytest.raises(AttributeError, match="nothing_of_the_kind"):
        _ = model.network.nothing_of_the_kind


def test_what_another_approach_froze_stays_frozen() -> None:
    transfer = prepare(gan(6), "minegan", minegan={"alone": 0.5})
    (first,) = [part for part in transfer.model.network.modules() if getattr(part, "out_features", 0) == 32]
    assert isinstance(first, nn.Linear)
    first.requires_grad_(False)
    before = first.weight.clone()
    fitted(transfer)
    assert torch.equal(first.weight, before)


def test_it_is_stored_with_its_miner() -> None:
    trained = prepare(gan(6), "minegan")
    kept = trained.stored()
    fitted(trained)
    again = prepare(gan(6), "minegan")
    with torch.no_grad():
        for name, tensor in again.stored().items():
            tensor.copy_(kept[name])
    assert any("miner" in name for name in kept)
    assert same(weights(trained.model), weights(again.model))


def test_mining_finds_what_a_frozen_generator_knows() -> None:
    """A generator whose first latent says which half of a picture is bright, and a target where the left one is."""
    random = np.random.default_rng(0)
    images = random.integers(0, 76, (60, 8, 8, 1), dtype=np.uint8)
    images[:, :, :4] += 180
    left = Dataset("left", "image", images[:40], images[40:50], images[50:])
    made = nn.Linear(WIDTH, 64)
    with torch.no_grad():
        for weight in made.parameters():
            weight.zero_()
        made.weight[:, 0] = torch.tensor([1.0] * 4 + [-1.0] * 4).repeat(8)
    generator = nn.Sequential(made, nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    model: Any = Gan()
    model.network = generator
    known = {name: value.clone() for name, value in generator.state_dict().items()}
    transfer = transfer_of(model, left, steps=100, batch_size=16, learning_rate=3e-3, decay="constant", clip=None)
    fitted(prepare(transfer, "minegan", minegan={"alone": 1.0}))
    found = model.network.miner(torch.randn(1000, WIDTH))[:, 0]
    assert float((found > 0).float().mean()) > 0.95, "before, half of the latents were"
    assert same(known, generator.state_dict())
