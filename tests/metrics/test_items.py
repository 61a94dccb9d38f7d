"""What each test item adds to a score: their mean is the score, their standard error the score's, whatever it is of."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from bench.evaluation import Evaluation, Score
from bench.metrics._items import by_condition, ratio, shares
from bench.metrics.bits_per_dimension import bits_per_dimension
from bench.metrics.loss import loss
from bench.metrics.overlap import overlap
from bench.metrics.paired_error import paired_error
from bench.metrics.perplexity import perplexity
from bench.metrics.reconstruction import reconstruction
from bench.model import Batch
from tests.metrics.doubles import NoisyPictures, UnigramBytes, evaluation, measured, pictures, texts
from tests.metrics.test_bits_and_reconstruction import OffBy, Translator, Uniform, bright, pairs
from tests.metrics.test_overlap import written

TEXTS = ["abc", "a longer text of several rows", "ünïcödé", "", "z" * 40]


def of_texts() -> dict[str, Score]:
    return measured(perplexity, evaluation(UnigramBytes(torch.linspace(-2, 2, 256)), texts(TEXTS)))[0]


def of_bounds() -> dict[str, Score]:
    model = Uniform()
    model.share = 3.0
    return measured(bits_per_dimension, evaluation(model, pictures(12)))[0]


def of_losses() -> dict[str, Score]:
    of_rows = measured(loss, evaluation(UnigramBytes(torch.linspace(-2, 2, 256)), texts(TEXTS)))[0]
    of_noise = measured(loss, evaluation(NoisyPictures(0.5), pictures(12)))[0]
    return {"rows": of_rows["test_loss"], "noise": of_noise["test_loss"]}


def of_reconstructions() -> dict[str, Score]:
    class Darker(OffBy):
        """By one grey level more in each picture."""

        def reconstruct(self, batch: Batch) -> Batch:
            levels = 1 + batch["item"].to(torch.int32)[:, None, None, None]
            return batch | {"images": (batch["images"].int() - levels).to(torch.uint8)}

    return measured(reconstruction, evaluation(Darker(), bright(12)))[0]


def of_pairs() -> dict[str, Score]:
    data = pairs(16)
    model = Translator()
    checked = evaluation(model, data, samples=16)
    made = np.asarray(checked.samples).copy()
    made[::3] += 7
    vars(checked)["samples"] = made
    return measured(paired_error, checked)[0]


def of_words() -> dict[str, Score]:
    """There are more test items than samples, and one reference is too short for rouge2."""
    made = written(["a b c d", "e f", "g h i"], ["a b c e", "e", "g h j"])
    found = measured(overlap, made)[0]
    return {name: found[name] for name in ("rouge1", "rouge2", "rougeL", "exact_match")}


@pytest.mark.parametrize("scores", [of_texts, of_bounds, of_losses, of_reconstructions, of_pairs, of_words])
def test_their_mean_is_the_score_and_their_error_its_error(scores: Callable[[], dict[str, Score]]) -> None:
    kept = {name: score for name, score in scores().items() if score.better != "none"}
    assert kept
    for name, score in kept.items():
        assert score.items is not None, name
        items = score.items[~np.isnan(score.items)]
        assert len(items) == score.n
        assert items.mean() == pytest.approx(score.value, rel=1e-9), name
        assert items.std(ddof=1) / math.sqrt(len(items)) == pytest.approx(score.error, rel=1e-9, abs=1e-12), name


def test_items_that_a_score_leaves_out_have_no_number() -> None:
    lacking = of_words()["rouge2"].items
    assert lacking is not None
    assert np.flatnonzero(~np.isnan(lacking)).tolist() == [0, 2]


def test_bits_of_two_models_differ_text_by_text_as_their_nats_do() -> None:
    """Over texts of any length: with R the ratio, (a - R b) / mean b summed over texts is zero."""
    nats, sizes = np.array([3.0, 10.0, 20.0]), np.array([1.0, 5.0, 6.0])
    assert shares(nats, sizes) == pytest.approx(33 / 12 + (nats - 33 / 12 * sizes) / 4)
    assert shares(nats, np.ones(3)) == pytest.approx(nats)


def test_the_paired_error_of_a_difference_of_perplexities_is_its_spread_over_test_splits() -> None:
    random = np.random.default_rng(0)
    differences, errors = [], []
    for _ in range(400):
        tokens = random.integers(5, 60, 120).astype(float)
        hard = random.normal(2, 0.4, 120)
        nats = [tokens * (hard + shift + random.normal(0, 0.1, 120)) for shift in (0, 0.2)]
        values = [math.exp(ratio(one, tokens)[0]) for one in nats]
        one, other = (shares(part, tokens, value, value) for part, value in zip(nats, values, strict=True))
        differences.append(values[0] - values[1])
        errors.append((one - other).std(ddof=1) / math.sqrt(120))
    assert np.mean(errors) == pytest.approx(np.std(differences), rel=0.1)


def conditional(test: int, samples: int) -> Evaluation:
    return evaluation(Translator(), pairs(test), samples)


def test_samples_of_one_item_are_taken_together() -> None:
    """Seven samples of five items: the first two have two each, and count twice in the mean."""
    values = np.array([1.0, 2, 3, 4, 5, 3, 0])
    items = by_condition(conditional(5, 7), values)
    assert items is not None
    mean, sums, counts = values.mean(), np.array([4.0, 2, 3, 4, 5]), np.array([2, 2, 1, 1, 1])
    assert items == pytest.approx(mean + (sums - mean * counts) / 1.4)
    assert items.mean() == pytest.approx(mean)


def test_samples_without_a_condition_belong_to_no_item() -> None:
    assert by_condition(evaluation(NoisyPictures(), pictures(5), samples=5), np.arange(5.0)) is None


def test_a_perplexity_that_is_infinite_has_no_items() -> None:
    logits = torch.zeros(256)
    logits[97] = -1e4
    scores = measured(perplexity, evaluation(UnigramBytes(logits), texts(["aaa", "aa"])))[0]
    assert scores["perplexity"].items is None
    assert scores["bits_per_byte"].items is not None
