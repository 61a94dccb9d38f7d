"""The floor is what a perfect sampler scores: real data in the place of samples, by simulation and by exact counts."""

import itertools
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import wasserstein_distance

from bench.dataset import Dataset
from bench.evaluation import Evaluation, Training
from bench.metrics import _features
from bench.metrics._distributions import kernel_distance, uncovered
from bench.metrics.fidelity import fidelity
from bench.metrics.spectral_distance import spectral_distance
from bench.model import Batch, Model
from bench.statistics import intervals
from tests.metrics.doubles import NoisyPictures, measured
from tests.metrics.test_audio_metrics import NoisySounds
from tests.models import prepare, transfer_of

SIDE = 4
"""Pictures of 16 pixels, each standard normal: the space in which they are compared."""


class Pixels:
    """The feature space of what a picture's pixels are."""

    def __call__(self, items: Any) -> np.ndarray:
        return np.asarray(items, float).reshape(len(items), -1)

    kept = __call__


class Perfect(NoisyPictures):
    """Samples follow the very law that test items do."""

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        return batch | {"images": torch.randn(batch["images"].shape, generator=generator, dtype=torch.float64)}


@pytest.fixture(autouse=True)
def _space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_features, "space", lambda *_: Pixels())


def domain(test: int, seed: int, shift: float = 0.0) -> Dataset:
    """Test items of the law, and training items that are ``shift`` away from it."""
    random = np.random.default_rng(seed)
    train, held_out = (random.standard_normal((n, SIDE, SIDE, 1)) for n in (300, test))
    return Dataset("normal", "image", train + shift, train[:1], held_out)


def scored(approach: str, data: Dataset, samples: int, seed: int, model: Callable[[], Model] = Perfect) -> Evaluation:
    """What the runner hands to metrics."""
    transfer = transfer_of(model(), data, seed=seed)
    transfer.samples = samples
    transfer = prepare(transfer, approach)
    made, held = transfer.model.eval(), transfer.data
    encode = lambda split: made.encode(getattr(held, split))  # noqa: E731
    return Evaluation(
        made, held, encode, transfer.samples, 64, seed, Training(), stands_for=transfer.stands_for
    )  # fmt: skip


def values(approach: str, data: Dataset, samples: int, seed: int) -> dict[str, float]:
    found = fidelity(scored(approach, data, samples, seed), space="pixels")
    return {score.metric.partition("[")[0]: score.value for score in found}


def fids(approach: str, test: int, samples: int, repeats: int = 40) -> list[float]:
    return [values(approach, domain(test, seed), samples, seed)["fid"] for seed in range(repeats)]


@pytest.mark.parametrize(("test", "samples"), [(300, 300), (450, 100), (200, 1000)])
def test_its_frechet_distance_is_that_of_a_perfect_sampler(test: int, samples: int) -> None:
    """Though it is found on a part of the test split against the rest: on halves, where the samples are many."""
    floor = np.mean(fids("real_data", test, samples))
    assert floor == pytest.approx(np.mean(fids("zero_shot", test, samples)), rel=0.06)


def test_its_frechet_distance_is_the_bias_that_is_known() -> None:
    """2d/N + d(d+1)/(2N) of two sets of N, to the first order, where half a test split of N would say twice that."""
    d, n = SIDE * SIDE, 400
    known = 2 * d / n + d * (d + 1) / (2 * n)
    found = [(scored("real_data", domain(n, seed), n, seed).shrinkage, seed) for seed in range(2)]
    assert [shrinkage for shrinkage, _ in found] == [0.5, 0.5]
    assert np.mean(fids("real_data", n, n)) == pytest.approx(known, rel=0.05)


