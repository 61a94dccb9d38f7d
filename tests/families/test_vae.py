"""The likelihood of pixels, the bound and how close it is to the likelihood itself, codes, and checkpoints."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.distributions import Normal, kl_divergence

from bench.errors import CheckpointError, NotApplicable
from bench.families.autoencoder import Autoencoder
from bench.families.vae import VAE, divergence_from_prior, log_mass
from bench.model import Batch
from tests.models import batch_of, disturbed, fitted, outputs, pictures, same, saved, transfer_of, weights

FLAT: dict[str, Any] = {"block_out_channels": [8, 16], "latent_dim": 4, "norm_num_groups": 4}
MAPS: dict[str, Any] = {"block_out_channels": [8, 16], "latent_channels": 2, "norm_num_groups": 4}
MAPS |= {"kind": "autoencoder_kl"}
BOTH = pytest.mark.parametrize("architecture", [FLAT, MAPS], ids=["convolutional", "autoencoder_kl"])


def vae(architecture: dict[str, Any] = FLAT, shape: tuple[int, int, int] = (8, 8, 1), **options: Any) -> VAE:
    torch.manual_seed(0)
    model = VAE.from_architecture(architecture, pictures(shape=shape), **options)
    disturbed(model.network)
    return model.eval()


def load(folder: Path, **options: Any) -> VAE:
    return VAE.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


# Likelihood -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("log_scale", [-7.0, -3.0, 0.0, 2.0])
@pytest.mark.parametrize("mean", [-3.0, -1.0, 0.1234, 1.0])
def test_the_256_values_of_a_pixel_have_mass_one(mean: float, log_scale: float) -> None:
    values = torch.arange(256, dtype=torch.float64) / 127.5 - 1
    mass = log_mass(values, torch.full_like(values, mean), torch.tensor([log_scale], dtype=torch.float64))
    assert torch.isfinite(mass).all()
    assert float(mass.exp().sum()) == pytest.approx(1, abs=1e-9)


def test_a_bin_has_the_mass_of_the_logistic_between_its_edges() -> None:
    value, mean, scale = 100 / 127.5 - 1, -0.15, 0.2
    above, below = (1 / (1 + math.exp(-(value + side / 255 - mean) / scale)) for side in (1, -1))
    got = log_mass(*(torch.tensor([number], dtype=torch.float64) for number in (value, mean, math.log(scale))))
    assert float(got.exp()) == pytest.approx(above - below, rel=1e-9)


def test_far_off_values_keep_their_gradient() -> None:
    mean = torch.tensor([0.9], requires_grad=True)
    log_mass(torch.tensor([-0.5]), mean, torch.tensor([-6.0])).sum().backward()
    assert mean.grad is not None
    assert float(mean.grad) == pytest.approx(-math.exp(6), rel=1e-3)


def test_divergence_is_that_of_gaussians() -> None:
    mean, logvar = torch.randn(5, 3), torch.randn(5, 3)
    expected = kl_divergence(Normal(mean, (logvar / 2).exp()), Normal(0.0, 1.0)).sum(1)
    assert torch.allclose(divergence_from_prior(mean, logvar), expected, atol=1e-6)
    assert float(divergence_from_prior(torch.zeros(1, 3), torch.zeros(1, 3))) == 0


# The bound ------------------------------------------------------------------------------------------------------------


def on_a_line(**options: Any) -> VAE:
    """A model whose code is one number, so that its likelihood can be integrated."""
    model = vae(FLAT | {"latent_dim": 1}, **options)
    with torch.no_grad():
        model.network.body.from_latent[0].weight *= 3
        model.network.beside.weight.zero_()  # blurred pixels, so that many codes explain a picture
    return model


def likelihood(model: VAE, batch: Batch) -> tuple[Tensor, Tensor]:
    """log p(x) of each row, and KL(q ‖ p(z | x)), by sums over a fine grid of codes."""
    grid = torch.linspace(-8, 8, 1601)
    images, scale = model.network(codes=grid[:, None]).double().flatten(1), model.network.beside().double()
    fits = torch.stack([log_mass(row.double(), images, scale).sum(1) for row in batch["images"].flatten(1)])
    joint = fits + Normal(0.0, 1.0).log_prob(grid).double()
    width = math.log(16 / 1600)
    evidence = joint.logsumexp(1) + width
    _, mean, logvar = model.network(batch["images"])
    guess = Normal(mean, (logvar / 2).exp()).log_prob(grid).double()
    gap = (guess.exp() * (guess - (joint - evidence[:, None]))).sum(1) * math.exp(width)
    return evidence, gap


@torch.no_grad()
def test_the_mean_bound_falls_short_of_the_likelihood_by_the_posteriors_divergence() -> None:
    model = on_a_line()
    rows = model.collate(model.encode(pictures().test), torch.arange(3))
    evidence, gap = likelihood(model, rows)
    many = model.collate(model.encode(pictures().test), torch.arange(3).repeat_interleave(2000))
    nats, dimensions = model.nll(model.draw(many, torch.Generator().manual_seed(0)))
    assert (dimensions == 64).all()
    assert nats.dtype == torch.float64
    spread = nats.view(3, -1).std(1).max() / 2000**0.5
    assert torch.allclose(nats.view(3, -1).mean(1), gap - evidence, atol=5 * float(spread) + 1e-3)
    assert (gap > 0.2).all()


@torch.no_grad()
def test_importance_weights_close_the_gap() -> None:
    model, bounds = on_a_line(), []
    for count in (1, 10, 400):
        model.options["importance_samples"] = count
        rows = model.collate(model.encode(pictures().test), torch.arange(3).repeat_interleave(1 if count > 10 else 300))
        nats, _ = model.nll(model.draw(rows, torch.Generator().manual_seed(0)))
        bounds.append(-nats.view(3, -1).mean(1))
    evidence, _ = likelihood(model, model.collate(model.encode(pictures().test), torch.arange(3)))
    assert (bounds[0] < bounds[1]).all()
    assert (bounds[1] < evidence).all()
    assert torch.allclose(bounds[2], evidence, atol=0.15)


@BOTH
@torch.no_grad()
def test_the_loss_is_the_bound_per_dimension(architecture: dict[str, Any]) -> None:
    """And training's weight of the divergence leaves scores alone."""
    whole, half = vae(architecture), vae(architecture, beta=0.5)
    batch = batch_of(whole, pictures())
    nats, dimensions = whole.nll(batch)
    assert float(whole.loss(batch, whole(batch))) == pytest.approx(float((nats / dimensions).mean()), rel=1e-5)
    assert torch.equal(nats, half.nll(batch)[0])
    pixels, code = 64, (whole(batch).shape[1] - 65) // 2
    mean, logvar = whole(batch)[:, pixels + 1 :].split(code, dim=1)
    less = divergence_from_prior(mean, logvar).mean() / 2 / pixels
    assert float(half.loss(batch, half(batch))) == pytest.approx(float(nats.mean() / pixels - less), rel=1e-5)


