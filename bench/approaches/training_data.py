"""Control: how far the training split is from the test split."""

import numpy as np

from bench.approaches._stand_in import stand_in
from bench.dataset import take
from bench.transfer import Transfer

TRAINS = False
USES_DATA = False
CONTROL = 4


def training_data(transfer: Transfer) -> None:
    """Real training items stand in for samples and are scored against the test split: the domain shift of the split.

    Where splits are random it scores what ``real_data`` does. Where they go by font, by scaffold or by file, test items
    are of another kind than training items; this says how far, and what a model scores that only recites. It is no
    floor: what generalises may come closer to the test split than its training examples are. Items are drawn from the
    whole training split, other ones for each seed.

    Paper: Quiñonero-Candela et al. 2009, Dataset Shift in Machine Learning
    """
    train = transfer.data.train
    chosen = np.random.default_rng(transfer.seed).permutation(len(train))[: transfer.samples]
    stand_in(transfer, take(train, chosen))
