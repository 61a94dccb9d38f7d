"""The classifier learns what it is named for, leaves its caller's state alone, and takes sounds of any rate."""

from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.signal import resample_poly

from bench import plugins
from bench.dataset import load
from bench.features import sound_classifier
from bench.features.sound_classifier import SoundClassifier


@pytest.fixture(scope="module")
def space() -> SoundClassifier:
    before = torch.get_rng_state(), torch.get_num_threads()
    made = SoundClassifier()
    assert torch.equal(torch.get_rng_state(), before[0])
    assert torch.get_num_threads() == before[1]
    return made


@pytest.fixture(scope="module")
def vowels() -> np.ndarray:
    return np.asarray(load("vowels").test)[:100]


def test_it_tells_held_out_sounds_apart(space: SoundClassifier) -> None:
    assert space.accuracy.keys() == {"plucks", "tones", "vowels", "rain_and_wind"}
    assert min(space.accuracy.values()) > 0.85


def test_domains_lie_apart(space: SoundClassifier, vowels: np.ndarray) -> None:
    features = space(vowels)
    assert features.shape == (100, 64)
    assert features.dtype == np.float32
    others = space(np.asarray(load("tones").test)[:100])
    nearer = [np.linalg.norm(features - middle.mean(0), axis=1) for middle in (features, others)]
    assert (nearer[0] < nearer[1]).mean() > 0.95


def test_another_rate_is_the_same_sound(space: SoundClassifier, vowels: np.ndarray) -> None:
    fast = np.round(resample_poly(vowels.astype(float), 2, 1, axis=1)).clip(-32768, 32767).astype(np.int16)
    ours, theirs = space(vowels), SoundClassifier(sample_rate=16000)(fast)
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.98
    misheard = space(fast)
    assert np.corrcoef(ours.ravel(), misheard.ravel())[0, 1] < 0.9


@pytest.mark.parametrize("samples", [50, 1000, 6000])
def test_sounds_of_any_length_have_features(samples: int, space: SoundClassifier, vowels: np.ndarray) -> None:
    assert np.isfinite(space(np.resize(vowels[:3], (3, samples)))).all()


def test_features_do_not_depend_on_the_rest_of_the_batch(space: SoundClassifier, vowels: np.ndarray) -> None:
    assert np.allclose(np.concatenate([space(vowels[:7]), space(vowels[7:])]), space(vowels), atol=1e-4)


def test_it_is_read_from_the_cache_afterwards(space: SoundClassifier, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sound_classifier, "_train", lambda folder: pytest.fail("trained again"))
    assert SoundClassifier().accuracy == space.accuracy


def test_two_trainings_are_equal_to_the_last_bit_whatever_the_callers_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = {name: (load(name).train[:40], load(name).test[:8]) for name in ("plucks", "tones")}
    monkeypatch.setattr(sound_classifier, "_EPOCHS", 1)
    monkeypatch.setattr(sound_classifier, "_SOURCES", tuple(few))
    monkeypatch.setattr(
        sound_classifier,
        "_labelled",
        lambda name: {
            split: (np.asarray(sounds), np.array([f"{name} {i % 2}" for i in range(len(sounds))]))
            for split, sounds in zip(("train", "test"), few[name], strict=True)
        },
    )
    written = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.inference_mode():
            (folder := tmp_path / str(seed)).mkdir()
            sound_classifier._train(folder)
        written.append((folder / "network.safetensors").read_bytes())
    assert written[0] == written[1]


def test_it_is_found_by_name() -> None:
    assert plugins.find("features", "sound_classifier").load() is SoundClassifier
