"""A small masked language model, the sentences it knows, and those it is to learn."""

from typing import Any

import torch
from transformers import AutoConfig, AutoModelForMaskedLM, PreTrainedTokenizerFast

from bench.dataset import Dataset, Items
from bench.families._tokenizer import byte_level_bpe
from bench.families.masked_lm import MaskedLM
from tests.models import CONTEXT, VOCABULARY, disturbed, source_texts, texts

OPTIONS = {"context": CONTEXT, "unmasking_steps": 3}

_SMALL = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "max_position_embeddings": 32}

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "bert": _SMALL,
    "camembert": _SMALL,
    "convbert": _SMALL | {"embedding_size": 16, "head_ratio": 1},
    "deberta": _SMALL,
    "deberta-v2": _SMALL,
    "distilbert": {"dim": 16, "hidden_dim": 24, "n_heads": 2, "max_position_embeddings": 32},
    "electra": _SMALL | {"embedding_size": 8},
    "esm": _SMALL | {"position_embedding_type": "rotary"},
    "eurobert": _SMALL | {"num_key_value_heads": 1, "head_dim": 8},
    "modernbert": _SMALL | {"local_attention": 8},
    "mpnet": _SMALL,
    "roberta": _SMALL,
    "roformer": _SMALL | {"embedding_size": 16},
    "xlm-roberta": _SMALL,
}
"""Kind of model to its sizes; each has four layers."""


def tokenizer() -> PreTrainedTokenizerFast:
    return byte_level_bpe(texts(), VOCABULARY, mask="<|mask|>")


def network(kind: str = "bert", layers: int = 4, **sizes: Any) -> Any:
    """A masked language model of transformers, in which no weight has the value it was initialised with."""
    end = tokenizer().eos_token_id
    known = {f"{mark}_token_id": end for mark in ("bos", "eos", "cls", "sep", "pad")}
    known |= {"mask_token_id": tokenizer().mask_token_id, "vocab_size": len(tokenizer()), "num_hidden_layers": layers}
    torch.manual_seed(0)
    config = AutoConfig.for_model(kind, **known | ARCHITECTURES[kind] | sizes)
    return disturbed(AutoModelForMaskedLM.from_config(config))


def masked_model(kind: str = "bert", layers: int = 4, sizes: dict[str, Any] | None = None, **options: Any) -> MaskedLM:
    return MaskedLM(network(kind, layers, **sizes or {}), tokenizer(), **OPTIONS | options).eval()


def model() -> MaskedLM:
    return masked_model()


def data() -> Dataset:
    return texts()


def source() -> Dataset:
    return source_texts()


def pool() -> Items:
    return [*texts(12).train, *texts(36).train[24:]]
