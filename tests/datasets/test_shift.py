"""How far training items are from test items, in a space in which distances mean something, beside parts of the test
split against each other: where splits go by group these are two things, and only the latter is a floor."""

import numpy as np
import pytest

from bench.dataset import Columns, Items, load, take
from bench.metrics import _features
from bench.metrics._distributions import kernel_distance

PARTS = 6


def picked(items: Items) -> Items:
    return items["target"] if isinstance(items, Columns) else items


def distances(name: str, space: str, samples: int = 96) -> tuple[float, np.ndarray]:
    """KID from training to test, and those of some divisions of the test split."""
    data, extract = load(name), _features.space(space)
    random = np.random.default_rng(0)
    train = picked(take(data.train, random.permutation(len(data.train))[: 4 * samples]))
    learned, test = extract(train), extract(picked(data.test))
    size = min(samples, len(test) // 2)
    floor = []
    for _ in range(PARTS):
        order = random.permutation(len(test))
        floor.append(kernel_distance(test[order[:size]], test[order[size:]])[0])
    return kernel_distance(learned, test)[0], np.array(floor)


@pytest.mark.parametrize(
    ("name", "low", "high"), [("glyph_styles", 0.9, 1.4), ("glyphs", 0.12, 0.32), ("handwritten_digits", -0.02, 0.02)]
)
def test_pictures(name: str, low: float, high: float) -> None:
    """Other characters, other fonts, and the same ones: only there training data are no further than test data."""
    shift, floor = distances(name, "digit_classifier")
    assert low < shift < high
    assert abs(floor.mean()) < 0.05
    assert (shift > floor.max() + 0.05) == (low > 0)


@pytest.mark.parametrize("name", ["nci_molecules", "nci_organosulfur"])
def test_molecules(name: str) -> None:
    """0.015 and 0.018 when all that had no ring, or benzene's alone, was learned and never tested."""
    pytest.importorskip("fcd_torch")
    shift, floor = distances(name, "chemnet")
    assert shift < 0.006
    assert abs(floor.mean()) < 0.002
