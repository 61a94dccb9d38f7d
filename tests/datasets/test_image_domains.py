"""The image domains: real letters and digits, centred, with their labels; splits that share no near-duplicate."""

import string
from functools import cache
from pathlib import Path
from types import ModuleType

import matplotlib as mpl
import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Dataset, Items
from bench.datasets import _fonts, drawn_digits, glyphs, handwritten_digits
from bench.datasets._images import distinct
from bench.errors import DataError, PluginError
from tests.datasets.conftest import IMAGES

MODULES = (drawn_digits, glyphs, handwritten_digits)


@cache
def labelled(module: ModuleType) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Images and labels of each split, drawn once for all tests."""
    found: dict[str, tuple[np.ndarray, np.ndarray]] = module.labelled()
    return found


def nearest(images: Items, others: Items) -> tuple[np.ndarray, np.ndarray]:
    """Index of and root mean square difference to the nearest other image."""
    rows, columns = (np.reshape(part, (len(part), -1)).astype(float) for part in (images, others))
    squares = (rows**2).sum(1)[:, None] + (columns**2).sum(1) - 2 * rows @ columns.T
    return squares.argmin(1), np.sqrt(squares.min(1).clip(0) / rows.shape[1])


@pytest.mark.parametrize("name", IMAGES)
def test_images_are_white_ink_on_black(name: str, domains: dict[str, Dataset]) -> None:
    for split in SPLITS:
        images = getattr(domains[name], split)
        assert images.dtype == np.uint8
        assert images.shape[1:] == (16, 16, 1)
        assert (images.min(), images.max()) == (0, 255)
        assert 10 < images.mean() < 100
        assert (images.max(axis=(1, 2, 3)) > 100).all()


@pytest.mark.parametrize("name", IMAGES)
def test_training_holds_no_near_duplicate_of_what_is_held_out(name: str, domains: dict[str, Dataset]) -> None:
    data = domains[name]
    _, distance = nearest(np.concatenate([data.validation, data.test]), data.train)
    assert distance.min() > 8
    assert np.median(distance) > 20


@pytest.mark.parametrize(("module", "accuracy"), [(drawn_digits, 0.95), (glyphs, 0.6), (handwritten_digits, 0.95)])
def test_labels_belong_to_the_images(module: ModuleType, accuracy: float) -> None:
    splits = labelled(module)
    (train, known), (test, wanted) = splits["train"], splits["test"]
    indices, _ = nearest(test, train)
    assert (known[indices] == wanted).mean() > accuracy


@pytest.mark.parametrize(("name", "module"), list(zip(IMAGES, MODULES, strict=True)))
def test_labels_are_of_the_datasets_own_items(name: str, module: ModuleType, domains: dict[str, Dataset]) -> None:
    for split, (images, labels) in labelled(module).items():
        assert np.array_equal(images, getattr(domains[name], split))
        assert labels.shape == (len(images),)
        assert set(labels) <= set(string.digits + string.ascii_letters if module is glyphs else string.digits)


@pytest.mark.parametrize(("name", "module"), list(zip(IMAGES, MODULES, strict=True)))
def test_sub_domains_are_what_images_show(name: str, module: ModuleType, domains: dict[str, Dataset]) -> None:
    labels, groups = labelled(module)["train"][1], domains[name].groups
    assert groups is not None
    pairs = set(zip(labels.tolist(), groups.tolist(), strict=True))
    assert len(pairs) == len(set(labels)) == len(set(groups))


def test_drawn_digits_lie_between_glyphs_and_handwritten_digits(domains: dict[str, Dataset]) -> None:
    """Handwritten digits are more like them than like the digits of any font, and most like each other."""
    wanted = domains["handwritten_digits"].test
    images, shown = labelled(glyphs)["train"]
    sources = {
        "glyphs": images[np.isin(shown, list(string.digits))],
        "drawn_digits": domains["drawn_digits"].train,
        "handwritten_digits": domains["handwritten_digits"].train,
    }
    apart = [np.median(nearest(wanted, known)[1]) for known in sources.values()]
    assert apart[0] > 1.1 * apart[1] > 1.5 * apart[2]


def test_hands_differ_in_how_they_write(domains: dict[str, Dataset]) -> None:
    images, labels = drawn_digits.labelled(size=48)["train"]
    assert {label: (labels == label).sum() for label in labels}.keys() == set(string.digits)
    ink = images.mean(axis=(1, 2, 3))
    assert np.quantile(ink, 0.9) > 2 * np.quantile(ink, 0.1), "thick and thin pens"
    _, apart = nearest(images[labels == "7"][:20], images[labels == "7"][20:])
    assert apart.min() > 12


def test_every_character_of_nearly_every_font_is_there() -> None:
    labels = {split: labels for split, (_, labels) in labelled(glyphs).items()}
    for split, fonts in {"train": 16, "validation": 2, "test": 3}.items():
        assert 0.95 < len(labels[split]) / (fonts * 62 * len(_fonts.CAPITAL_HEIGHTS)) <= 1
        assert len(set(labels[split])) == 62


def test_glyphs_are_centred_and_not_clipped() -> None:
    size = 48
    images = np.concatenate([images for images, _ in glyphs.labelled(size=size).values()])[..., 0]
    ink = np.greater(images, 127)
    for axis in (1, 2):
        inked = ink.any(axis=axis)
        first, last = inked.argmax(axis=1), size - 1 - inked[:, ::-1].argmax(axis=1)
        assert (last - first < size * _fonts.LARGEST + 1).all()
        assert np.abs((first + last + 1 - size) / 2).max() < size * _fonts.SHIFT + 1.5
        assert np.abs((first + last + 1 - size) / 2).mean() > 0.5  # they are shifted about, not all in one place


def test_digits_have_the_announced_shares_in_any_size() -> None:
    small, large = handwritten_digits.labelled(size=8), handwritten_digits.labelled(size=32)
    total = sum(len(labels) for _, labels in small.values())
    assert 1780 < total <= 1797
    assert [round(len(small[split][1]) / total, 2) for split in SPLITS] == [0.6, 0.15, 0.25]
    for split in SPLITS:
        assert large[split][0].shape == (len(small[split][0]), 32, 32, 1)
        assert np.array_equal(small[split][1], large[split][1])


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("size", [7, 129])
def test_a_size_out_of_range_is_named(module: ModuleType, size: int) -> None:
    with pytest.raises(PluginError, match=f"option 'size': {size} will not do; it should be 8 to 128"):
        module.labelled(size=size)


@pytest.mark.parametrize("name", IMAGES)
def test_a_size_that_is_no_number_is_named(name: str) -> None:
    with pytest.raises(PluginError, match="option 'size'"):
        plugins.find("datasets", name).check({"size": "large"})


def test_missing_fonts_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mpl, "get_data_path", lambda: str(tmp_path))
    with pytest.raises(DataError, match=r"lacks the fonts .*cmr10\.ttf"):
        glyphs.glyphs()


def test_distinct_keeps_the_first_of_near_duplicates() -> None:
    random = np.random.default_rng(0)
    different = random.integers(0, 256, (700, 16, 16, 1), dtype=np.uint8)  # more than one block of comparisons
    noisy = (different.astype(int) + random.integers(-3, 4, different.shape)).clip(0, 255).astype(np.uint8)
    assert distinct(different).all()
    assert distinct(np.concatenate([different, noisy])).tolist() == [True] * 700 + [False] * 700
