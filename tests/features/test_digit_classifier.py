"""The classifier learns what it is named for, leaves its caller's state alone, and takes any picture."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from bench import plugins
from bench.features import digit_classifier
from bench.features.digit_classifier import DigitClassifier

Labelled = tuple[np.ndarray, np.ndarray]


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DigitClassifier]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TRANSFERBENCH_CACHE", str(tmp_path_factory.mktemp("cache")))
        before = torch.get_rng_state(), torch.get_num_threads()
        made = DigitClassifier()
        assert torch.equal(torch.get_rng_state(), before[0])
        assert torch.get_num_threads() == before[1]
        yield made


@pytest.fixture(scope="module")
def digits() -> Labelled:
    return digit_classifier._labelled("handwritten_digits")["test"]


def test_it_tells_held_out_digits_and_letters_apart(space: DigitClassifier) -> None:
    assert space.accuracy["handwritten_digits"] > 0.97
    assert space.accuracy["glyphs"] > 0.85


def test_features_of_one_digit_lie_together(space: DigitClassifier, digits: Labelled) -> None:
    images, labels = digits
    features = space(images)
    assert features.shape == (len(images), 64)
    within = np.mean([features[labels == digit].std(0).mean() for digit in np.unique(labels)])
    assert within < 0.7 * features.std(0).mean()


def test_one_handwritten_and_one_printed_digit_share_a_class(space: DigitClassifier) -> None:
    classes = np.array(list("0123456789"))
    for name in ("glyphs", "handwritten_digits"):
        images, labels = digit_classifier._labelled(name)["test"]
        kept = np.isin(labels, classes[1:])  # a printed 0 is an O to most
        with torch.inference_mode():
            found = space._network(digit_classifier._prepared(images[kept])).argmax(1).numpy()
        assert np.mean(classes[np.minimum(found, 9)] == labels[kept]) > 0.8


def test_it_is_read_from_the_cache_afterwards(
    space: DigitClassifier, digits: Labelled, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digit_classifier, "_train", lambda folder: pytest.fail("trained again"))
    again = DigitClassifier()
    assert again.accuracy == space.accuracy
    assert np.array_equal(again(digits[0]), space(digits[0]))


def test_colour_and_size_make_no_great_difference(space: DigitClassifier, digits: Labelled) -> None:
    grey = digits[0][:50]
    large = grey.repeat(2, 1).repeat(2, 2)
    assert np.allclose(space(grey.repeat(3, 3)), space(grey), atol=1e-3)
    assert np.corrcoef(space(large).ravel(), space(grey).ravel())[0, 1] > 0.9


def test_features_do_not_depend_on_the_rest_of_the_batch(space: DigitClassifier, digits: Labelled) -> None:
    images = digits[0]
    assert np.allclose(np.concatenate([space(images[:7]), space(images[7:])]), space(images), atol=1e-4)


def test_pictures_that_cannot_be_written_to_are_as_good(space: DigitClassifier, digits: Labelled) -> None:
    locked = digits[0][:4].copy()
    locked.flags.writeable = False  # as those that a dataset reads from the cache
    assert np.array_equal(space(locked), space(digits[0][:4]))


def test_two_trainings_are_equal_to_the_last_bit_whatever_the_callers_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(digit_classifier, "_EPOCHS", 1)
    written = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        with torch.inference_mode():
            (folder := tmp_path / str(seed)).mkdir()
            digit_classifier._train(folder)
        written.append((folder / "network.safetensors").read_bytes())
    assert written[0] == written[1]


def test_it_is_found_by_name() -> None:
    assert plugins.find("features", "digit_classifier").load() is DigitClassifier
