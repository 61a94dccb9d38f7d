"""How close the samples' distribution is to the held-out sounds'."""

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics import _features
from bench.metrics._distributions import frechet_score, gaussian_distance, median_distance

NEEDS = ("audio", "samples")
PRIMARY = "kad[{space}]"

_FEWEST = 3
_SCALE = 100  # that the paper reports KAD in


def audio_fidelity(evaluation: Evaluation, *, space: str = "sound_classifier", weights: str = "") -> list[Score]:
    """Kernel and Fréchet audio distance (KAD, FAD) to the test split, in a named embedding of sounds.

    KAD is 100 times the unbiased squared maximum mean discrepancy with a Gaussian kernel, its bandwidth the median
    distance between two test items; it may fall below zero, and leads, because FAD is biased by the number of samples
    and compares only at equal N, to which the floor's is taken (see real_data); there is none without more samples and
    test items than features have dimensions. FAD was defined in VGGish's embedding of 16 kHz sound: compare it with
    published values only in their own embedding. Standard errors are over samples and test items: KAD's by the
    jackknife with this bandwidth, FAD's by the infinitesimal jackknife.

    Paper: Kilgour et al. (2019), Fréchet Audio Distance; Chung et al. (2025), KAD: No More FAD!

    Args:
        space: the feature space, by name.
        weights: the space's weights, where it takes some.
    """
    n, m = len(evaluation.samples), len(evaluation.references)
    if min(n, m) < _FEWEST:
        raise NotApplicable(f"audio_fidelity needs {_FEWEST} samples and test items; there are {n} and {m}")
    extract = _features.space(space, weights, evaluation.data.sample_rate)
    samples, references = extract(evaluation.samples), extract.kept(evaluation.references)
    if median_distance(references) == 0:
        raise NotApplicable("audio_fidelity needs test items that differ; to this space most pairs of them are alike")
    kad = gaussian_distance(samples, references)
    fad, missing = frechet_score(f"fad[{space}]", evaluation, samples, references)
    scores = [
        Score(f"kad[{space}]", _SCALE * kad.value, "", "lower", n, _SCALE * kad.error, _SCALE * kad.items),
        *fad,
    ]
    if missing:
        raise NotApplicable(missing, scores)
    return scores
