"""Pseudo-perplexity of models whose scores are known in closed form."""

import math

import pytest
import torch

from bench.metrics.pseudo_perplexity import pseudo_perplexity
from tests.metrics.doubles import UnigramBytes, evaluation, texts
from tests.models import data_of, model_of

TEXTS = ["abc", "a longer text of several rows", "ünïcödé", "", "z" * 40]


def scores(logits: torch.Tensor, count: int = 256) -> dict[str, tuple[float, float | None, int]]:
    found = pseudo_perplexity(evaluation(UnigramBytes(logits), texts(TEXTS)), texts=count)
    return {score.metric: (score.value, score.error, score.n) for score in found}


def test_uniform_bytes_have_pseudo_perplexity_256_and_8_bits_per_byte() -> None:
    found = scores(torch.zeros(256))
    assert found["pseudo_perplexity"][0] == pytest.approx(256, rel=1e-5)
    assert found["pseudo_bits_per_byte"][0] == pytest.approx(8, rel=1e-6)
    error, n = found["pseudo_bits_per_byte"][1:]
    assert error == pytest.approx(0, abs=1e-6)
    assert n == len(TEXTS)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_the_first_texts_are_scored_and_no_others(count: int) -> None:
    """Texts of several rows among them; each byte costs what the unigram distribution says."""
    logits = torch.linspace(-2, 2, 256)
    coded = "".join(TEXTS[:count]).encode()
    nats = -torch.log_softmax(logits.double(), 0)[list(coded)].sum().item()
    found = scores(logits, count)
    assert found["pseudo_perplexity"][0] == pytest.approx(math.exp(nats / len(coded)), rel=1e-5)
    assert found["pseudo_bits_per_byte"][0] == pytest.approx(nats / math.log(2) / len(coded), rel=1e-5)
    assert found["pseudo_bits_per_byte"][2] == count


def test_a_masked_language_model_is_scored_by_each_token() -> None:
    model, data = model_of("masked_lm"), data_of("masked_lm")
    with torch.no_grad():
        rows = model.encode(data.test)
        nats, tokens = model.nll(model.collate(rows, torch.arange(len(rows["item"]))))
    (perplexity, bits, unrestored) = pseudo_perplexity(evaluation(model, data))
    assert perplexity.value == pytest.approx(math.exp(float(nats.sum() / tokens.sum())), rel=1e-4)
    size = sum(len(str(text).encode()) for text in data.test)
    assert bits.value == pytest.approx(float(nats.sum()) / math.log(2) / size, rel=1e-4)
    assert (unrestored.metric, unrestored.value, unrestored.n) == ("unrestored", 0, len(data.test))
