"""Every weight trains on."""

from bench.transfer import Transfer

DECIDES = ("weights", "head")


def full_finetuning(transfer: Transfer) -> None:
    """All pretrained weights train on the target.

    Paper: Howard & Ruder 2018, Universal Language Model Fine-tuning for Text Classification
    """
