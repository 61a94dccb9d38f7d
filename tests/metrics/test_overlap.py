"""Overlap with references against figures worked out by hand and published ones, and what counts as Python."""

import math
from typing import Any

import numpy as np
import pytest
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF

from bench.dataset import take
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics.overlap import corpus, overlap
from bench.metrics.syntax import is_python, syntax
from tests.metrics.doubles import evaluation, measured
from tests.small import seq2seq


def written(samples: list[str], wanted: list[str]) -> Evaluation:
    """An evaluation that has drawn these samples, with these references."""
    made = evaluation(seq2seq.model(), seq2seq.data())
    vars(made).update(samples=samples, wanted=wanted, references=wanted)
    return made


def scored(samples: list[str], wanted: list[str], **options: Any) -> dict[str, Score]:
    return measured(overlap, written(samples, wanted), **options)[0]


def test_bleu_is_the_geometric_mean_of_clipped_precisions_over_the_corpus() -> None:
    """Precisions (5 + 3)/(6 + 5), (3 + 2)/(5 + 4), (2 + 1)/(4 + 3), (1 + 0)/(3 + 2), and as many words as wanted."""
    got = scored(
        ["the cat sat on a mat", "one two three five six"],
        ["the cat sat on the mat", "one two three four six"],
    )
    assert got["bleu"].value == pytest.approx(100 * (9 / 11 * 5 / 9 * 3 / 7 * 1 / 5) ** 0.25, rel=1e-6)


def test_bleu_clips_counts_and_punishes_brevity() -> None:
    """Papineni et al.'s example: of seven words that are the same, two count; zero matches are smoothed (exp)."""
    got = scored(["the the the the the the the", "a b c d"], ["the cat is on the mat", "a b c d e f g h"])
    precisions = [(2 + 4) / 11, 3 / (6 + 3), 2 / (5 + 2), 1 / (4 + 1)]
    brevity = math.exp(1 - 14 / 11)
    assert got["bleu"].value == pytest.approx(100 * brevity * math.prod(precisions) ** 0.25, rel=1e-6)


def test_chrf_is_the_mean_over_character_ngrams() -> None:
    """2 of 3 characters, 1 of 2 pairs, no triple: precision and recall are equal, and so is their F2."""
    assert scored(["abc", "abc"], ["abd", "abd"])["chrf"].value == pytest.approx(100 * (2 / 3 + 1 / 2 + 0) / 3)


def test_rouge_of_published_examples() -> None:
    """Lin 2004, section 3: of two sentences with the same words, the order of one is better (F1 of 3 and 2 in 4)."""
    reference = "police killed the gunman"
    first, second = (
        scored([text] * 2, [reference] * 2) for text in ("police kill the gunman", "the gunman kill police")
    )
    assert first["rougeL"].value == pytest.approx(3 / 4)
    assert second["rougeL"].value == pytest.approx(2 / 4)
    assert first["rouge1"].value == second["rouge1"].value == pytest.approx(3 / 4)
    assert first["rouge2"].value == pytest.approx(1 / 3)
    half = scored(["testing", "other"], ["testing one two", "testing one two"])
    assert half["rouge1"].value == pytest.approx(0.5 / 2)
    assert half["rouge1"].error == pytest.approx(0.25)


def test_exact_matches_are_counted() -> None:
    got = scored(["a", "b ", "c", "d"], ["a", " b", "x", "y"])["exact_match"]
    assert (got.value, got.n) == (0.5, 4)
    assert got.error == pytest.approx(math.sqrt(0.25 / 3))


def test_a_perfect_writer_has_all_there_is_and_no_error() -> None:
    texts = ["one two three four", "five six seven eight nine", "ten eleven twelve and more"]
    got = scored(texts, texts)
    assert {name: score.value for name, score in got.items()} == pytest.approx(
        {"bleu": 100, "chrf": 100, "rouge1": 1, "rouge2": 1, "rougeL": 1, "exact_match": 1}
    )
    assert [score.error for score in got.values()] == pytest.approx([0] * 6, abs=1e-9)
    assert {score.better for score in got.values()} == {"higher"}


@pytest.mark.parametrize("metric", [BLEU(), CHRF()])
def test_bootstrapped_errors_are_those_of_sacrebleu(metric: BLEU | CHRF) -> None:
    """Half of its 95 % interval is 1.96 standard errors of what is about normal."""
    random = np.random.default_rng(0)
    words = np.array(["the", "a", "cat", "dog", "sat", "ran", "on", "in", "mat", "house", "and", "then"])
    texts, wanted = ([" ".join(random.choice(words, 12)) for _ in range(150)] for _ in range(2))
    value, error = corpus(metric, texts, wanted, 1000, random)
    theirs = metric.corpus_score(texts, [wanted], n_bootstrap=1000)
    assert value == pytest.approx(theirs.score, rel=1e-6)
    assert error == pytest.approx(theirs._ci / 1.96, rel=0.1)


def test_without_bootstraps_there_is_no_error() -> None:
    got = scored(["a", "b"], ["a", "b"], bootstraps=0)
    assert got["chrf"].error is None
    assert got["rouge1"].error == 0


def test_one_sample_is_too_few() -> None:
    with pytest.raises(NotApplicable, match="at least 2 samples"):
        overlap(written(["a"], ["a"]))


def test_samples_are_held_against_what_their_own_source_asks_for() -> None:
    """More samples than test items: the references begin anew."""
    data = seq2seq.data()
    made = evaluation(seq2seq.model(), data, samples=8)
    assert made.wanted == take(made.references, np.arange(8) % 6)
    assert made.conditions is not None
    assert made.conditions["source"] == take(data.test, np.arange(8) % 6)["source"]  # type: ignore[call-overload]
    assert {score.n for score in measured(overlap, made)[0].values()} == {8}


# Python ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("def f(x):\n    return x + 1", True),
        ("@cache\nasync def f(): ...", True),
        ("import nothing_of_that_name", True),
        ("", False),
        ("# a comment", False),
        ("def f(x):\nreturn x", False),
        ("print 'hello'", False),
        ("x = '\\d'", True),
        ("a\0b", False),
        ("(" * 5000, False),
        ("-" * 100_000 + "1", False),
    ],
)
def test_what_is_python(text: str, valid: bool) -> None:
    assert is_python(text) == valid


def test_share_of_samples_that_parse() -> None:
    references = ["x = 1", "def f(): pass", "not python at all", "y"]
    got = {score.metric: score for score in syntax(written(["x = 1", "x =", "y = 2", "z z"], references))}
    assert got["valid_syntax"].value == 0.5
    assert got["valid_syntax"].error == pytest.approx(math.sqrt(0.25 / 3))
    assert got["valid_syntax[references]"].value == 0.75


def test_prose_is_no_python() -> None:
    prose = ["Return the name of it.", "Two words", "word"]
    with pytest.raises(NotApplicable, match="33% of the test texts are Python"):
        syntax(written(["x = 1", "y = 2"], prose))
