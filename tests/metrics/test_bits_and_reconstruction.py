"""Bits per dimension, reconstruction and paired errors of models whose scores are known in closed form."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from bench.dataset import Columns, Dataset
from bench.errors import NotApplicable
from bench.evaluation import Score
from bench.metrics._similarity import WINDOW, structural_similarity
from bench.metrics.bits_per_dimension import bits_per_dimension
from bench.metrics.paired_error import paired_error
from bench.metrics.reconstruction import reconstruction
from bench.model import Batch
from tests.metrics.doubles import NoisyPictures, evaluation, measured, pictures


def by_name(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores}


# Bits per dimension ---------------------------------------------------------------------------------------------------


class Uniform(NoisyPictures):
    """Every value of a pixel is equally likely, give or take the noise."""

    offers = frozenset({"image", "network", "likelihood_bound"})
    share = 0.0

    def nll(self, batch: Batch) -> tuple[Tensor, Tensor]:
        noise = batch["noise"].flatten(1).double().mean(1)
        size = batch["images"][0].numel()
        return size * math.log(256) + self.share * noise, torch.full((len(noise),), size)


def test_who_knows_nothing_needs_8_bits() -> None:
    scores = by_name(bits_per_dimension(evaluation(Uniform(), pictures(23))))
    assert scores["bits_per_dimension"].value == pytest.approx(8, rel=1e-12)
    assert scores["bits_per_dimension"].error == pytest.approx(0, abs=1e-12)
    assert scores["elbo"].value == pytest.approx(-64 * math.log(256), rel=1e-12)
    assert [(score.n, score.better) for score in scores.values()] == [(23, "higher"), (23, "lower")]


def test_standard_errors_are_those_over_images_and_noise_repeats() -> None:
    model = Uniform()
    model.share = 500.0
    once, again = (by_name(bits_per_dimension(evaluation(model, pictures(200)))) for _ in range(2))
    assert once == again
    spread = 500 / math.sqrt(64) / math.sqrt(200)
    error = once["elbo"].error or 0.0
    assert error == pytest.approx(spread, rel=0.15)
    assert once["bits_per_dimension"].error == pytest.approx(error / 64 / math.log(2), rel=1e-6)


# Reconstruction -------------------------------------------------------------------------------------------------------


class OffBy(NoisyPictures):
    """What it reconstructs is darker by so many grey levels."""

    offers = frozenset({"image", "network", "reconstruction"})
    levels = 0

    def reconstruct(self, batch: Batch) -> Batch:
        return batch | {"images": (batch["images"].int() - self.levels).to(torch.uint8)}


def bright(count: int) -> Dataset:
    known = pictures(count)
    test = np.asarray(known.test) // 2 + 128
    return Dataset("bright", "image", known.train, known.validation, test)


def test_errors_are_those_of_the_pixels() -> None:
    model = OffBy()
    model.levels = 51
    scores = by_name(reconstruction(evaluation(model, bright(23))))
    assert scores["reconstruction_mse"].value == pytest.approx(0.04)
    assert scores["psnr"].value == pytest.approx(10 * math.log10(1 / 0.04))
    assert (scores["psnr"].unit, scores["psnr"].better, scores["psnr"].n) == ("dB", "higher", 23)


def test_what_comes_back_as_it_was_has_no_finite_ratio() -> None:
    scores = by_name(reconstruction(evaluation(OffBy(), bright(5))))
    assert scores["reconstruction_mse"].value == 0
    assert scores["psnr"].value == math.inf
    assert scores["psnr"].error is None


# Pairs ----------------------------------------------------------------------------------------------------------------


class Translator(NoisyPictures):
    """The target is the source, brighter by so many grey levels."""

    modality, offers = "image_pair", frozenset({"image", "condition", "samples"})
    generated = "target"
    levels = 10

    def encode(self, items: Any) -> Batch:
        both = [torch.from_numpy(np.array(items[name])) for name in ("source", "target")]
        return {"images": torch.cat(both, -1), "item": torch.arange(len(items))}

    def decode(self, batch: Batch) -> Columns:
        source, target = batch["images"].numpy()[..., :1], batch["images"].numpy()[..., 1:]
        return Columns({"source": source, "target": target})

    def sample(self, batch: Batch, generator: torch.Generator) -> Batch:
        source = batch["images"][..., :1]
        return batch | {"images": torch.cat([source, source + self.levels], -1)}


def pairs(count: int, side: int = 16, name: str = "glyph_styles") -> Dataset:
    images = np.asarray(pictures(count, side).test) // 2
    both = Columns({"source": images, "target": images})
    return Dataset(name, "image_pair", both, both, both)


def test_paired_errors_are_those_of_the_true_targets() -> None:
    scores = by_name(paired_error(evaluation(Translator(), pairs(7), samples=16)))
    assert scores["paired_mae"].value == pytest.approx(10)
    assert scores["paired_rmse"].value == pytest.approx(10)
    assert scores["paired_mae"].error == pytest.approx(0, abs=1e-9)
    assert {score.n for score in scores.values()} == {16}
    assert 0.9 < scores["ssim"].value < 1, "the structure is the same, the light is not"


def test_the_true_targets_are_without_error() -> None:
    model = Translator()
    model.levels = 0
    scores = by_name(paired_error(evaluation(model, pairs(5))))
    assert scores["paired_mae"].value == scores["paired_rmse"].value == 0
    assert scores["ssim"].value == pytest.approx(1)


def test_small_pictures_have_no_structural_similarity() -> None:
    found, reason = measured(paired_error, evaluation(Translator(), pairs(5, side=8)))
    assert list(found) == ["paired_mae", "paired_rmse"]
    assert reason == "ssim needs pictures of 11 pixels' side; these have 8"


@pytest.mark.parametrize("name", ["glyphs", "a domain of somebody's"])
def test_without_pairs_there_is_no_error(name: str) -> None:
    with pytest.raises(NotApplicable, match=f"test items of {name} are no pairs"):
        paired_error(evaluation(Translator(), pairs(5, name=name)))


def test_similarity_is_that_of_the_paper_window_by_window() -> None:
    random = np.random.default_rng(0)
    ones, others = (random.integers(0, 256, (2, 14, 13, 3), dtype=np.uint8) for _ in range(2))
    others = (others // 2 + ones // 2).astype(np.uint8)
    offsets = np.arange(11) - 5
    window = np.exp(-(offsets[:, None] ** 2 + offsets**2) / (2 * 1.5**2))
    window /= window.sum()
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    for index, got in enumerate(structural_similarity(ones, others)):
        found = []
        for channel in range(3):
            for top in range(14 - WINDOW + 1):
                for left in range(13 - WINDOW + 1):
                    x, y = (
                        images[index, top : top + 11, left : left + 11, channel].astype(float)
                        for images in (ones, others)
                    )
                    mx, my = (window * x).sum(), (window * y).sum()
                    vx, vy = (window * (x - mx) ** 2).sum(), (window * (y - my) ** 2).sum()
                    both = (window * (x - mx) * (y - my)).sum()
                    found.append((2 * mx * my + c1) * (2 * both + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2)))
        assert got == pytest.approx(np.mean(found), rel=1e-9)


def test_similarity_of_flat_pictures_in_closed_form() -> None:
    """Without structure the light alone counts: (2 · 100 · 150 + c1) / (100² + 150² + c1)."""
    ones, others = (np.full((1, 11, 11, 1), level, np.uint8) for level in (100, 150))
    c1 = 2.55**2
    assert structural_similarity(ones, others)[0] == pytest.approx((30_000 + c1) / (32_500 + c1), rel=1e-9)
    assert structural_similarity(ones, ones)[0] == pytest.approx(1, rel=1e-12)