@pytest.mark.parametrize(("test", "lacking"), [(16, {"real_data", "training_data", "zero_shot"}), (33, {"real_data"})])
def test_controls_have_a_frechet_distance_where_their_own_sets_are_larger_than_dimensions(
    test: int, lacking: set[str]
) -> None:
    """33 test items make parts of 16 and 17, for pictures of 16 pixels; 34 are enough for all."""
    for items, without in ((test, lacking), (34, set[str]())):
        for approach in ("real_data", "training_data", "zero_shot"):
            found, reason = measured(fidelity, scored(approach, domain(items, 0), 40, 0), space="pixels")
            assert ("fid[pixels]" not in found) == (approach in without), approach
            assert reason.startswith("fid[pixels] needs more than 16 samples and test items") == (approach in without)
            assert {"kid[pixels]", "recall[pixels]", "coverage[pixels]"} <= set(found)


@pytest.mark.parametrize(("test", "samples"), [(200, 60), (60, 200)])
def test_its_coverage_is_that_of_a_perfect_sampler(test: int, samples: int) -> None:
    def mean(approach: str) -> float:
        return float(np.mean([values(approach, domain(test, n), samples, n)["coverage"] for n in range(20)]))

    missed = 1 - mean("zero_shot")
    assert missed == pytest.approx(uncovered(samples, test, 5), abs=0.02)
    assert 1 - mean("real_data") == pytest.approx(missed, abs=0.02)


def test_its_kernel_distance_is_zero_over_all_divisions_of_any_test_split() -> None:
    points = np.random.default_rng(0).exponential(size=(8, 3))
    parts = [list(part) for part in itertools.combinations(range(8), 3)]
    found = [kernel_distance(points[part], np.delete(points, part, 0))[0] for part in parts]
    assert max(found) > 0.1
    assert np.mean(found) == pytest.approx(0, abs=1e-12)


def test_its_interval_holds_zero_as_often_as_it_says() -> None:
    """KID of three seeds on each of 100 test splits; a perfect sampler is as often above it as below."""
    held, below = 0, 0
    for number in range(100):
        data = domain(90, number)
        floor = [values("real_data", data, 30, seed)["kid"] for seed in range(3)]
        mean, half_width = intervals.interval(floor)
        held += abs(mean) <= half_width
        below += values("zero_shot", data, 30, number)["kid"] < floor[0]
    assert 88 <= held <= 100
    assert 35 <= below <= 65


def test_training_data_say_how_far_they_are_from_the_test_split() -> None:
    """What shifts between the splits is in that row alone, and a model that generalises passes it."""
    apart = domain(200, 0, shift=0.5)
    kids = {name: values(name, apart, 100, 0)["kid"] for name in ("real_data", "training_data", "zero_shot")}
    assert kids["training_data"] > 0.5
    assert max(abs(kids["real_data"]), abs(kids["zero_shot"])) < 0.1
    assert scored("training_data", apart, 100, 0).shrinkage == 1
    assert len(scored("training_data", apart, 100, 0).references) == 200


def test_distances_that_fall_with_the_root_are_taken_to_full_size_by_it() -> None:
    random = np.random.default_rng(0)

    def mean(samples: int, test: int) -> float:
        drawn = [wasserstein_distance(random.normal(size=samples), random.normal(size=test)) for _ in range(400)]
        return float(np.mean(drawn))

    shrinkage = scored("real_data", domain(200, 0), 400, 0).shrinkage
    assert shrinkage == pytest.approx((1 / 400 + 1 / 200) / (2 / 100))
    assert shrinkage**0.5 * mean(100, 100) == pytest.approx(mean(400, 200), rel=0.05)


def test_the_spectral_distance_of_the_floor_is_that_of_a_perfect_sampler() -> None:
    def distance(approach: str, seed: int) -> float:
        random = np.random.default_rng(seed)
        noise = (random.standard_normal((82, 800)) * 3000).astype(np.int16)
        data = Dataset("noises", "audio", noise[:2], noise[:1], noise[2:], sample_rate=8000)
        (score,) = spectral_distance(scored(approach, data, 80, seed, NoisySounds))
        return score.value

    found = {name: np.mean([distance(name, seed) for seed in range(8)]) for name in ("real_data", "zero_shot")}
    assert found["real_data"] == pytest.approx(found["zero_shot"], rel=0.1)