def test_noise_repeats_and_is_the_codes() -> None:
    model = vae(importance_samples=3)
    one, other = (batch_of(model, pictures(), seed=seed) for seed in (0, 0))
    assert torch.equal(one["noise"], other["noise"])
    assert one["noise"].shape == (4, 3, 4)
    moved = one | {"noise": one["noise"] + 1}
    assert not torch.allclose(model(one), model(moved))
    later = one | {"noise": torch.cat([one["noise"][:, :1], one["noise"][:, 1:] + 1], dim=1)}
    assert torch.equal(model(one), model(later)), "training takes the first code"


def test_it_learns_pictures_and_the_scale_of_its_errors() -> None:
    model = vae()
    transfer = transfer_of(model, pictures(64), steps=60, batch_size=32, learning_rate=5e-3)
    fitted(transfer)
    losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
    assert losses[-1] < 0.6 * losses[0]
    batch = batch_of(model, pictures(64))
    with torch.no_grad():
        errors = (model.reconstruct(batch)["images"] - batch["images"]).square().mean()
    assert errors < 0.3


# Codes and pictures ---------------------------------------------------------------------------------------------------


@BOTH
def test_samples_come_from_the_prior_and_repeat(architecture: dict[str, Any]) -> None:
    model, codes = vae(architecture), list[Tensor]()
    first = model.generating_end()[0]
    first.register_forward_pre_hook(lambda module, given: codes.append(given[0]))
    batch = model.collate(model.encode(pictures(600).train), torch.arange(600))
    with torch.inference_mode():
        one, other = (model.sample(batch, torch.Generator().manual_seed(0))["images"] for _ in range(2))
    assert torch.equal(one, other)
    assert one.abs().max() <= 1
    assert codes[0].mean().abs() < 0.1
    assert codes[0].std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("shape", [(8, 8, 1), (8, 8, 3), (8, 16, 3)])
