"""A few old examples, again and again, against forgetting."""

from typing import Literal

from bench.approaches._mixing import mixing, source_of
from bench.approaches._reference import pretrained
from bench.approaches._samples import made_up
from bench.dataset import subset_indices, take
from bench.model import Batch
from bench.options import Count, Fraction
from bench.transfer import Transfer

_SEED = 50_000  # of the samples that are remembered


def rehearsal(
    transfer: Transfer,
    *,
    memory: Count = 64,
    ratio: Fraction = 0.5,
    examples: Literal["source", "samples"] = "source",
) -> None:
    """A small memory of old examples is replayed while the target is learned: a share of each batch is drawn from it.

    The memory holds examples of the source domain, or, where that is unknown or gone, what the pretrained model itself
    makes up before it learns anything (pseudo-rehearsal). Batches stay as large as they were.

    Paper: Chaudhry et al. 2019, On Tiny Episodic Memories in Continual Learning; Robins 1995, Catastrophic Forgetting,
    Rehearsal and Pseudorehearsal

    Args:
        memory: how many examples are remembered; all of them where the source has fewer.
        ratio: share of the rows that are replayed.
        examples: ``source``, chosen at random, or ``samples``.
    """
    if examples == "source":
        source = source_of(transfer)
        kept = min(memory, len(source.train))
        few = take(source.train, subset_indices(len(source.train), kept, transfer.seed, source.name))
        transfer.transforms.append(mixing(transfer, ratio, lambda: transfer.encode(few)))
        return
    old, remembered = [pretrained(transfer, "rehearsal")], Batch()
    # taken out of the list, so that the copy is gone when training begins
    transfer.stages.append(lambda left: remembered.update(made_up(transfer, memory, _SEED, old.pop())))
    replay = mixing(transfer, ratio, lambda: remembered)
    # what learns before there are samples does without
    transfer.transforms.append(lambda batch, generator: replay(batch, generator) if remembered else batch)
