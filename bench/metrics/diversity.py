"""How much the samples differ from each other."""

import math

import numpy as np

from bench import plugins
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics import _features
from bench.metrics._items import jackknife
from bench.metrics._ngrams import distinct, distinct_without, ngram_vectors, ngrams, self_bleu

NEEDS = ("samples",)

_DISTINCT = (1, 2, 3)
_VENDI_TEXTS = 1000  # its time grows with the cube of the number of texts


def diversity(evaluation: Evaluation, *, space: str = "digit_classifier", weights: str = "") -> list[Score]:
    """Distinct-1/2/3, self-BLEU and Vendi score of sampled texts; Vendi score of sampled images and sounds.

    Words are those of sacrebleu's 13a tokenizer, and single characters of scripts without spaces; samples without a
    word are left out, and distinct-n where no sample has n words. The Vendi score is the effective
    number of different samples: 1 where all are alike, n where none resemble each other. Its kernel is the cosine, of
    n-gram counts (the mean over n = 1 to 4) for texts, of the first 1,000 samples where there are more, and of features
    for images and sounds. All of these depend on the number of samples: compare at equal N. Standard errors are over
    samples: distinct-n's is the delete-one jackknife's, the Vendi score's the infinitesimal jackknife's. Self-BLEU has
    none: a text changes the scores of all others, and what half of the texts score is another number.

    Paper: Li et al. (2016), A Diversity-Promoting Objective Function (distinct-n); Zhu et al. (2018), Texygen
    (self-BLEU); Friedman, Dieng (2023), The Vendi Score; Jaeckel (1972), The infinitesimal jackknife.

    Args:
        space: feature space for images or sounds, by name; sounds are measured in sound_classifier where it is none of
            theirs.
        weights: file with the space's weights, where it takes one.
    """
    if "image" in evaluation.model.offers:
        return _of_features(evaluation.samples, _features.space(space, weights))
    if "audio" in evaluation.model.offers:
        if plugins.find("features", space).stated("MODALITY") != "audio":
            space, weights = "sound_classifier", ""
        return _of_features(evaluation.samples, _features.space(space, weights, evaluation.data.sample_rate))
    if "text" in evaluation.model.offers:
        return _of_texts(evaluation.samples)
    raise NotApplicable(f"diversity knows texts, images and sounds; {type(evaluation.model).__name__} makes none")


def vendi(kernel: np.ndarray) -> float:
    """Exponential of the entropy of the kernel's eigenvalues.

    Args:
        kernel: K / n of n samples with k(x, x) = 1, or any matrix with the same eigenvalues above zero.
    """
    eigenvalues = np.linalg.eigvalsh(kernel)
    eigenvalues = eigenvalues[eigenvalues > 0]  # rounding leaves some just below
    return float(np.exp(-(eigenvalues * np.log(eigenvalues)).sum()))


def vendi_error(kernel: np.ndarray, features: np.ndarray | None = None) -> float:
    """Standard error of :func:`vendi` over the n samples: of the influence of each, V (-x · log ρ x - log V).

    ρ is the mean of x xᵀ over the samples' unit vectors x, whose eigenvalues are the kernel's. By simulation 0.9 to 1.2
    times the spread over repeated draws.

    Args:
        kernel: as there.
        features: the unit vectors x, shape (n, D), where the kernel is ρ itself, of shape (D, D).
    """
    eigenvalues, vectors = np.linalg.eigh(kernel)
    there = eigenvalues > np.finfo(float).eps * len(kernel)
    eigenvalues, vectors = eigenvalues[there], vectors[:, there]
    logs = np.log(eigenvalues)
    if features is None:
        surprise = -len(kernel) * vectors**2 @ (eigenvalues * logs)
    else:
        surprise = -((features @ vectors) ** 2 @ logs)
    value = float(np.exp(-(eigenvalues * logs).sum()))
    return value * float(surprise.std(ddof=1)) / math.sqrt(len(surprise))


def _of_texts(texts: list[str]) -> list[Score]:
    counted = [counts for counts in map(ngrams, texts) if counts]
    n = len(counted)
    if n < 2:
        raise NotApplicable(f"diversity needs at least 2 samples with a word in them; {n} of {len(texts)} have one")
    vectors = ngram_vectors(counted[:_VENDI_TEXTS])
    used, kernel = vectors.shape[0], (vectors @ vectors.T).toarray() / vectors.shape[0]
    longest = max(len(ngram) for counts in counted for ngram in counts)
    scores = [
        *(
            Score(f"distinct_{order}", distinct(counted, order), "", "higher", n, jackknife(without))
            for order in _DISTINCT[:longest]
            for without in [distinct_without(counted, order)]
        ),
        Score("self_bleu", self_bleu(counted), "BLEU", "lower", n),
        Score("vendi[ngram]", vendi(kernel), "", "higher", used, vendi_error(kernel)),
    ]
    if longest < _DISTINCT[-1]:
        raise NotApplicable(f"distinct_{longest + 1} needs samples of {longest + 1} words, and there are none", scores)
    return scores


def _of_features(items: np.ndarray, space: _features.Space) -> list[Score]:
    n = len(items)
    if n < 2:
        raise NotApplicable(f"diversity needs at least 2 samples; there is {n}")
    features = space(items)
    features = np.column_stack([features, ~features.any(1)])  # what has no features is like all that has none
    features = features / np.linalg.norm(features, axis=1, keepdims=True)
    wide = features.shape[1] > n  # of the two products the smaller: both have the same eigenvalues above zero
    kernel = features @ features.T if wide else features.T @ features
    error = vendi_error(kernel / n, None if wide else features)
    return [Score(f"vendi[{space.name}]", vendi(kernel / n), "", "higher", n, error)]
