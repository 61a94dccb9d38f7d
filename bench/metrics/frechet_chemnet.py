"""How close the sampled molecules' distribution is to the held-out ones'."""

from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Score
from bench.metrics import _features
from bench.metrics._distributions import frechet_score, kernel_distance
from bench.metrics._molecules import canonical

NEEDS = ("molecule", "samples")
EXTRA = "molecules"
PRIMARY = "mmd[chemnet]"

_FEWEST = 3  # the jackknife leaves one out, and pairs must remain


def frechet_chemnet(evaluation: Evaluation) -> list[Score]:
    """Fréchet ChemNet distance of the valid samples to the test split, and the kernel distance of the same features.

    FCD is biased by the number of samples (its authors use 5,000) and compares only at equal N, to which the floor's
    is taken (see real_data); there is none without more valid samples and test items than ChemNet's 512 features. The
    kernel distance is not biased, and leads below some thousand samples: it is the squared maximum mean discrepancy
    with KID's cubic kernel. Samples that are no molecule are left out: see validity. Standard errors are over samples
    and test items, FCD's by the infinitesimal jackknife, which errs on the large side for so many features.

    Paper: Preuer et al. (2018), Fréchet ChemNet Distance: A Metric for Generative Models for Molecules in Drug
    Discovery; Bińkowski et al. (2018) (kernel distance).
    """
    drawn, test = canonical(evaluation.samples), list(evaluation.data.test)
    if min(len(drawn), len(test)) < _FEWEST:
        found = f"there are {len(drawn)} of {len(evaluation.samples)} and {len(test)}"
        raise NotApplicable(f"frechet_chemnet needs at least {_FEWEST} valid samples and test items; {found}")
    extract = _features.space("chemnet")
    samples, references = extract(drawn), extract.kept(test)
    fcd, missing = frechet_score("fcd", evaluation, samples, references)
    distance = kernel_distance(samples, references)
    scores = [*fcd, Score("mmd[chemnet]", distance.value, "", "lower", len(drawn), distance.error, distance.items)]
    if missing:
        raise NotApplicable(missing, scores)
    return scores