@BOTH
def test_pictures_of_any_shape_go_through(architecture: dict[str, Any], shape: tuple[int, int, int]) -> None:
    model, items = vae(architecture, shape), np.asarray(pictures(shape=shape).test)
    rows = model.encode(items)
    assert np.array_equal(model.decode(rows), items)
    batch = model.collate(rows, torch.arange(len(items)))
    with torch.inference_mode():
        made = [model.reconstruct(batch), model.sample(batch, torch.Generator())]
    assert all(model.decode(each).shape == items.shape for each in made)
    json.dumps(model.encoding())


def test_maps_of_codes_take_smaller_pictures_and_a_vector_does_not() -> None:
    model = vae(MAPS)
    batch = model.collate(model.encode(pictures().train), torch.arange(4))
    small = model.draw(model.coarser(batch, 0.5), torch.Generator())
    assert small["images"].shape[2:] == (4, 4)
    assert torch.isfinite(model.loss(small, model(small)))
    with pytest.raises(NotApplicable, match="one vector"):
        vae().coarser(batch, 0.5)


def test_hidden_patches_are_not_seen_and_asked_for() -> None:
    model = vae()
    batch = model.collate(model.encode(pictures().train), torch.arange(4))
    spoilt = model.corrupted(batch, 0.5, torch.Generator().manual_seed(0))
    assert spoilt["hidden"].float().mean() == 0.5
    seen = model.seen(spoilt)
    assert (seen[spoilt["hidden"]] == 0).all()
    assert torch.equal(seen[~spoilt["hidden"]], batch["images"][~spoilt["hidden"]])
    assert torch.equal(spoilt["images"], batch["images"])


def test_another_size_is_the_networks_own_choice() -> None:
    assert vae(MAPS, sample_size=16).height == 16
    with pytest.raises(CheckpointError, match="takes images of 8x8 pixels alone"):
        vae(FLAT, sample_size=16)
    with pytest.raises(CheckpointError, match="halves images 1 times, which 9x9"):
        vae(MAPS, sample_size=9)


# Parts and checkpoints ------------------------------------------------------------------------------------------------


@BOTH
def test_blocks_are_all_the_weights_from_input_to_output(architecture: dict[str, Any]) -> None:
    model = vae(architecture)
    held = [set(block.parameters()) for block in model.blocks()]
    assert set.union(*held) == set(model.network.parameters())
    assert sum(map(len, held)) == len(list(model.network.parameters())), "none is in two blocks"
    end = {parameter for part in model.generating_end() for parameter in part.parameters()}
    encoder = set(model.network.parameters()) - end
    batch = model.collate(model.encode(pictures().test), torch.arange(2))
    moments = model.network(batch["images"])[1].sum()
    reached = torch.autograd.grad(moments, list(end), allow_unused=True)
    assert set(reached) == {None}, "the code does not depend on the decoder"
    assert len(encoder) > 2


