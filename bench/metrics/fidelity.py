"""How close the samples' distribution is to the held-out images'."""

import numpy as np

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics import _features
from bench.metrics._distributions import frechet_distance, kernel_distance, neighbourhoods, uncovered
from bench.metrics._items import standard_error

NEEDS = ("image", "samples")
PRIMARY = "kid[{space}]"

_MANIFOLD_K, _DENSITY_K = 3, 5  # the papers' own


def fidelity(evaluation: Evaluation, *, space: str = "digit_classifier", weights: str = "") -> list[Score]:
    """FID, KID, precision, recall, density and coverage against the test split, in a named feature space.

    FID is biased by the number of samples and compares only at equal N, to which the floor's is taken (see real_data);
    KID is not biased, and leads below some thousand samples. Precision and recall take the 3rd nearest neighbour,
    density and coverage the 5th. The standard errors of precision and density are over samples, for this test split;
    KID's is over both.

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
    kid, kid_error = kernel_distance(samples, references)
    near = neighbourhoods(samples, references, _MANIFOLD_K, _DENSITY_K)
    covered = float(near.covered.mean())
    if evaluation.stands_for:
        covered = 1 - (1 - covered) * uncovered(*evaluation.stands_for, _DENSITY_K) / uncovered(n, m, _DENSITY_K)
    return [
        Score(f"fid[{space}]", evaluation.shrinkage * frechet_distance(samples, references), "", "lower", n),
        Score(f"kid[{space}]", kid, "", "lower", n, kid_error),
        Score(f"precision[{space}]", float(near.inside.mean()), "", "higher", n, standard_error(near.inside)),
        Score(f"recall[{space}]", float(near.reached.mean()), "", "higher", n),
        Score(f"density[{space}]", float(near.crowd.mean()), "", "higher", n, standard_error(near.crowd)),
        Score(f"coverage[{space}]", covered, "", "higher", n),
    ]
