"""A small language model, the sentences it knows, and those it is to learn."""

from typing import Any

from bench.dataset import Dataset, Items
from bench.families.causal_lm import CausalLM
from tests.models import CONTEXT, language_model, source_texts, texts

OPTIONS: dict[str, Any] = {"context": CONTEXT, "max_new_tokens": 8}


def model() -> CausalLM:
    return language_model(**OPTIONS)


def data() -> Dataset:
    return texts()


def source() -> Dataset:
    return source_texts()


def pool() -> Items:
    return [*texts(12).train, *texts(36).train[24:]]
