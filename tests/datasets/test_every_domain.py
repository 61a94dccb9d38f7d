"""What holds for every embedded domain."""

import json
import subprocess

import numpy as np
import pytest

from bench import plugins
from bench.dataset import SPLITS, Dataset
from tests.datasets.conftest import AUDIO, GENERATED, IMAGES, NAMES

TEXTS = ("copying", "nested_brackets", "python_code", "python_docstrings", "python_reference")


def test_all_are_found() -> None:
    assert set(NAMES) <= set(plugins.names("datasets"))


@pytest.mark.parametrize("name", NAMES)
def test_plugin_tells_its_modality_and_summary(name: str) -> None:
    plugin = plugins.find("datasets", name)
    known = {"text": TEXTS, "audio": AUDIO, "image": (*IMAGES, "fractals", "shapes")}
    assert name in known[plugin.constants["MODALITY"]]
    assert plugin.summary.endswith(".")


@pytest.mark.parametrize("name", NAMES)
def test_names_itself_and_has_enough_to_learn_from_and_to_score(name: str, domains: dict[str, Dataset]) -> None:
    data = domains[name]
    assert (data.name, data.modality) == (name, plugins.find("datasets", name).constants["MODALITY"])
    assert len(data.train) >= 400
    assert all(60 <= len(getattr(data, split)) <= 800 for split in ("validation", "test"))


@pytest.mark.parametrize("name", NAMES)
def test_no_item_occurs_twice(name: str, domains: dict[str, Dataset]) -> None:
    items = [
        item.tobytes() if isinstance(item, np.ndarray) else item
        for split in SPLITS
        for item in getattr(domains[name], split)
    ]
    assert len(set(items)) == len(items)


@pytest.mark.parametrize("name", NAMES)
def test_sub_domains_have_enough_to_learn_from(name: str, domains: dict[str, Dataset]) -> None:
    groups = domains[name].groups
    assert (groups is None) == (name in GENERATED)
    if groups is not None:
        sizes = np.bincount(groups[groups >= 0])
        assert groups.dtype == np.int64
        assert len(sizes) >= 5
        assert sizes.min() >= 32
        assert sizes.sum() > len(groups) / 2


def test_fingerprints_differ(domains: dict[str, Dataset]) -> None:
    assert len({data.fingerprint for data in domains.values()}) == len(NAMES)


def test_another_process_makes_the_same_items_without_torch(
    domains: dict[str, Dataset], elsewhere: subprocess.Popen[str]
) -> None:
    made = json.loads(elsewhere.communicate()[0])
    assert made["fingerprints"] == {name: data.fingerprint for name, data in domains.items()}
    assert not made["torch"]
