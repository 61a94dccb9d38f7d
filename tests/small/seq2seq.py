"""A small encoder-decoder, the questions it answers, and those it is to learn."""

from typing import Any

import numpy as np
import torch

from bench.dataset import Columns, Dataset, Items
from bench.families.seq2seq import Seq2Seq
from tests.models import disturbed

OPTIONS = {"context": 14, "target_context": 10, "max_new_tokens": 6}

_T5 = {"model_type": "t5", "d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2}


def model(**options: Any) -> Seq2Seq:
    return made(_T5, **options)


def made(architecture: dict[str, Any], **options: Any) -> Seq2Seq:
    """A model of that architecture, in which no weight has the value it was initialised with."""
    torch.manual_seed(0)
    found = Seq2Seq.from_architecture({"vocab_size": 300} | architecture, source(), **OPTIONS | options)
    disturbed(found.network)
    return found.eval()


def data() -> Dataset:
    """What follows a number; some of which are longer than a row holds."""
    return _dataset("successors", [f"After {i}" for i in range(36)], [f"{i + 1}" * (1 + i % 3 * 4) for i in range(36)])


def source() -> Dataset:
    """Letters in reverse, in two sub-domains: one of longer words."""
    words = [chr(97 + i % 26) * (1 + i % 3) + "xyz"[: 1 + 2 * (i % 2)] for i in range(36)]
    return _dataset("reversed", words, [word[::-1] for word in words], train=24, groups=np.arange(24) % 2)


def pool() -> Items:
    taken = data()
    more = [f"After {i}" for i in range(100, 112)], [f"{i + 1}" for i in range(100, 112)]
    columns = {name: [*taken.train[name], *items] for name, items in zip(("source", "target"), more, strict=True)}  # type: ignore[call-overload]
    return Columns(columns)


def _dataset(name: str, read: list[str], written: list[str], train: int = 12, groups: Any = None) -> Dataset:
    items = Columns({"source": read, "target": written})
    parts = items[:train], items[train : train + 6], items[train + 6 : train + 12]
    return Dataset(name, "text_pair", *parts, groups=groups)
