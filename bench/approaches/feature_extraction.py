"""Learned features, a new generating end."""

from torch import nn

from bench.approaches._blocks import own, train_only
from bench.transfer import Transfer

DECIDES = ("head",)


def feature_extraction(transfer: Transfer) -> None:
    """The learned features stay frozen; the part that turns them into data starts anew and trains.

    A language model keeps its body and gets a new head (untied from the embeddings, which are features); a U-Net
    keeps its way down and gets a new way up.

    Paper: Yosinski et al. 2014, How transferable are features in deep neural networks?
    """
    model, known = transfer.model, own(transfer)
    train_only(transfer, [])
    for module, new in zip(model.generating_end(), model.fresh().generating_end(), strict=True):
        replaced = [name for name, weight in module.named_parameters() if weight in known]
        for name, value in zip(replaced, new.parameters(), strict=True):
            owner, _, leaf = name.rpartition(".")
            # a parameter of its own: the old one may be tied to the embeddings, which must stay as they are
            setattr(module.get_submodule(owner), leaf, nn.Parameter(value.detach().clone(), value.requires_grad))
        for buffer, fresh in zip(module.buffers(), new.buffers(), strict=True):
            buffer.copy_(fresh)
