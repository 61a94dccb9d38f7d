"""What stands before a row: how far its positions go, and models that always say what is likeliest."""

from types import TracebackType
from typing import Any, Self

from torch import Tensor, nn

from bench.families.causal_lm import CausalLM
from tests.models import language_model


def greedy(kind: str) -> CausalLM:
    """A model whose samples are the likeliest tokens."""
    return language_model(kind, top_p=1e-9, max_new_tokens=6)


class Positions:
    """The highest position that a GPT-2 looks up while one watches."""

    def __init__(self, model: CausalLM) -> None:
        self.embeddings: nn.Embedding = model.network.transformer.wpe
        self.highest = -1

    def __enter__(self) -> Self:
        self.handle = self.embeddings.register_forward_pre_hook(self._note)
        return self

    def _note(self, module: nn.Module, given: tuple[Tensor, ...]) -> Any:
        self.highest = max(self.highest, int(given[0].max()))

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.handle.remove()
