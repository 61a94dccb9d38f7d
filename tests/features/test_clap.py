"""CLAP's embeddings, with a checkpoint small enough to make here."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file, save_file
from transformers import ClapConfig, ClapFeatureExtractor, ClapModel

from bench.errors import CheckpointError
from bench.features.clap import Clap


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network of chance weights in the hub's layout."""
    folder = tmp_path_factory.mktemp("clap")
    text = {
        "hidden_size": 16,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "intermediate_size": 16,
        "vocab_size": 9,
    }
    audio = {
        "patch_embeds_hidden_size": 8,
        "hidden_size": 64,
        "depths": [1, 1, 1, 1],
        "num_attention_heads": [1, 1, 1, 1],
    }
    audio |= {"num_mel_bins": 64, "spec_size": 256, "window_size": 8}
    ClapModel(ClapConfig(text_config=text, audio_config=audio, projection_dim=12)).save_pretrained(folder)
    ClapFeatureExtractor(max_length_s=1, truncation="rand_trunc").save_pretrained(folder)
    return folder


def test_sounds_of_any_rate_and_length_become_points_on_a_sphere(checkpoint: Path) -> None:
    random = np.random.default_rng(0)
    for rate, samples in ((8000, 2000), (48000, 60000)):
        features = Clap(weights=str(checkpoint), sample_rate=rate)(
            (random.standard_normal((3, samples)) * 3000).astype(np.int16)
        )
        assert features.shape == (3, 12)
        assert np.linalg.norm(features, axis=1) == pytest.approx(1, abs=1e-5)


def test_long_sounds_are_cut_alike_and_chance_is_left_alone(checkpoint: Path) -> None:
    space, sounds = (
        Clap(weights=str(checkpoint)),
        (np.random.default_rng(0).standard_normal((2, 70000)) * 3000).astype(np.int16),
    )
    np.random.seed(5)
    before = np.random.random()
    one = space(sounds)
    after = np.random.random()
    assert np.array_equal(one, space(sounds))
    np.random.seed(5)
    assert [before, after] == [np.random.random(), np.random.random()]


def test_weights_that_are_not_there_are_one_line(tmp_path: Path) -> None:
    with pytest.raises(
        CheckpointError, match=r"feature space clap: weights .* cannot be loaded .* in 'weights'"
    ) as caught:
        Clap(weights=str(tmp_path / "nowhere"))
    assert "\n" not in str(caught.value)


def test_weights_that_it_lacks_are_named(checkpoint: Path, tmp_path: Path) -> None:
    """Chance values would stand in their places."""
    path = Path(shutil.copytree(checkpoint, tmp_path / "clap")) / "model.safetensors"
    left = {name: weight for name, weight in load_file(path).items() if "audio_projection" not in name}
    save_file(left, path, {"format": "pt"})
    with pytest.raises(CheckpointError, match=r"clap: weights .*: it has no weights for audio_projection"):
        Clap(weights=str(path.parent))
