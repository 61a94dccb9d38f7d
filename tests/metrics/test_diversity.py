"""Vendi, distinct-n and self-BLEU of texts, against their definitions."""

import numpy as np
import pytest
import torch
from sacrebleu.metrics.bleu import BLEU

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics._ngrams import distinct, ngram_vectors, ngrams, self_bleu
from bench.metrics.diversity import diversity, vendi
from tests.metrics.doubles import UnigramBytes, evaluation, measured, texts

TEXTS = [
    "the cat sat on the mat",
    "the cat sat on the mat",
    "a dog, a dog and a dog sat there",
    "the dog sat on the cat on the mat",
    "one",
    "two words",
    "nothing like any other line here",
]


def of(samples: list[str]) -> Evaluation:
    checked = evaluation(UnigramBytes(torch.zeros(256)), texts(["x"]))
    checked.__dict__["samples"] = samples
    return checked


def by_name(scores: list[Score]) -> dict[str, Score]:
    return {score.metric: score for score in scores}


def test_vendi_of_orthonormal_samples_is_their_number_and_of_copies_one() -> None:
    assert vendi(np.eye(9) / 9) == pytest.approx(9)
    assert vendi(np.ones((9, 9)) / 9) == pytest.approx(1)


def test_vendi_is_the_same_from_either_product() -> None:
    features = np.random.default_rng(0).normal(size=(40, 7))
    features /= np.linalg.norm(features, axis=1, keepdims=True)
    assert vendi(features @ features.T / 40) == pytest.approx(vendi(features.T @ features / 40))


def test_vendi_of_texts_counts_different_ones() -> None:
    assert by_name(diversity(of(["one two three four five"] * 6)))["vendi[ngram]"].value == pytest.approx(1)
    apart = [" ".join(f"w{i}x{j}" for j in range(6)) for i in range(8)]
    assert by_name(diversity(of(apart)))["vendi[ngram]"].value == pytest.approx(8)


def test_ngram_kernel_is_the_mean_cosine_over_orders() -> None:
    first, second = "a b a c d", "a b c d d e"
    vectors = ngram_vectors([ngrams(first), ngrams(second)])
    cosines = []
    for order in (1, 2, 3, 4):
        one, two = ({g: c for g, c in ngrams(text).items() if len(g) == order} for text in (first, second))
        inner = sum(count * two.get(gram, 0) for gram, count in one.items())
        lengths = [sum(c**2 for c in counts.values()) for counts in (one, two)]
        cosines.append(inner / np.sqrt(lengths[0] * lengths[1]))
    assert (vectors @ vectors.T)[0, 1] == pytest.approx(np.mean(cosines))


def test_short_texts_are_like_themselves_too() -> None:
    vectors = ngram_vectors([ngrams(text) for text in TEXTS])
    assert (vectors @ vectors.T).diagonal() == pytest.approx(1)


def test_distinct_divides_different_ngrams_by_words() -> None:
    counted = [ngrams("a b a b"), ngrams("a b c")]
    assert [distinct(counted, order) for order in (1, 2, 3)] == pytest.approx([3 / 7, 3 / 7, 3 / 7])
    assert distinct([ngrams("a a a a")], 1) == 1 / 4


def test_self_bleu_is_sacrebleu_of_each_text_with_all_others_as_references() -> None:
    bleu = BLEU(smooth_method="floor", smooth_value=0.1, effective_order=True)
    expected = [bleu.sentence_score(text, TEXTS[:i] + TEXTS[i + 1 :]).score for i, text in enumerate(TEXTS)]
    assert self_bleu([ngrams(text) for text in TEXTS]) == pytest.approx(np.mean(expected), rel=1e-12)


def test_copies_have_self_bleu_100_and_texts_without_a_common_word_0() -> None:
    assert self_bleu([ngrams("a b c d e")] * 3) == pytest.approx(100)
    assert self_bleu([ngrams("a b c d e"), ngrams("f g h i j")]) == 0


def test_scores_of_sampled_texts() -> None:
    model = UnigramBytes(torch.zeros(256), context=12)
    first, again = (diversity(evaluation(model, texts(["x"]), samples=12)) for _ in range(2))
    assert first == again
    assert list(by_name(first)) == ["distinct_1", "distinct_2", "distinct_3", "self_bleu", "vendi[ngram]"]
    assert by_name(first)["self_bleu"].better == "lower"


def test_there_is_no_share_of_ngrams_that_no_sample_is_long_enough_for() -> None:
    found, reason = measured(diversity, of(["one two", "three", "one two"]))
    assert list(found) == ["distinct_1", "distinct_2", "self_bleu", "vendi[ngram]"]
    assert reason == "distinct_3 needs samples of 3 words, and there are none"
    assert found["distinct_2"].value == 1 / 5


def test_texts_without_spaces_are_taken_by_character() -> None:
    """By spaces each would be one word that no other has: as different as can be."""
    alike = by_name(diversity(of(["我喜欢读书。", "我喜欢读报。", "我喜欢读诗。"])))
    assert alike["self_bleu"].value > 40
    assert alike["distinct_1"].value == (4 + 3 + 1) / 18
    assert 1 < alike["vendi[ngram]"].value < 2.5


def test_wordless_samples_are_left_out_and_not_counted() -> None:
    assert {score.n for score in diversity(of(["", "a b e", " \n", "c d"]))} == {2}
    with pytest.raises(NotApplicable, match="at least 2 samples with a word in them; 1 of 3"):
        diversity(of(["", "a", " "]))


def test_vendi_of_many_texts_says_how_many_it_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.metrics.diversity._VENDI_TEXTS", 4)
    scores = by_name(diversity(of(TEXTS)))
    assert scores["vendi[ngram]"].n == 4
    assert scores["self_bleu"].n == len(TEXTS)


def test_what_is_neither_text_nor_image_nor_sound_is_refused() -> None:
    checked = of(["a", "b"])
    checked.model.offers = frozenset({"molecule", "samples"})  # type: ignore[misc]  # of this one model
    with pytest.raises(NotApplicable, match="knows texts, images and sounds; UnigramBytes makes none"):
        diversity(checked)
