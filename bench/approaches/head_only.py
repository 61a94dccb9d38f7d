"""Only the last part trains on."""

from torch import nn

from bench.approaches._blocks import places, train_only
from bench.transfer import Transfer

DECIDES = ("weights", "head")


def head_only(transfer: Transfer) -> None:
    """The last block trains on, started from its pretrained weights; everything before it stays frozen.

    The last block is what comes after the layers: the final norm and the output embeddings of a language model, the
    final norm and convolution of a U-Net. Where it shares a weight with an earlier block, as output embeddings often
    do with the input's, it gets a copy of its own, so that the features stay what they are.

    Paper: Donahue et al. 2014, DeCAF: A Deep Convolutional Activation Feature for Generic Visual Recognition
    """
    *features, head = places(transfer.model)
    frozen = {getattr(*place) for block in features for place in block}
    shared = {weight for place in head if (weight := getattr(*place)) in frozen}
    copies = {weight: nn.Parameter(weight.detach().clone()) for weight in shared}
    for module, name in head:
        if (weight := getattr(module, name)) in copies:
            setattr(module, name, copies[weight])
    train_only(transfer, [getattr(*place) for place in head])