@BOTH
@pytest.mark.parametrize("layers", [1, 2])
def test_student_is_smaller_and_starts_from_the_teacher(architecture: dict[str, Any], layers: int) -> None:
    model = vae(architecture | {"layers_per_block": layers})
    before, student = weights(model), model.student()
    count, fewer = (sum(p.numel() for p in each.parameters()) for each in (model, student))
    assert fewer < 0.95 * count
    assert outputs(student, pictures()).shape == outputs(model, pictures()).shape
    assert torch.equal(student.network.beside.weight, model.network.beside.weight)
    assert not {id(p) for p in student.parameters()} & {id(p) for p in model.parameters()}
    assert same(before, weights(model))
    with pytest.raises(NotApplicable, match="no smaller autoencoder"):
        vae(architecture | {"block_out_channels": [4]}).student()


@BOTH
def test_saving_and_loading_change_nothing(architecture: dict[str, Any], tmp_path: Path) -> None:
    model = vae(architecture)
    again = load(saved(model, tmp_path))
    assert same(weights(model), weights(again))
    assert torch.equal(outputs(model, pictures()), outputs(again, pictures()))


def test_a_checkpoint_of_diffusers_brings_no_scale(tmp_path: Path) -> None:
    model = vae(MAPS)
    model.network.body.save_pretrained(tmp_path)
    again = load(tmp_path)
    assert torch.equal(again.network.beside.weight, vae(MAPS).new_beside().weight)  # type: ignore[arg-type]
    assert isinstance(again.network.body, AutoencoderKL)
    said = AutoencoderKL.from_pretrained(tmp_path)
    batch = batch_of(again, pictures())
    with torch.no_grad():
        decoded = said.decode(said.encode(batch["images"]).latent_dist.mean).sample
        assert torch.allclose(again.reconstruct(batch)["images"], decoded.clamp(-1, 1), atol=1e-5)


def another_kind(folder: Path) -> None:
    config = json.loads((saved(vae(), folder) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"_class_name": "UNet2DModel"}))


def no_weights(folder: Path) -> None:
    (saved(vae(), folder) / "diffusion_pytorch_model.safetensors").unlink()


def a_pickle(folder: Path) -> None:
    vae(MAPS).network.body.save_pretrained(folder, safe_serialization=False)


def cut_short(folder: Path) -> None:
    path = saved(vae(MAPS), folder) / "diffusion_pytorch_model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def cut_scale(folder: Path) -> None:
    path = saved(vae(), folder) / "pixel_scale.safetensors"
    path.write_bytes(path.read_bytes()[:-2])


def half_the_weights(folder: Path) -> None:
    body: Any = vae().network.body
    body.conv_out = nn.Identity()
    body.save_pretrained(folder)


def no_variance(folder: Path) -> None:
    Autoencoder.from_architecture(FLAT, pictures()).save(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (another_kind, "a UNet2DModel is none of ConvolutionalAutoencoder, AutoencoderKL"),
        (no_weights, "safetensors"),
        (a_pickle, "safetensors"),
        (cut_short, "not an autoencoder"),
        (cut_scale, "not an autoencoder"),
        (half_the_weights, "no weights for conv_out"),
        (no_variance, "use the family autoencoder"),
        (lambda folder: None, "not an autoencoder"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "architecture",
    [
        {"kind": "vq"},
        {"layers": 3},
        {"block_out_channels": [8, 8, 8, 8]},
        {"kind": "autoencoder_kl", "norm_num_groups": 7},
        {"kind": "autoencoder_kl", "block_out_channels": [32] * 5},
    ],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        VAE.from_architecture(architecture, pictures())
    assert "\n" not in str(caught.value)
