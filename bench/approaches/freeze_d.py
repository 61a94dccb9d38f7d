"""A critic that keeps its eyes."""

from bench.errors import PluginError
from bench.options import Fraction
from bench.transfer import Transfer, freeze

NEEDS = ("critic",)


def freeze_d(transfer: Transfer, *, share: Fraction = 0.5) -> None:
    """The critic's lower layers stay as they were pretrained; its upper layers and the generator train.

    What makes pictures look real is much the same in all domains, and a critic that may forget it soon knows the few
    real ones of the target by heart.

    Paper: Mo et al. 2020, Freeze the Discriminator: a Simple Baseline for Fine-Tuning GANs

    Args:
        share: of the critic's parts, counted from its input, that are frozen.
    """
    parts = transfer.model.critic()
    count = round(share * len(parts))
    if count == len(parts):
        problem = f"approach freeze_d: option 'share': {share} will not do"
        raise PluginError(f"{problem}; it freezes all {count} parts of the critic, so ask for less")
    freeze(parts[:count])
