"""GANs on disk: the same to the last bit, and what is refused in one line."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.errors import CheckpointError
from bench.families.gan import Gan
from tests.models import batch_of, fitted, pictures, same, saved, transfer_of, weights
from tests.small.gan import model

KINDS = ["stylegan2", "dcgan", "sngan"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_the_same_model_to_the_last_bit(kind: str, tmp_path: Path) -> None:
    gan = model(kind, (16, 16, 3))
    saved(fitted(transfer_of(gan, pictures(shape=(16, 16, 3)))).model, tmp_path)
    again = load(tmp_path)
    assert same(weights(gan), weights(again))
    with torch.inference_mode():
        given, seed = batch_of(gan, pictures(shape=(16, 16, 3))), torch.Generator().manual_seed
        assert torch.equal(gan.sample(given, seed(0))["images"], again.eval().sample(given, seed(0))["images"])
    assert {path.name for path in tmp_path.iterdir()} == {"config.json", "model.safetensors"}


def test_a_fresh_model_has_the_same_architecture_and_other_weights() -> None:
    gan = model(truncation=0.5)
    fresh = gan.fresh()
    assert fresh.architecture == gan.architecture
    assert fresh.options == gan.options
    assert not torch.equal(fresh.network.first.constant, gan.network.first.constant)


def load(folder: Path, **options: Any) -> Gan:
    return Gan.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def pickled(folder: Path) -> None:
    no_weights(folder)
    torch.save(model().state_dict(), folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def no_config(folder: Path) -> None:
    (folder / "config.json").unlink()


def configured(**changes: Any) -> Callable[[Path], None]:
    def spoil(folder: Path) -> None:
        path = folder / "config.json"
        path.write_text(json.dumps(json.loads(path.read_text()) | changes))

    return spoil


def a_list(folder: Path) -> None:
    (folder / "config.json").write_text("[1]")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_weights, "model.safetensors"),
        (pickled, "model.safetensors"),
        (cut_short, "of a GAN"),
        (no_config, "config.json"),
        (a_list, "not one of family gan"),
        (configured(family="diffusion"), "not one of family gan"),
        (configured(kind="biggan"), "kind: 'biggan' will not do; use one of: stylegan2, dcgan, sngan"),
        (configured(channel_max=8), "size mismatch"),
        (configured(layers=3), "no 'layers' here; stylegan2 has: .*mapping_layers"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(saved(model(), tmp_path))
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "shape", "said"),
    [
        ({}, (8, 8, 1), "kind: None will not do"),
        ({"kind": "stylegan2", "widht": 3}, (8, 8, 1), "no 'widht' here"),
        ({"kind": "dcgan", "mapping_layers": 3}, (8, 8, 1), "no 'mapping_layers' here; dcgan has"),
        ({"kind": "sngan"}, (28, 28, 1), "img_resolution: 28 will not do.*power of two.*images of 28x28"),
        ({"kind": "sngan"}, (8, 16, 1), "img_resolution.*Field required; discs has images of 8x16"),
        ({"kind": "sngan", "img_resolution": 4}, (8, 8, 1), "power of two, 8 or more"),
        ({"kind": "sngan"}, (8, 8, 2), "img_channels: 2 will not do"),
        ({"kind": "sngan", "z_dim": 0}, (8, 8, 1), "z_dim: 0 will not do"),
    ],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any], shape: tuple[int, int, int], said: str) -> None:
    with pytest.raises(CheckpointError, match=f"architecture.*{said}") as caught:
        Gan.from_architecture(architecture, pictures(shape=shape))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("option", [{"truncation": 0.7}, {"path_length": 2.0}])
def test_options_of_styles_are_refused_where_there_are_none(option: dict[str, float], tmp_path: Path) -> None:
    saved(model("dcgan"), tmp_path)
    with pytest.raises(CheckpointError, match="kind dcgan: it has no styles, so leave out the option"):
        load(tmp_path, **option)
