"""Control: what a perfect sampler of the target would score."""

import numpy as np

from bench.approaches._stand_in import stand_in
from bench.dataset import take
from bench.errors import NotApplicable
from bench.transfer import Transfer

TRAINS = False
USES_DATA = False
CONTROL = 3
GENERATION = 1  # before, training items stood in for samples: what training_data does


def real_data(transfer: Transfer) -> None:
    """Real test items stand in for samples and are scored against the rest of the test split: the floor of each metric.

    They are a random part of the test split, as many as there are samples but half of it at most; each seed takes
    another part. Both parts follow one law whatever the splits were made by, which a training split does not where
    splits go by font, by scaffold or by file (``training_data`` shows how far that is). So no model can be expected to
    come closer, and one that seems to does it by chance. All other cells are scored against the whole test split, which
    a part set aside for the floor would have made smaller.

    What two sets of one law score depends on their sizes. Kernel distances (KID, KAD, MMD) have mean zero at any. The
    mean of Fréchet distances falls as 1/n + 1/m, and of Wasserstein-1 and log-spectral ones as its root; they are taken
    to the sizes of all other cells by that ratio, which errs low by about one per cent where the parts have several
    times as many items as features have dimensions and by four where they have hardly more; where either has no more,
    the floor has no Fréchet distance. The mean of coverage is known at any sizes and that of density is 1. Precision,
    recall and diversity are given as they are, with their n.

    The interval is over divisions of one test split: of chance in what is drawn, not in what was held out.

    Paper: Heusel et al. 2017, GANs Trained by a Two Time-Scale Update Rule; Chong & Forsyth 2020, Effectively Unbiased
    FID and Inception Score (the bias in 1/N)
    """
    test, wanted = transfer.data.test, transfer.samples
    if len(test) < 2:
        raise NotApplicable("real_data needs two parts of the test split, and that is a single item")
    shuffled = np.random.default_rng(transfer.seed).permutation(len(test))
    drawn, rest = np.split(shuffled, [min(wanted, len(test) // 2)])
    transfer.data = transfer.data.testing_on(take(test, np.sort(rest)))
    transfer.stands_for = wanted, len(test)
    stand_in(transfer, take(test, drawn))
