"""Control: no transfer at all."""

from bench.transfer import Transfer

REPLACES_MODEL = True
CONTROL = 2


def from_scratch(transfer: Transfer) -> None:
    """The same architecture with new weights, trained on the target alone: what the pretraining is worth.

    A language model keeps its tokenizer, which is part of the architecture here.

    Paper: He et al. 2019, Rethinking ImageNet Pre-training
    """
    transfer.model = transfer.model.fresh()
