"""Networks of an encoder and a decoder: from checkpoints of either kind, untrained, and what they are told with."""

import copy
from typing import Any

import torch
from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForSeq2SeqLM,
    EncoderDecoderConfig,
    EncoderDecoderModel,
)
from transformers.models.auto import modeling_auto

from bench.checkpoints import weights
from bench.errors import CheckpointError
from bench.families import _tokenizer, _weights
from bench.families._errors import one_line

_PAIRS = modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES
_BOTH = modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES.keys() & modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES.keys()
_KIND = "encoder-decoder"
_NEW = ("crossattention", "pooler")  # of an encoder that is started as a decoder; what is thrown away


def load(checkpoint: str, **common: Any) -> tuple[Any, Any]:
    """Network and tokenizer of a hub id or folder; of an encoder's, both sides are started from it.

    Raises :class:`CheckpointError`.
    """
    where = f"checkpoint {checkpoint}"
    try:
        config = AutoConfig.from_pretrained(checkpoint, **common)
        kind = config.model_type
        usable = kind in _PAIRS or "AutoModelForSeq2SeqLM" in (getattr(config, "auto_map", None) or {})
        started = not usable and kind in _BOTH
        tokenizer = _tokenizer.load(checkpoint, **common)
        if usable:
            trusted = common.get("trust_remote_code", False)
            _weights.fits(lambda: AutoModelForSeq2SeqLM.from_config(config, trust_remote_code=trusted))
            known = {"dtype": torch.float32, **weights.SAID, **common}
            network, info = AutoModelForSeq2SeqLM.from_pretrained(checkpoint, **known)
            fault = _weights.fault(network, info)
        elif started:
            network, fault = _started(checkpoint, common)
    except Exception as error:
        remedy = "name one such as T5, BART, BERT, with its tokenizer"
        raise CheckpointError(f"{where}: not a sequence-to-sequence model ({one_line(error)}); {remedy}") from error
    if not usable and not started:
        reason = f"{kind} has no encoder and decoder, and is no encoder that both could start from"
        raise CheckpointError(f"{where}: not a sequence-to-sequence model ({reason}); name one such as T5, BART, BERT")
    if fault:
        raise CheckpointError(f"{where}: {fault}")
    return network, tokenizer


def _started(checkpoint: str, common: dict[str, Any]) -> tuple[Any, str]:
    """Encoder and decoder of an encoder's weights, and what is wrong with these.

    The attention from one to the other is new. Its first weights are the same at every call: they are part of what is
    taken for the pretrained model.
    """
    config = AutoConfig.from_pretrained(checkpoint, **common)
    config.is_decoder, config.add_cross_attention = False, False
    reader, writer = copy.deepcopy(config), copy.deepcopy(config)
    writer.is_decoder, writer.add_cross_attention = True, True
    known = {"dtype": torch.float32, **weights.SAID, **common}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        encoder, read = AutoModel.from_pretrained(checkpoint, config=reader, **known)
        decoder, written = AutoModelForCausalLM.from_pretrained(checkpoint, config=writer, **known)
    network = EncoderDecoderModel(encoder=encoder, decoder=decoder)
    return network, _weights.fault(encoder, read, _NEW) or _weights.fault(decoder, written, _NEW)


def untrained(architecture: dict[str, Any], tokenizer: Any) -> Any:
    """A network with new weights, as the architecture says in the words of transformers; ``model_type`` is t5 unless
    it says so. Where that is encoder-decoder, ``encoder`` and ``decoder`` say each what it is. ValueError where a word
    is unknown."""
    kind, end = architecture.pop("model_type", "t5"), tokenizer.eos_token_id
    tokens = {f"{mark}_token_id": end for mark in ("bos", "eos", "pad", "decoder_start")}
    size = {"vocab_size": len(tokenizer)}
    if kind not in _PAIRS:
        raise ValueError(f"{kind} is no sequence-to-sequence model; for two of one kind say model_type: {_KIND}")
    if kind != _KIND:
        return AutoModelForSeq2SeqLM.from_config(_config(kind, architecture, size | tokens))
    sides = {side: dict(architecture.pop(side, {})) for side in ("encoder", "decoder")}
    if architecture:
        raise ValueError(f"{_KIND} has encoder and decoder, no {next(iter(architecture))}")
    writes = {"encoder": {}, "decoder": {"is_decoder": True, "add_cross_attention": True}}
    made = [
        _config(known.pop("model_type", "bert"), known, size | {"pad_token_id": end} | writes[side])
        for side, known in sides.items()
    ]
    return EncoderDecoderModel(EncoderDecoderConfig.from_encoder_decoder_configs(*made, **tokens))


def _config(kind: str, wanted: dict[str, Any], known: dict[str, Any]) -> Any:
    config = AutoConfig.for_model(kind, **known)
    if unknown := [key for key in wanted if not hasattr(config, key)]:
        raise ValueError(f"{type(config).__name__} has no {unknown[0]}")
    return AutoConfig.for_model(kind, **known | wanted)


def marks(network: Any, tokenizer: Any) -> tuple[tuple[list[int], list[int]], list[int], int]:
    """Tokens before and behind a source; those a target begins with, which are given; and the one it ends with.

    A target begins with the network's own start, and with what the tokenizer puts before a target (BART's ``<s>``,
    M2M100's language), as in its pretraining.
    """
    (before, behind), (first, _) = (_tokenizer.around(tokenizer, name) for name in ("text", "text_target"))
    ends = (tokenizer.eos_token_id, tokenizer.sep_token_id)
    said = (getattr(of, "decoder_start_token_id", None) for of in (network.config, network.generation_config))
    starts = (*said, tokenizer.cls_token_id, tokenizer.bos_token_id, tokenizer.pad_token_id)
    start, end = (next((token for token in known if token is not None), None) for known in ((*starts, *ends), ends))
    if start is None or end is None:
        raise CheckpointError("the tokenizer has no token to end a text with; set its eos token")
    return (before, behind), [start, *(token for token in first if token != start)], end


def targets(tokenizer: Any, texts: list[str]) -> list[list[int]]:
    """As :func:`bench.families._tokenizer.read`, where a tokenizer has another vocabulary for targets."""
    plain = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
    tokens: list[list[int]] = tokenizer(text_target=list(texts), **plain)["input_ids"]
    return tokens


def size(tokenizer: Any, text: str, tokens: list[int], kept: int) -> int:
    """Bytes in UTF-8 of the part of a target that its first ``kept`` tokens stand for."""
    if kept == len(tokens):
        return len(text.encode("utf-8", "surrogatepass"))
    if not tokenizer.is_fast:
        return len(tokenizer.decode(tokens[:kept]).encode("utf-8", "surrogatepass"))
    plain = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
    places = tokenizer(text_target=text, return_offsets_mapping=True, **plain)["offset_mapping"]
    return len(text[: places[kept - 1][1]].encode("utf-8", "surrogatepass"))
