"""Inception-v3 from a random checkpoint of the right form: how it is read, and what it refuses."""

import io
import pickle
import urllib.error
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from bench import plugins
from bench.errors import CheckpointError
from bench.features.inception_v3 import InceptionV3


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    """Weights of an untrained network."""
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        patch.setattr(torch, "load", lambda *_, **__: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        network = FeatureExtractorInceptionV3("any", ["2048"], feature_extractor_weights_path="none")
    return dict(network.state_dict())


@pytest.fixture(scope="module")
def files(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("weights")
    torch.save(state, folder / "inception.pth")
    save_file(state, folder / "inception.safetensors")
    return {suffix: folder / f"inception.{suffix}" for suffix in ("pth", "safetensors")}


IMAGES = np.random.default_rng(0).integers(0, 256, (3, 20, 24, 3), dtype=np.uint8)
IMAGES.flags.writeable = False  # as those that a dataset reads from the cache


def test_features_are_those_of_torch_fidelity_from_either_file(files: dict[str, Path]) -> None:
    path = str(files["pth"])
    reference = FeatureExtractorInceptionV3("any", ["2048"], feature_extractor_weights_path=path)
    expected = reference(torch.from_numpy(IMAGES.copy()).permute(0, 3, 1, 2))[0].numpy()
    for path in map(str, files.values()):
        features = InceptionV3(weights=path)(IMAGES)
        assert features.shape == (3, 2048)
        assert np.allclose(features, expected, rtol=1e-4, atol=1e-6)


def test_grey_pictures_count_as_three_equal_channels(files: dict[str, Path]) -> None:
    before = torch.get_rng_state()
    space, grey = InceptionV3(weights=str(files["safetensors"])), IMAGES[..., :1]
    assert torch.equal(torch.get_rng_state(), before)
    assert np.allclose(space(grey), space(grey.repeat(3, axis=3)), atol=1e-6)


class Payload:
    """Unpickling it writes a file."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> Any:
        return Path.touch, (self.target,)


def test_a_pickle_that_would_run_code_is_refused_and_does_not_run(tmp_path: Path) -> None:
    target, path = tmp_path / "ran", tmp_path / "weights.pth"
    torch.save({"weights": Payload(target)}, path)
    with pytest.raises(CheckpointError, match="holds other things than tensors"):
        InceptionV3(weights=str(path))
    assert not target.exists()
    path.write_bytes(pickle.dumps(Payload(target), protocol=2))
    with pytest.raises(CheckpointError, match="holds other things than tensors"):
        InceptionV3(weights=str(path))
    assert not target.exists()


@pytest.mark.parametrize("name", ["missing.pth", "missing.safetensors"])
def test_missing_weights_are_one_line_that_says_what_to_fetch(name: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"weights-inception-.*\.pth .*option 'weights'") as error:
        InceptionV3(weights=str(tmp_path / name))
    assert "\n" not in str(error.value)
    assert "No such file" in str(error.value)


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_damaged_and_foreign_weights_are_refused(suffix: str, tmp_path: Path, state: dict[str, torch.Tensor]) -> None:
    path = tmp_path / f"w.{suffix}"
    path.write_bytes(b"not weights at all")
    with pytest.raises(CheckpointError, match="damaged"):
        InceptionV3(weights=str(path))
    foreign = {"fc.weight": torch.zeros(2, 2)}
    if suffix == "pth":
        torch.save(foreign, path)
    else:
        save_file(foreign, path)
    with pytest.raises(CheckpointError, match="not the weights of torch-fidelity's Inception-v3"):
        InceptionV3(weights=str(path))


def test_without_a_network_the_error_says_what_to_fetch(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def unreachable(*_: Any, **__: Any) -> None:
        raise urllib.error.URLError("name resolution failed")

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", unreachable)
    with pytest.raises(CheckpointError, match=r"cannot be downloaded .*fetch weights-inception-.*\.pth"):
        InceptionV3()


def test_a_download_is_checked_by_its_hash_and_read_without_running_code(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, state: dict[str, torch.Tensor]
) -> None:
    asked: list[Any] = []

    def download(url: str, target: str, hash_prefix: str | None, progress: bool) -> None:
        asked.append(hash_prefix)
        buffer = io.BytesIO()
        torch.save({"weights": Payload(tmp_path / "ran")} if len(asked) == 1 else state, buffer)
        Path(target).write_bytes(buffer.getvalue())

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(CheckpointError, match="cannot be downloaded"):
        InceptionV3()
    assert not (tmp_path / "ran").exists()
    for path in tmp_path.rglob("*.pth"):
        path.unlink()
    assert InceptionV3()(IMAGES[:1]).shape == (1, 2048)
    assert all(prefix and "weights-inception" not in prefix for prefix in asked)


def test_it_is_found_by_name_with_its_option() -> None:
    plugin = plugins.find("features", "inception_v3")
    assert plugin.load() is InceptionV3
    assert plugin.check({}) == {"weights": ""}
