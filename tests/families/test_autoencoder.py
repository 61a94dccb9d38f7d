"""The Gaussian that follows the codes, what is drawn from it, and checkpoints."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from bench.errors import CheckpointError
from bench.families.autoencoder import Autoencoder, CodeDensity
from bench.families.vae import VAE
from tests.models import batch_of, disturbed, fitted, outputs, pictures, prepare, same, saved, transfer_of, weights

FLAT: dict[str, Any] = {"block_out_channels": [8, 16], "latent_dim": 4, "norm_num_groups": 4}
MAPS: dict[str, Any] = {"block_out_channels": [8, 16], "latent_channels": 2, "norm_num_groups": 4}
MAPS |= {"kind": "autoencoder_kl"}
BOTH = pytest.mark.parametrize("architecture", [FLAT, MAPS], ids=["convolutional", "autoencoder_kl"])


def autoencoder(architecture: dict[str, Any] = FLAT, **options: Any) -> Autoencoder:
    torch.manual_seed(0)
    model = Autoencoder.from_architecture(architecture, pictures(), **options)
    disturbed(model.network)
    return model.eval()


def load(folder: Path, **options: Any) -> Autoencoder:
    return Autoencoder.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


# The Gaussian ---------------------------------------------------------------------------------------------------------


def correlated(rows: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Codes, and the mean and covariance they are drawn with."""
    mean, root = torch.tensor([1.0, -2.0, 0.5]), torch.tensor([[1.0, 0, 0], [0.8, 0.3, 0], [-0.5, 0.2, 2.0]])
    noise = torch.randn(rows, 3, generator=torch.Generator().manual_seed(0))
    return mean + noise @ root.T, mean, root @ root.T


@pytest.mark.parametrize("full", [True, False])
def test_codes_are_drawn_as_those_it_has_seen(full: bool) -> None:
    density = CodeDensity(3, full)
    codes, mean, covariance = correlated(40_000)
    density.follow(codes)
    made = density.draw(torch.randn(40_000, 3, generator=torch.Generator().manual_seed(1)))
    assert torch.allclose(made.mean(0), mean, atol=0.05)
    wanted = covariance if full else torch.diag(covariance.diagonal())
    assert torch.allclose(made.T.cov(), wanted, atol=0.1)


def test_it_is_the_standard_normal_before_it_has_seen_any() -> None:
    noise = torch.randn(5, 3)
    assert torch.allclose(CodeDensity(3, True).draw(noise), noise)
    assert torch.allclose(CodeDensity(3, False).draw(noise), noise)


def test_the_first_batches_weigh_the_same_and_the_start_nothing() -> None:
    density = CodeDensity(2, True)
    for value in range(1, 6):
        density.follow(torch.full((4, 2), float(value)))
    assert torch.allclose(density.mean, torch.full((2,), 3.0))
    assert torch.allclose(density.second, torch.full((2, 2), 11.0))


def test_what_came_long_ago_is_forgotten() -> None:
    density = CodeDensity(2, True)
    density.follow(torch.full((4, 2), 100.0))
    for _ in range(100):
        density.follow(torch.zeros(4, 2))
    assert density.mean.abs().max() < 0.01


@BOTH
def test_it_follows_training_and_nothing_else(architecture: dict[str, Any]) -> None:
    model = autoencoder(architecture)
    density = model.network.beside
    before = density.mean.clone()
    outputs(model, pictures())
    assert torch.equal(density.mean, before)
    fitted(transfer_of(model, pictures(32), steps=30, batch_size=16, validations=1))
    rows = model.collate(model.encode(pictures(32).train), torch.arange(32))
    with torch.no_grad():
        codes = model.network(rows["images"])[1].flatten(1)
    assert (density.mean - codes.mean(0)).norm() < 0.3 * (before - codes.mean(0)).norm()


def test_it_follows_where_the_encoder_is_frozen_and_begins_anew_with_a_new_decoder() -> None:
    model = autoencoder()
    model.network.beside.follow(torch.full((8, 4), 50.0))
    transfer = prepare(transfer_of(model, pictures(32), steps=10), "feature_extraction")
    assert float(model.network.beside.batches) == 0
    fitted(transfer)
    assert model.network.beside.mean.abs().max() < 25
    assert {"network.beside.mean", "network.beside.second"} <= set(transfer.stored())


# Pictures -------------------------------------------------------------------------------------------------------------


@BOTH
def test_the_loss_is_the_squared_error_of_what_is_reconstructed(architecture: dict[str, Any]) -> None:
    model = autoencoder(architecture)
    batch = batch_of(model, pictures())
    with torch.no_grad():
        decoded = model.network(batch["images"])[0]
        expected = (decoded - batch["images"]).square().mean()
        assert float(model.loss(batch, model(batch))) == pytest.approx(float(expected), rel=1e-5)
        assert torch.equal(model.reconstruct(batch)["images"], decoded.clamp(-1, 1))


def test_it_learns_to_reconstruct_and_samples_look_like_the_data() -> None:
    """Closer to the data than what untrained weights make of the same noise."""
    model, data = autoencoder(), pictures(64)

    def apart() -> float:
        batch = model.collate(model.encode(data.train), torch.arange(64))
        with torch.inference_mode():
            made = model.sample(batch, torch.Generator().manual_seed(0))["images"]
        return float(torch.cdist(made.flatten(1), batch["images"].flatten(1)).min(1).values.mean())

    before = apart()
    transfer = fitted(transfer_of(model, data, steps=80, batch_size=32, learning_rate=5e-3))
    losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
    assert losses[-1] < losses[0] / 4
    assert apart() < before / 2


@BOTH
def test_samples_repeat_and_are_pictures(architecture: dict[str, Any]) -> None:
    model = autoencoder(architecture)
    batch = batch_of(model, pictures())
    with torch.inference_mode():
        one, other = (model.sample(batch, torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one["images"], other["images"])
    made = model.decode(one)
    assert made.shape == (4, 8, 8, 1)
    assert made.dtype == np.uint8


# Checkpoints ----------------------------------------------------------------------------------------------------------


@BOTH
def test_saving_and_loading_keep_the_weights_and_the_gaussian(architecture: dict[str, Any], tmp_path: Path) -> None:
    model = autoencoder(architecture)
    model.train()(batch_of(model, pictures()))
    model.eval()
    again = load(saved(model, tmp_path))
    assert same(weights(model), weights(again))
    assert float(again.network.beside.batches) == 1


def test_a_vaes_network_is_used_by_its_mean(tmp_path: Path) -> None:
    """And a Gaussian that was saved is not mistaken for one of another form."""
    torch.manual_seed(0)
    taught = VAE.from_architecture(FLAT, pictures()).eval()
    model = load(saved(taught, tmp_path))
    batch = batch_of(model, pictures())
    with torch.no_grad():
        assert torch.equal(model.reconstruct(batch)["images"], taught.reconstruct(batch)["images"])
    autoencoder().save(tmp_path)
    with pytest.raises(CheckpointError, match="not an autoencoder"):
        load(tmp_path, density="diagonal")


def test_codes_too_large_for_covariances_are_named() -> None:
    with pytest.raises(
        CheckpointError, match="codes of 8192 numbers have too many covariances; ask for density: diagonal"
    ):
        autoencoder(MAPS, sample_size=128)
    assert autoencoder(MAPS, sample_size=128, density="diagonal").network.beside.second.shape == (8192,)
