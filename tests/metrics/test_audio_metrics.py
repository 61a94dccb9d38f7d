"""Distances between sets of sounds, against closed forms, and through the whole way: samples, space, scores."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench import plugins
from bench.dataset import Dataset, Items
from bench.errors import NotApplicable
from bench.evaluation import Evaluation
from bench.metrics import _features
from bench.metrics._distributions import frechet_distance, gaussian_distance
from bench.metrics.audio_fidelity import PRIMARY, audio_fidelity
from bench.metrics.diversity import diversity
from bench.metrics.spectral_distance import log_spectral_distance, spectral_distance
from bench.model import Batch
from tests.metrics.doubles import Double, evaluation
from tests.metrics.doubles import measured as parts

RATE = 8000
RATES: list[int] = []


class Loudness:
    """A feature space of sounds: their level, and how often they change their sign."""

    def __init__(self, *, sample_rate: int = 1) -> None:
        RATES.append(sample_rate)

    def __call__(self, items: np.ndarray) -> np.ndarray:
        waves = items / 32768
        return np.stack([waves.std(1), (np.diff(np.sign(waves)) != 0).mean(1), waves[:, 0]], 1)


class NoisySounds(Double):
    """White noise of one level."""

    modality, offers = "audio", frozenset({"audio", "samples"})

    def __init__(self) -> None:
        super().__init__()
        self.network: nn.Module = nn.Linear(1, 1)

    def encode(self, items: Items) -> Batch:
        return {"sounds": torch.from_numpy(np.array(items)), "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> Items:
        return batch["sounds"].numpy()

    def forward(self, batch: Batch) -> Tensor:
        raise NotImplementedError

    def loss(self, batch: Batch, outputs: Tensor, player: Any = None) -> Tensor:
        raise NotImplementedError

    def units(self, batch: Batch) -> int:
        raise NotImplementedError

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        drawn = torch.randn(batch["sounds"].shape, generator=generator) * 3000
        return {"sounds": drawn.to(torch.int16), "item": batch["item"]}


def noises(count: int, level: float = 3000, seed: int = 0) -> Dataset:
    random = np.random.default_rng(seed)
    train, test = ((random.standard_normal((n, 800)) * level).astype(np.int16) for n in (2, count))
    return Dataset("noises", "audio", train, train[:1], test, sample_rate=RATE)


def measured(references: int = 40, samples: int = 30, level: float = 3000) -> Evaluation:
    return evaluation(NoisySounds(), noises(references, level), samples)


@pytest.fixture(autouse=True)
def _spaces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    def find(kind: str, name: str) -> Any:
        known = {"annotations": {"sample_rate": "int"}, "constants": {"MODALITY": "audio"}}
        return plugins.Plugin(kind, name, __name__, "Loudness", Path(__file__), **known)  # type: ignore[arg-type]

    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(plugins, "find", find)
    _features.space.cache_clear()
    RATES.clear()
    yield
    _features.space.cache_clear()


# Closed forms ---------------------------------------------------------------------------------------------------------


def test_the_kernel_distance_of_two_normal_laws() -> None:
    """Of N(0, I) and N(μ, I), the squared discrepancy is 2 (b² / (b² + 2))^(d/2) (1 - exp(-|μ|² / (2 b² + 4)))."""
    random, dimensions = np.random.default_rng(0), 4
    references = random.standard_normal((1500, dimensions))
    shift = np.array([1.0, 0, 0, 0])
    bandwidth = math.sqrt(2 * 3.3567)  # the median of a chi-squared variable of 4 degrees, twice: of a difference
    share = bandwidth**2 / (bandwidth**2 + 2)
    wanted = 2 * share ** (dimensions / 2) * (1 - math.exp(-1 / (2 * bandwidth**2 + 4)))
    value, error, _ = gaussian_distance(random.standard_normal((1500, dimensions)) + shift, references)
    assert value == pytest.approx(wanted, abs=4 * error)
    assert error < 0.1 * wanted


def test_the_kernel_distance_of_equal_laws_is_zero_on_average() -> None:
    random = np.random.default_rng(0)
    found = [gaussian_distance(*random.standard_normal((2, 20, 3)))[0] for _ in range(200)]
    assert abs(np.mean(found)) < 4 * np.std(found) / math.sqrt(200)
    assert min(found) < 0, "it is not biased, so it may fall below zero"


def test_the_kernel_distance_is_the_mean_over_pairs() -> None:
    samples, references = np.random.default_rng(0).standard_normal((2, 5, 3)) + np.array([[[0.5]], [[0]]])
    pairs = [(i, j) for i in range(5) for j in range(5)]
    bandwidth = np.median([np.linalg.norm(references[i] - references[j]) for i, j in pairs if i < j])

    def mean(x: np.ndarray, y: np.ndarray, own: bool) -> float:
        kept = [np.exp(-((x[i] - y[j]) ** 2).sum() / (2 * bandwidth**2)) for i, j in pairs if own or i != j]
        return float(np.mean(kept))

    wanted = mean(samples, samples, False) + mean(references, references, False) - 2 * mean(samples, references, True)
    assert gaussian_distance(samples, references)[0] == pytest.approx(wanted, rel=1e-9)


def test_the_kernel_distance_does_not_depend_on_the_spaces_units() -> None:
    samples, references = np.random.default_rng(0).standard_normal((2, 30, 3))
    one, scaled = (gaussian_distance(samples * unit + unit, references * unit)[:2] for unit in (1.0, 1000.0))
    assert one == pytest.approx(scaled, rel=1e-9)


def test_the_frechet_distance_of_equal_sets_is_zero_and_of_moved_ones_the_move() -> None:
    features = np.random.default_rng(0).standard_normal((200, 8))
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-9)
    assert frechet_distance(features + 0.5, features) == pytest.approx(8 * 0.25, rel=1e-9)


@pytest.mark.parametrize("factor", [0.1, 0.5, 2.0])
def test_the_spectral_distance_of_scaled_sounds_is_the_factor_in_db(factor: float) -> None:
    random = np.random.default_rng(0)
    power = random.uniform(1, 100, 129)
    assert log_spectral_distance(factor**2 * power, power) == pytest.approx(abs(20 * math.log10(factor)))
    assert log_spectral_distance(power, power) == 0


def test_the_spectral_distance_is_the_root_mean_square_over_frequencies() -> None:
    assert log_spectral_distance(np.array([10.0, 1, 1, 1]), np.ones(4)) == pytest.approx(math.sqrt(10**2 / 4))


def test_silence_is_eighty_db_away_and_no_further() -> None:
    assert log_spectral_distance(np.zeros(9), np.ones(9)) == pytest.approx(80)
    assert log_spectral_distance(np.zeros(9), np.zeros(9)) == 0


# Through the whole way ------------------------------------------------------------------------------------------------


def test_every_score_names_its_space_its_number_of_samples_and_its_direction() -> None:
    kad, fad = audio_fidelity(measured(), space="loudness")
    assert [kad.metric, fad.metric] == ["kad[loudness]", "fad[loudness]"]
    assert PRIMARY.format(space="loudness") == kad.metric
    assert {score.n for score in (kad, fad)} == {30}
    assert {score.better for score in (kad, fad)} == {"lower"}
    assert RATES == [RATE], "the space hears of the rate"


def test_the_same_law_scores_well_and_another_level_does_not() -> None:
    near, far = (audio_fidelity(measured(100, 100, level), space="loudness")[0] for level in (3000, 6000))
    assert near.error is not None
    assert far.error is not None
    assert abs(near.value) < 4 * near.error
    assert far.value > 10 * far.error
    assert 0 < far.value < 200, "a hundred times what is at most two"


@pytest.mark.parametrize(("samples", "references"), [(2, 40), (40, 2)])
def test_too_few_sounds_are_one_clear_line(samples: int, references: int) -> None:
    with pytest.raises(NotApplicable, match=f"needs 3 samples and test items; there are {samples} and {references}"):
        audio_fidelity(measured(references, samples), space="loudness")


@pytest.mark.parametrize(("samples", "references"), [(4, 4), (3, 40), (40, 3)])
def test_a_frechet_distance_takes_more_sounds_than_dimensions(samples: int, references: int) -> None:
    found, reason = parts(audio_fidelity, measured(references, samples), space="loudness")
    few = "fad[loudness] needs more than 3 samples and test items, the dimensions of its features; there are"
    assert list(found) == ["kad[loudness]"] + ["fad[loudness]"] * (not reason)
    assert reason == ("" if samples == references else f"{few} {samples} and {references}")


def test_test_items_that_are_all_alike_have_no_bandwidth() -> None:
    for silent in (40, 35):  # of 40; most pairs of 35 are alike too
        checked = measured()
        checked.references[:silent] = 0
        with pytest.raises(NotApplicable, match="most pairs of them are alike"):
            audio_fidelity(checked, space="loudness")
    checked.references[:] = measured().references
    assert audio_fidelity(checked, space="loudness")


def test_silence_has_no_spectrum_to_be_near() -> None:
    checked = measured()
    checked.references[:] = 0
    with pytest.raises(NotApplicable, match="all are silent"):
        spectral_distance(checked)
    checked.references[0, 100] = 1
    assert math.isfinite(spectral_distance(checked)[0].value)


def test_samples_without_any_feature_are_like_each_other_and_no_others() -> None:
    checked = measured(samples=30)
    checked.samples[:] = 0
    assert diversity(checked, space="loudness")[0].value == pytest.approx(1)
    _features.space.cache_clear()
    checked = measured(samples=30)
    checked.samples[:15] = 0
    checked.samples[15:] = checked.samples[15]
    assert diversity(checked, space="loudness")[0].value == pytest.approx(2)


def test_the_spectrum_of_louder_noise_is_so_many_db_away() -> None:
    (score,) = spectral_distance(measured(100, 100, 6000))
    assert (score.metric, score.unit, score.better, score.n) == ("log_spectral_distance", "dB", "lower", 100)
    assert score.value == pytest.approx(20 * math.log10(2), abs=0.2)
    assert spectral_distance(measured(100, 100))[0].value < 0.4


def test_sounds_shorter_than_a_segment_have_a_spectrum_too() -> None:
    checked = measured()
    checked.__dict__ |= {"samples": checked.samples[:, :100], "references": checked.references[:, :100]}
    assert math.isfinite(spectral_distance(checked)[0].value)


def test_diversity_of_sounds_is_the_vendi_score_of_their_features() -> None:
    checked = measured()
    (score,) = diversity(checked)
    assert (score.n, score.better) == (30, "higher")
    checked.samples[:] = checked.samples[0]
    _features.space.cache_clear()
    assert diversity(checked)[0].value == pytest.approx(1)
    assert score.value > 1.0001


def test_diversity_of_sounds_is_measured_in_a_space_of_sounds(monkeypatch: pytest.MonkeyPatch) -> None:
    def find(kind: str, name: str) -> Any:
        known: Any = {"annotations": {"sample_rate": "int"}}
        known["constants"] = {"MODALITY": "image" if name == "digit_classifier" else "audio"}
        return plugins.Plugin(kind, name, __name__, "Loudness", Path(__file__), **known)

    monkeypatch.setattr(plugins, "find", find)
    assert [diversity(measured(), **options)[0].metric for options in ({}, {"space": "clap"})] == [
        "vendi[sound_classifier]",
        "vendi[clap]",
    ]
