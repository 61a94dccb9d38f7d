"""Learned vectors before each row, through PEFT's prompt methods."""

import warnings
from typing import Any

import torch
from peft import PromptLearningConfig, get_peft_model

from bench.approaches import _key_values
from bench.approaches._blocks import own
from bench.device import out_of_memory
from bench.errors import Incompatible, PluginError
from bench.transfer import Transfer


def put_before(transfer: Transfer, name: str, config: PromptLearningConfig, *, option: str = "tokens") -> None:
    """The vectors of a prompt method train; no weight of the network does.

    They take positions, so rows get shorter where positions are limited.

    Args:
        transfer: whose model is wrapped.
        name: of the approach.
        config: of the method. Where the network reads one text and writes another, they stand before the one read.
        option: of the approach, that says how many positions the vectors take.

    Raises:
        PluginError: the model has not that many positions.
        Incompatible: PEFT does not do it for this network, or not with the transformers that is installed.
    """
    model, tokens = transfer.model, config.num_virtual_tokens
    if not 0 < tokens <= model.limit - _PROBE:
        remedy = f"the model has {model.limit} positions, so ask for 1 to {max(model.limit - _PROBE, 1)}"
        raise PluginError(f"approach {name}: option {option!r}: {tokens} will not do; {remedy}")
    network, added = model.network, set(transfer.trainable()) - own(transfer)
    config.task_type, config.num_transformer_submodules = "CAUSAL_LM", 1
    if _reads_a_source(network):
        config.task_type = "SEQ_2_SEQ_LM"
    # at each step of a generation PEFT says that it drops position ids; the network counts by itself
    warnings.filterwarnings("ignore", "Position ids are not supported", UserWarning, "peft")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # PEFT asks the network by names of older versions
            model.network = get_peft_model(network.requires_grad_(False), config)
        transfer.adapters.append(model.network)
        _key_values.reconcile(model.network)
        model.reserve(tokens)
        agrees = _generates_what_it_scores(transfer)
    except Exception as error:
        if out_of_memory(error):
            raise
        said = f"{name} does not run on {type(network).__name__}: {' '.join(str(error).split())}"
        raise Incompatible(said, "peft", "transformers") from error
    if not agrees:
        reason = "with PEFT it would not generate by the probabilities that it is scored with"
        raise Incompatible(f"{name} does not run on {type(network).__name__}: {reason}", "peft", "transformers")
    for parameter in added:  # such as a new head: it knows nothing yet, so it trains on
        parameter.requires_grad_(True)


_PROBE = 2  # positions of a row that it takes to see whether a network works so


@torch.no_grad()
def _generates_what_it_scores(transfer: Transfer) -> bool:
    """Whether the wrapped network says the same of a token when it generates it and when it reads it.

    A network that keeps no keys and values, but a state of its own, is given the vectors again at each step.
    """
    network: Any = transfer.model.eval().network
    first = torch.zeros(1, 1, dtype=torch.int64, device=transfer.model.device)
    source, start = {"input_ids": first, "attention_mask": torch.ones_like(first)}, dict[str, Any]()
    if reads := _reads_a_source(network):
        start = {"decoder_input_ids": first, "decoder_start_token_id": 0}
    settings = {"do_sample": False, "return_dict_in_generate": True, "output_logits": True, "eos_token_id": None}
    drawn = network.generate(**source, **start, max_new_tokens=_PROBE, pad_token_id=0, **settings)
    written = drawn.sequences[:, :-1]
    given = source | {"decoder_input_ids": written} if reads else {"input_ids": written}
    read = network(**given, use_cache=False).logits[:, -_PROBE:].float()
    said = torch.stack(drawn.logits, dim=1).float()
    return torch.allclose(said, read, rtol=1e-3, atol=1e-3 * float(read.abs().max()))


def _reads_a_source(network: Any) -> bool:
    return bool(getattr(network.config, "is_encoder_decoder", False))
