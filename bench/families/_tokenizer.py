"""Tokenizers: one for language models that are pretrained here, and those that checkpoints bring along."""

import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from bench.dataset import Dataset


def byte_level_bpe(source: Dataset, size: int) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most ``size`` tokens, learned from the training split of ``source``.

    Paper: Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units
    """
    end = "<|endoftext|>"
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=[end], initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(source.train, trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, pad_token=end)


def load(checkpoint: str, **common: Any) -> Any:
    """The tokenizer of a hub id or folder.

    For some types of model ``AutoTokenizer`` takes the class that the type's makers use, whatever a folder says, and
    with it another pre-tokenizer. Where a folder says that its tokenizer.json is all there is to it, it is so here.
    """
    about = Path(checkpoint) / "tokenizer_config.json"
    said = json.loads(about.read_text(encoding="utf-8")).get("tokenizer_class") if about.is_file() else None
    complete = said in ("PreTrainedTokenizerFast", "TokenizersBackend")
    return (PreTrainedTokenizerFast if complete else AutoTokenizer).from_pretrained(checkpoint, **common)
