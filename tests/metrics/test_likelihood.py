"""Perplexity, bits per byte and test loss of models whose scores are known in closed form."""

import math

import numpy as np
import pytest
import torch

from bench.errors import NotApplicable
from bench.evaluation import Score
from bench.metrics._items import ratio
from bench.metrics.loss import loss
from bench.metrics.perplexity import perplexity
from tests.metrics.doubles import NoisyPictures, UnigramBytes, evaluation, pictures, texts

TEXTS = ["abc", "a longer text of several rows", "ünïcödé", "", "z" * 40]


def by_name(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores}


def test_uniform_bytes_have_perplexity_256_and_8_bits_per_byte() -> None:
    scores = by_name(perplexity(evaluation(UnigramBytes(torch.zeros(256)), texts(TEXTS))))
    assert scores["perplexity"].value == pytest.approx(256, rel=1e-5)
    assert scores["bits_per_byte"].value == pytest.approx(8, rel=1e-6)
    assert scores["bits_per_byte"].error == pytest.approx(0, abs=1e-6)
    assert {score.n for score in scores.values()} == {len(TEXTS)}
    assert {name: score.better for name, score in scores.items()} == {
        "perplexity": "lower",
        "bits_per_byte": "lower",
        "unrestored": "none",
    }


def test_perplexity_is_the_weighted_mean_over_tokens_not_over_texts() -> None:
    logits = torch.linspace(-2, 2, 256)
    got = by_name(perplexity(evaluation(UnigramBytes(logits), texts(TEXTS))))
    coded = "".join(TEXTS).encode()
    nats = -torch.log_softmax(logits.double(), 0)[list(coded)].sum().item()
    assert got["perplexity"].value == pytest.approx(math.exp(nats / len(coded)), rel=1e-5)
    assert got["bits_per_byte"].value == pytest.approx(nats / math.log(2) / len(coded), rel=1e-5)


@pytest.mark.parametrize(("context", "batch_size"), [(1, 1), (8, 3), (64, 64)])
def test_perplexity_does_not_depend_on_how_texts_are_cut_into_rows_and_batches(context: int, batch_size: int) -> None:
    logits = torch.linspace(-2, 2, 256)
    expected = by_name(perplexity(evaluation(UnigramBytes(logits), texts(TEXTS))))
    got = by_name(perplexity(evaluation(UnigramBytes(logits, context), texts(TEXTS), batch_size=batch_size)))
    for name, score in expected.items():
        assert got[name].value == pytest.approx(score.value, rel=1e-6)
        assert got[name].error == pytest.approx(score.error, rel=1e-5)


def test_hopeless_model_has_infinite_perplexity() -> None:
    logits = torch.zeros(256)
    logits[97] = -1e4
    scores = by_name(perplexity(evaluation(UnigramBytes(logits), texts(["aaa", "aa"]))))
    assert scores["perplexity"].value == math.inf
    assert math.isfinite(scores["bits_per_byte"].value)


@pytest.mark.parametrize("items", [[""], ["", ""]])
def test_texts_with_nothing_in_them_have_no_likelihood(items: list[str]) -> None:
    with pytest.raises(NotApplicable, match="needs something in them"):
        perplexity(evaluation(UnigramBytes(torch.zeros(256)), texts(items)))


def test_ratio_error_is_the_spread_over_repeated_samples() -> None:
    random = np.random.default_rng(0)
    values, errors = [], []
    for _ in range(400):
        below = random.integers(1, 50, 200).astype(float)
        value, error = ratio(below * 2 + random.normal(0, 1, 200) * below, below)
        values.append(value)
        errors.append(error or math.nan)
    assert np.mean(errors) == pytest.approx(np.std(values), rel=0.1)


def test_single_item_has_no_standard_error() -> None:
    assert ratio(np.array([3.0]), np.array([2.0])) == (1.5, None)


def test_loss_of_a_language_model_is_nats_per_token() -> None:
    (score,) = loss(evaluation(UnigramBytes(torch.zeros(256)), texts(TEXTS)))
    assert (score.metric, score.unit, score.n) == ("test_loss", "nats/token", len(TEXTS))
    assert score.value == pytest.approx(math.log(256), rel=1e-5)


def test_loss_sees_the_same_noise_whatever_the_model() -> None:
    data = pictures(30)
    (still,), (half,), (again,) = (loss(evaluation(NoisyPictures(scale), data)) for scale in (0.0, 0.5, 0.0))
    assert still == again
    assert half.value == pytest.approx(still.value / 4, rel=1e-5)
    assert still.unit == "mse"


def test_loss_and_its_error_are_those_of_the_items() -> None:
    checked = evaluation(NoisyPictures(), pictures(30))
    generator = checked.generator()
    squares = torch.cat([torch.randn(5, 8, 8, 1, generator=generator) for _ in range(6)]).pow(2).mean((1, 2, 3)).numpy()
    (score,) = loss(checked)
    assert score.value == pytest.approx(squares.mean(), rel=1e-5)
    assert score.error == pytest.approx(squares.std(ddof=1) / np.sqrt(30), rel=1e-4)
