"""Fidelity and image diversity through the whole way: samples, feature space, cache, scores."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from bench import cache, plugins
from bench.errors import NotApplicable, PluginError
from bench.metrics import _features
from bench.metrics._distributions import neighbourhoods
from bench.metrics.diversity import diversity
from bench.metrics.fidelity import PRIMARY, fidelity
from tests.metrics.doubles import NoisyPictures, evaluation, measured, pictures

CALLS: list[int] = []


class Moments:
    """A feature space of four numbers per picture."""

    def __call__(self, items: np.ndarray) -> np.ndarray:
        CALLS.append(len(items))
        pixels = items.reshape(len(items), -1) / 255
        return np.stack([pixels.mean(1), pixels.std(1), pixels[:, 0], pixels[:, -1]], 1)


@pytest.fixture(autouse=True)
def _spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def find(kind: str, name: str) -> Any:
        return plugins.Plugin(kind, name, __name__, "Moments", Path(__file__))

    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(plugins, "find", find)
    _features.space.cache_clear()
    CALLS.clear()
    yield
    _features.space.cache_clear()


def test_every_score_names_its_space_its_number_of_samples_and_its_direction() -> None:
    scores = fidelity(evaluation(NoisyPictures(), pictures(40), samples=30), space="moments")
    names = [f"{name}[moments]" for name in ("fid", "kid", "precision", "recall", "density", "coverage")]
    assert [score.metric for score in scores] == names
    assert PRIMARY.format(space="moments") in names
    assert {score.n for score in scores} == {30}
    assert [score.better for score in scores] == ["lower"] * 2 + ["higher"] * 4
    assert all(np.isfinite(score.value) for score in scores)


def test_same_law_scores_well_and_twice_the_same() -> None:
    first, again = (
        fidelity(evaluation(NoisyPictures(), pictures(200), samples=200), space="moments") for _ in range(2)
    )
    assert first == again
    _, kid, precision, _, density, _ = first
    assert kid.error is not None
    assert abs(kid.value) < 4 * kid.error
    assert precision.value > 0.8
    assert density.value == pytest.approx(1, abs=0.3)


def test_references_become_features_once_for_all_cells() -> None:
    for _ in range(2):
        fidelity(evaluation(NoisyPictures(), pictures(40), samples=30), space="moments")
        _features.space.cache_clear()  # as in the fresh process of the next cell
    assert CALLS.count(40) == 1
    assert CALLS.count(30) == 2


def test_other_references_or_another_state_of_the_space_are_not_mistaken_for_the_cached_ones(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    space = _features.space("moments")
    one, other = (np.asarray(pictures(20, seed=seed).test) for seed in (0, 1))
    assert not np.array_equal(space.kept(one), space.kept(other))
    before = space.kept(one)
    monkeypatch.setattr(space, "_extract", lambda items: Moments()(items) * 2)
    assert np.array_equal(space.kept(one), before * 2)
    assert len(list((cache.root() / "features").glob("*/features.npy"))) == 3


def test_samples_become_features_once_for_all_metrics() -> None:
    checked = evaluation(NoisyPictures(), pictures(40), samples=30)
    fidelity(checked, space="moments")
    diversity(checked, space="moments")
    assert CALLS.count(30) == 1


@pytest.mark.parametrize(("samples", "references"), [(5, 40), (40, 5)])
def test_too_few_pictures_are_one_clear_line(samples: int, references: int) -> None:
    with pytest.raises(
        NotApplicable, match=f"more than 5 samples and test items; there are {samples} and {references}"
    ):
        fidelity(evaluation(NoisyPictures(), pictures(references), samples=samples), space="moments")


@pytest.mark.parametrize(("samples", "references"), [(9, 9), (8, 40), (40, 8), (9, 40)])
def test_a_frechet_distance_takes_more_pictures_than_dimensions_and_all_else_stays(
    samples: int, references: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    checked = evaluation(NoisyPictures(), pictures(references), samples=samples)
    whole, _ = measured(fidelity, checked, space="moments")
    moments = Moments.__call__
    monkeypatch.setattr(Moments, "__call__", lambda self, items: np.tile(moments(self, items), 2))  # 8 dimensions
    _features.space.cache_clear()
    found, reason = measured(fidelity, checked, space="moments")
    few = min(samples, references) <= 8
    assert list(found) == [name for name in whole if not few or name != "fid[moments]"]
    for name in set(found) - {"fid[moments]", "kid[moments]"}:  # which twice the same dimensions change nothing of
        assert (found[name].value, found[name].n) == (whole[name].value, samples)
    assert found["kid[moments]"].value == pytest.approx(whole["kid[moments]"].value)
    assert reason == few * (
        "fid[moments] needs more than 8 samples and test items, the dimensions of its features; "
        f"there are {samples} and {references}"
    )


def test_pictures_that_are_all_alike_have_no_distribution() -> None:
    checked = evaluation(NoisyPictures(), pictures(40), samples=30)
    checked.references[:] = checked.references[0]
    with pytest.raises(NotApplicable, match="test items that differ; to this space all are alike"):
        fidelity(checked, space="moments")


def test_copies_of_a_picture_are_no_distance_apart() -> None:
    """Their balls have no radius; rounding would leave copies in or out by chance."""
    random = np.random.default_rng(0)
    references = np.repeat(random.normal(size=(6, 40)) * 100 + 1e3, 8, 0)
    found = neighbourhoods(references[::2], references, 3, 5)
    assert found.inside.all()
    assert found.covered.all()
    assert not neighbourhoods(references + 1e-3, references, 3, 5).inside.any()


def test_weights_for_a_space_without_any_are_refused() -> None:
    with pytest.raises(PluginError, match="no option 'weights'"):
        fidelity(evaluation(NoisyPictures(), pictures(40), samples=30), space="moments", weights="w.pth")


def test_diversity_of_pictures_is_the_vendi_score_of_their_features() -> None:
    checked = evaluation(NoisyPictures(), pictures(4), samples=30)
    (score,) = diversity(checked, space="moments")
    assert (score.metric, score.n, score.better) == ("vendi[moments]", 30, "higher")
    checked.samples[:] = checked.samples[0]
    _features.space.cache_clear()
    assert diversity(checked, space="moments")[0].value == pytest.approx(1)
    assert score.value > 1.01


def test_diversity_of_one_picture_is_not_defined() -> None:
    with pytest.raises(NotApplicable, match="at least 2 samples; there is 1"):
        diversity(evaluation(NoisyPictures(), pictures(4), samples=1), space="moments")
