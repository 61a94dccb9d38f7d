"""Learned vectors in place of words before each row."""

from typing import Any, Literal

from peft import PromptTuningConfig

from bench.approaches._prompts import put_before
from bench.options import Count
from bench.transfer import Transfer

NEEDS = ("soft_prompts",)
DECIDES = ("weights",)


def prompt_tuning(
    transfer: Transfer, *, tokens: Count = 20, init: Literal["vocabulary", "random"] = "vocabulary"
) -> None:
    """Before each row stand vectors where embedded words would; they train, and no weight of the network changes.

    The vectors take positions of the network. Where the model has no more than a row fills, rows get shorter.

    Paper: Lester et al. 2021, The Power of Scale for Parameter-Efficient Prompt Tuning

    Args:
        tokens: how many vectors; beyond 20 the paper finds little gain.
        init: they start as the embeddings of random words of the vocabulary, or from a normal distribution.
    """
    network: Any = transfer.model.network
    config = PromptTuningConfig(
        task_type="CAUSAL_LM",
        num_virtual_tokens=tokens,
        prompt_tuning_init="SAMPLE_VOCAB" if init == "vocabulary" else "RANDOM",
        token_dim=network.get_input_embeddings().weight.shape[1],
        num_layers=1,  # PEFT asks for the shape of the network, and makes no use of it here
        num_attention_heads=1,
    )
    put_before(transfer, "prompt_tuning", config)
