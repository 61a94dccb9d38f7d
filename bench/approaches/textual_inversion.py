"""New words in place of new weights."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.approaches._blocks import own
from bench.dataset import Columns
from bench.errors import PluginError
from bench.options import Count
from bench.transfer import Transfer, freeze

NEEDS = ("caption",)
DECIDES = ("weights",)


def textual_inversion(transfer: Transfer, *, words: Count = 1, initial: str = "") -> None:
    """A few new words stand before every caption; only their embeddings train, for what no known word says.

    All weights of the network stay frozen. In the paper new words stand inside of templates such as "a photo of *", as
    its examples have no captions; here each caption is a template, and the words stand for what its domain looks like.

    Paper: Gal et al. 2023, An Image is Worth One Word: Personalizing Text-to-Image Generation using Textual Inversion

    Args:
        words: how many new ones; the paper has one, and gains little with more.
        initial: a known word that the new ones start as; by default all words of the target's captions, averaged.
    """
    model, added, examples = transfer.model, set(transfer.trainable()) - own(transfer), transfer.data.train
    assert isinstance(examples, Columns)
    network: Any = model.network
    known = network.get_input_embeddings()
    tokens = [token for caption in ([initial] if initial else examples["caption"]) for token in model.tokens(caption)]
    if not tokens:
        problem = f"approach textual_inversion: option 'initial': {initial!r} will not do"
        raise PluginError(f"{problem}; it holds no word the model's tokenizer knows")
    first = known(torch.tensor(tokens, device=model.device)).detach().mean(0)
    freeze([network])
    for parameter in added:  # such as a new head: it knows nothing yet, so it trains on
        parameter.requires_grad_(True)
    extended = _Vocabulary(known, first.repeat(words, 1))
    network.set_input_embeddings(extended)
    model.begin_captions([extended.size + word for word in range(words)])


class _Vocabulary(nn.Module):
    """Embeddings with new tokens behind the known ones."""

    def __init__(self, known: Any, new: Tensor) -> None:
        super().__init__()
        self.known, self.new = known, nn.Parameter(new)
        self.size = len(known.weight)

    @property
    def weight(self) -> Tensor:
        """Of the known tokens; what reads its type goes by it."""
        weight: Tensor = self.known.weight
        return weight

    def forward(self, tokens: Tensor) -> Tensor:
        old: Tensor = self.known(tokens.clamp(max=self.size - 1))
        fresh = F.embedding((tokens - self.size).clamp(min=0), self.new)
        return torch.where((tokens < self.size)[..., None], old, fresh)
