"""Control: the pretrained model as it is."""

from bench.transfer import Transfer

TRAINS = False
USES_DATA = False
CONTROL = 1


def zero_shot(transfer: Transfer) -> None:
    """The pretrained model as it is: what every transfer has to beat.

    Paper: Radford et al. 2019, Language Models are Unsupervised Multitask Learners
    """
    transfer.steps = 0
