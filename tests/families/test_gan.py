"""GANs: what each player learns, what validation goes by, and checkpoints."""

import copy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.approaches._prestage import practise_on
from bench.errors import NotApplicable
from bench.families._sliced import directions, distance
from bench.families.gan import Gan
from bench.model import Batch
from tests.models import batch_of, fitted, pictures, prepare, same, source_pictures, transfer_of, whole
from tests.small.gan import model

KINDS = ["stylegan2", "dcgan", "sngan"]


def batch(gan: Gan, rows: int = 4, shape: tuple[int, int, int] = (8, 8, 1)) -> Batch:
    return batch_of(gan, pictures(shape=shape), rows)


def sampled(gan: Gan, rows: int = 4, seed: int = 0) -> Tensor:
    with torch.inference_mode():
        return gan.sample(batch(gan, rows), torch.Generator().manual_seed(seed))["images"]


# Parts ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (16, 16, 3), (32, 32, 1)])
def test_every_side_and_kind_has_its_parts(kind: str, shape: tuple[int, int, int]) -> None:
    gan = model(kind, shape)
    given = batch(gan, 3, shape)
    assert gan(given).shape == (3, shape[2], *shape[:2])
    assert gan.realness(given).shape == (3,)
    for parts, player in ((gan.blocks(), gan.network), (gan.critic(), gan.judge)):
        found = [id(weight) for part in parts for weight in part.parameters()]
        assert sorted(found) == sorted(id(weight) for weight in player.parameters()), "each weight once"
    blocks = gan.blocks()
    assert blocks[-1] is gan.generating_end()[-1]
    assert blocks[0] not in gan.generating_end()
    assert gan.latent() == given["latents"].shape[1]


@pytest.mark.parametrize("kind", KINDS)
def test_features_pass_through_every_block(kind: str) -> None:
    """So an approach that changes what a block hands on is heard."""
    gan = model(kind, (16, 16, 1))
    given = batch(gan, 2, (16, 16, 1))
    plain = gan(given)
    for block in gan.blocks():
        handle = block.register_forward_hook(
            lambda module, args, out: (2 * out[0], *out[1:]) if isinstance(out, tuple) else 2 * out
        )
        assert not torch.equal(gan(given), plain)
        handle.remove()


@pytest.mark.parametrize("kind", ["dcgan", "sngan"])
def test_samples_do_not_depend_on_each_other(kind: str) -> None:
    """Running statistics, not the batch's, normalise in sampling."""
    gan = model(kind)
    fitted(transfer_of(gan, pictures()))
    with torch.inference_mode():
        drawn = batch(gan)
        assert torch.allclose(gan(drawn)[:1], gan({name: value[:1] for name, value in drawn.items()}), atol=1e-6)


