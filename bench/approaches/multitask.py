"""The old domain is learned along with the new one."""

from bench.approaches._mixing import mixing, source_of
from bench.options import Fraction
from bench.transfer import Transfer

NEEDS = ("source",)


def multitask(transfer: Transfer, *, ratio: Fraction = 0.5) -> None:
    """Every batch holds rows of the target and of the source, so one network goes on learning both.

    Batches stay as large as they were, so the more of the source, the less of the target is seen in the same steps.
    What follows in a composition sees the mixture: ``multitask + augmentation`` augments both domains,
    ``augmentation + multitask`` the target alone.

    Paper: Caruana 1997, Multitask Learning

    Args:
        ratio: share of the rows that come from the source.
    """
    source = source_of(transfer)
    transfer.transforms.append(mixing(transfer, ratio, lambda: transfer.encode(source.train)))
