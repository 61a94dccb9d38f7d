"""How close the samples' distribution is to the held-out images'."""

import numpy as np

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics import _features
from bench.metrics._distributions import (
    frechet_score,
    kernel_distance,
    neighbourhood_errors,
    neighbourhoods,
    uncovered,
)

NEEDS = ("image", "samples")
PRIMARY = "kid[{space}]"

_MANIFOLD_K, _DENSITY_K = 3, 5  # the papers' own


def fidelity(evaluation: Evaluation, *, space: str = "digit_classifier", weights: str = "") -> list[Score]:
    """FID, KID, precision, recall, density and coverage against the test split, in a named feature space.

    FID is biased by the number of samples and compares only at equal N, to which the floor's is taken (see real_data);
    there is none without more samples and test items than features have dimensions. KID is not biased, and leads below
    some thousand samples. Precision and recall take the 3rd nearest neighbour,
    density and coverage the 5th. Standard errors are over samples and test items: KID's is the jackknife's, FID's the
    infinitesimal jackknife's, the others are of 16 random halves of both sets, and there are none where a half has no 5
    neighbours.

    Paper: Heusel et al. (2017) (FID); Bińkowski et al. (2018) (KID); Kynkäänniemi et al. (2019) (precision, recall);
    Naeem et al. (2020) (density, coverage).

    Args:
        space: the feature space, by name.
        weights: file with the space's weights, where it takes one.
    """
    n, m = len(evaluation.samples), len(evaluation.references)
    if min(n, m) <= _DENSITY_K:
        raise NotApplicable(f"fidelity needs more than {_DENSITY_K} samples and test items; there are {n} and {m}")
    extract = _features.space(space, weights)
    samples, references = extract(evaluation.samples), extract.kept(evaluation.references)
    if (np.ptp(references, axis=0) == 0).all():
        raise NotApplicable("fidelity needs test items that differ; to this space all are alike")
    fid, missing = frechet_score(f"fid[{space}]", evaluation, samples, references)
    kid = kernel_distance(samples, references)
    near = neighbourhoods(samples, references, _MANIFOLD_K, _DENSITY_K)
    errors = neighbourhood_errors(samples, references, _MANIFOLD_K, _DENSITY_K)
    precision, recall, density, coverage = [None] * 4 if errors is None else errors.tolist()
    covered = float(near.covered.mean())
    if evaluation.stands_for:
        full, own = uncovered(*evaluation.stands_for, _DENSITY_K), uncovered(n, m, _DENSITY_K)
        covered, coverage = 1 - (1 - covered) * full / own, None if coverage is None else coverage * full / own
    reached = near.reached.astype(float)
    scores = [
        *fid,
        Score(f"kid[{space}]", kid.value, "", "lower", n, kid.error, kid.items),
        Score(f"precision[{space}]", float(near.inside.mean()), "", "higher", n, precision),
        Score(f"recall[{space}]", float(near.reached.mean()), "", "higher", n, recall, reached),
        Score(f"density[{space}]", float(near.crowd.mean()), "", "higher", n, density),
        Score(f"coverage[{space}]", covered, "", "higher", n, coverage, near.covered.astype(float)),
    ]
    if missing:
        raise NotApplicable(missing, scores)
    return scores