def test_the_critic_of_an_sngan_has_a_spectral_norm_of_one() -> None:
    gan = model("sngan")
    for _ in range(50):  # power iterations
        gan.train().realness(batch(gan))
    for module in gan.eval().judge.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            assert torch.linalg.matrix_norm(module.weight.flatten(1), 2).item() == pytest.approx(1, abs=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_a_student_has_half_the_channels_and_the_same_critic(kind: str) -> None:
    gan = model(kind)
    student = gan.student()
    assert student.architecture.widths() == [width // 2 for width in gan.architecture.widths()]
    assert same(weights_of(gan.judge), weights_of(student.judge))
    if kind == "stylegan2":
        assert same(weights_of(gan.network.mapping), weights_of(student.network.mapping))
    assert student(batch(gan)).shape == gan(batch(gan)).shape, "of the same latents"
    with pytest.raises(NotApplicable, match="no smaller generator"):
        student.student().student()


def weights_of(network: nn.Module) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in network.state_dict().items()}


# Losses ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_players_gradients_do_not_leak_into_each_other(kind: str) -> None:
    gan = model(kind, path_length=2.0) if kind == "stylegan2" else model(kind)
    gan.critic()[0].requires_grad_(False)
    frozen = {weight for weight in gan.parameters() if not weight.requires_grad}
    given = batch(gan)
    for player, other in (gan.players(), gan.players()[::-1]):
        gan.zero_grad()
        gan.loss(given, gan(given), player).backward()
        assert all(weight.grad is None for weight in other.parameters())
        assert any(weight.grad is not None for weight in player.parameters())
        assert {weight for weight in gan.parameters() if not weight.requires_grad} == frozen


@pytest.mark.parametrize(("kind", "hinge"), [("stylegan2", False), ("dcgan", False), ("sngan", True)])
def test_losses_are_those_of_the_papers(kind: str, hinge: bool) -> None:
    gan = model(kind, r1=0.0)
    given, outputs = batch(gan), gan(batch(gan))
    made, real = gan.realness(given, outputs), gan.realness(given)
    one, zero = torch.ones(4), torch.zeros(4)
    if hinge:
        critic, generator = torch.maximum(zero, 1 - real) + torch.maximum(zero, 1 + made), -made
    else:
        cross = F.binary_cross_entropy_with_logits
        critic, generator = cross(real, one) + cross(made, zero), cross(made, one)
    assert torch.allclose(gan.loss(given, outputs, gan.judge), critic.mean(), atol=1e-5)
    assert torch.allclose(gan.loss(given, outputs, gan.network), generator.mean(), atol=1e-5)


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_r1_of_a_linear_critic_is_its_squared_weight(share: float) -> None:
    """Whatever share of the rows it is taken of."""
    plain, held = model(r1=0.0), model(r1=3.0, share=share)
    linear = nn.Linear(64, 1)
    plain.judge = held.judge = nn.Sequential(nn.Flatten(), linear)
    given, outputs = batch(held), held(batch(held))
    penalty = held.loss(given, outputs, held.judge) - plain.loss(given, outputs, plain.judge)
    assert penalty.item() == pytest.approx(3.0 / 2 * linear.weight.square().sum().item(), rel=1e-4)


def test_r1_reaches_the_critics_weights_through_its_gradient() -> None:
    """Of (a · x)² / 2 the gradient is (a · x) a, whose squared length is (a · x)² |a|²."""

    class Quadratic(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.direction = nn.Parameter(torch.randn(64, 1))

        def forward(self, images: Tensor) -> Tensor:
            return (images.flatten(1) @ self.direction).square() / 2

    held, plain = model(r1=1.0, share=1.0), model(r1=0.0)
    critic = held.judge = plain.judge = Quadratic()  # type: ignore[assignment]
    given, outputs = batch(held), held(batch(held))
    penalty = held.loss(given, outputs, held.judge) - plain.loss(given, outputs, plain.judge)
    along = (given["images"].flatten(1) @ critic.direction)[:, 0]
    wanted = (along.square() * critic.direction.square().sum()).mean() / 2
    assert penalty.item() == pytest.approx(wanted.item(), rel=1e-4)
    for found, expected in zip(
        torch.autograd.grad(penalty, critic.direction), torch.autograd.grad(wanted, critic.direction), strict=True
    ):
        assert torch.allclose(found, expected, rtol=1e-3, atol=1e-2)


def test_path_lengths_of_a_linear_generator() -> None:
    """Of images A w the gradient of (A w) · y is Aᵀ y, whose length is held to the mean over time."""

    class Straight(nn.Module):
        noise_width = 0

        def __init__(self) -> None:
            super().__init__()
            self.matrix = nn.Parameter(torch.randn(6, 64))

        def forward(self, latents: Tensor, *, with_styles: bool = False) -> Any:
            images = (latents @ self.matrix).view(-1, 1, 8, 8)
            return (images, latents) if with_styles else images

    gan = model(path_length=1.0, share=1.0).train()
    generator = gan.network = Straight()
    given = batch(gan)
    given["latents"].requires_grad_()
    lengths = (generator.matrix @ given["directions"].flatten(1).T / 8).norm(dim=0)
    gan.path_mean.fill_(2.0)
    mean = 2.0 + 0.01 * (lengths.mean().item() - 2.0)
    assert gan._path_lengths(given).item() == pytest.approx((lengths - mean).square().mean().item(), rel=1e-4)
    assert gan.path_mean.item() == pytest.approx(mean)
    gan.eval()._path_lengths(given)
    assert gan.path_mean.item() == pytest.approx(mean), "it moves in training alone"


# Validation -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_validation_does_not_ask_the_critic(kind: str) -> None:
    gan, other = model(kind), model(kind)
    other.judge = other.fresh().judge
    given = batch(gan)
    assert torch.equal(gan.loss(given, gan(given)), other.loss(given, gan(given)))


@pytest.mark.parametrize(("side", "levels"), [(8, 1), (16, 2), (32, 3)])
def test_the_distance_of_constant_pictures(side: int, levels: int) -> None:
    """They differ at the coarsest level alone, there by c times each direction's sum."""
    along = directions(1)
    dark, bright = torch.zeros(5, 1, side, side), torch.full((5, 1, side, side), 0.5)
    wanted = 0.5 * along.sum(0).abs().mean().item() / levels
    assert distance(dark, bright, along).item() == pytest.approx(wanted, rel=1e-4)


def test_the_distance_is_one_of_sets() -> None:
    images, along = torch.randn(6, 3, 16, 16), directions(3)
    assert distance(images, images.flip(0), along).item() == pytest.approx(0, abs=1e-6)
    assert distance(images, 2 * images, along) > 0.05, "details count"
    assert torch.allclose(along.norm(dim=0), torch.ones(128), atol=1e-6)
    assert torch.equal(along, directions(3))


def test_the_average_is_validated_and_training_does_not_know_it() -> None:
    curves = []
    for averaging in (0.0, 0.9):
        transfer = fitted(transfer_of(model(averaging=averaging), pictures(), steps=6))
        assert transfer.model.averaging == averaging
        curves.append([[row[name] for row in transfer.curve if name in row] for name in _LOSSES])
    (trained, validated), (also_trained, averaged) = curves
    assert trained == also_trained
    assert validated[0] == averaged[0]
    assert validated[1:] != averaged[1:]


_LOSSES = ("train_loss", "validation_loss")


# Sampling -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_seed_gives_the_same_images(kind: str) -> None:
    gan = model(kind)
    assert torch.equal(sampled(gan, seed=1), sampled(gan, seed=1))
    assert not torch.equal(sampled(gan, seed=1), sampled(gan, seed=2))
    assert gan.decode({"images": sampled(gan)}).shape == (4, 8, 8, 1)


def test_truncation_brings_samples_together() -> None:
    def spread(truncation: float, approach: str) -> float:
        gan = model(truncation=truncation)
        prepare(transfer_of(gan, pictures()), approach)
        with torch.no_grad():
            for name, weight in gan.network.named_parameters():
                if name.endswith("noise_strength"):
                    weight.zero_()
        return float(sampled(gan.eval(), rows=6).std(0).mean())

    for approach in ("full_finetuning", "minegan"):
        none, half, full = (spread(psi, approach) for psi in (0.0, 0.5, 1.0))
        assert none == pytest.approx(0, abs=1e-6)
        assert 0 < half < full


def test_the_mean_style_follows_the_weights() -> None:
    gan = model(truncation=0.0)
    before = sampled(gan)
    with torch.no_grad():
        gan.network.mapping.layers[-1].bias += 100.0
    assert not torch.allclose(before, sampled(gan))


# Data -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (12, 20, 3), (28, 28, 1)])
def test_images_of_other_sizes_and_colours_are_brought_to_its_own(shape: tuple[int, int, int]) -> None:
    gan, images = model(), pictures(shape=shape).train
    rows = whole(gan, images)
    assert rows["images"].shape == (12, 1, 8, 8)
    assert rows["images"].abs().max() <= 1
    if shape == (8, 8, 1):
        assert (gan.decode(rows) == images).all()


# Approaches -----------------------------------------------------------------------------------------------------------


def test_a_player_of_which_nothing_trains_stays_as_it_is() -> None:
    transfer = transfer_of(model(), pictures())
    transfer.model.players()[1].requires_grad_(False)
    before = weights_of(transfer.model.critic()[-1])
    fitted(transfer)
    assert same(before, weights_of(transfer.model.critic()[-1]))


def test_the_critic_is_awake_while_blocks_thaw() -> None:
    transfer = prepare(transfer_of(model(), pictures()), "gradual_unfreezing")
    for progress in (0.0, 0.25, 0.9):
        for hook in transfer.schedule:
            hook(progress)
        assert all(weight.requires_grad for part in transfer.model.critic() for weight in part.parameters())
        assert all(w.requires_grad for w in transfer.model.blocks()[0].parameters()) == (progress == 0.9)


def test_a_copy_asks_its_own_critic_behind_augmentation() -> None:
    gan = prepare(transfer_of(model(), pictures()), "augmentation").model.eval()
    twin, given = copy.deepcopy(gan), batch_of(gan, pictures())
    with torch.no_grad():
        for weight in twin.critic()[-1].parameters():
            weight.zero_()
    assert not gan.realness(given).eq(0).any()
    assert twin.realness(given).eq(0).all()


@pytest.mark.parametrize("method", ["reptile", "fomaml"])
def test_running_statistics_start_alike_on_each_sub_domain(method: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Tensor] = []

    def noting(transfer: Any, *given: Any, **named: Any) -> None:
        seen.append(transfer.model.network.first[2].running_mean.clone())
        practise_on(transfer, *given, **named)

    monkeypatch.setattr("bench.approaches.meta_learning.practise_on", noting)
    transfer = transfer_of(model("dcgan"), pictures(), steps=24, source=source_pictures())
    options = {"method": method, "inner_steps": 2, "tasks": 2, "share": 0.5}
    fitted(prepare(transfer, "meta_learning", meta_learning=options))
    assert len(seen) == 6 if method == "reptile" else len(seen) == 4
    for one, other in zip(seen[::2], seen[1::2], strict=True):
        assert torch.equal(one, other)
    assert not torch.equal(seen[0], seen[2]), "from one update to the next they move"
