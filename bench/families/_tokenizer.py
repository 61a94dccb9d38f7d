"""Tokenizers: one for language models that are pretrained here, and those that checkpoints bring along."""

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel
from tokenizers.trainers import BpeTrainer
from transformers import AutoConfig, AutoTokenizer, PreTrainedTokenizerFast

from bench.dataset import Dataset, Items


def byte_level_bpe(source: Dataset | Iterable[str], size: int, mask: str | None = None) -> PreTrainedTokenizerFast:
    """A byte-level BPE tokenizer of at most ``size`` tokens, learned from texts, or the training split of a domain of
    texts; one of them is ``mask``, where a model needs one.

    Paper: Sennrich et al. 2016, Neural Machine Translation of Rare Words with Subword Units
    """
    end = "<|endoftext|>"
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)
    tokenizer.decoder = ByteLevelDecoder()
    special = [end] if mask is None else [end, mask]
    trainer = BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=ByteLevel.alphabet(), show_progress=False
    )
    tokenizer.train_from_iterator(source.train if isinstance(source, Dataset) else source, trainer)
    known = {"bos_token": end, "eos_token": end, "pad_token": end} | ({} if mask is None else {"mask_token": mask})
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, **known)


def load(checkpoint: str, **common: Any) -> Any:
    """The tokenizer of a hub id or folder.

    For some types of model ``AutoTokenizer`` takes the class that the type's makers use, whatever a folder says, and
    with it another pre-tokenizer. Where a folder says that its tokenizer.json is all there is to it, it is so here.
    """
    AutoConfig.from_pretrained(checkpoint, **common)  # which says of another library's model that it is none of these
    about = Path(checkpoint) / "tokenizer_config.json"
    said = json.loads(about.read_text(encoding="utf-8")).get("tokenizer_class") if about.is_file() else None
    complete = said in ("PreTrainedTokenizerFast", "TokenizersBackend")
    return (PreTrainedTokenizerFast if complete else AutoTokenizer).from_pretrained(checkpoint, **common)


def read(tokenizer: Any, texts: Items) -> list[list[int]]:
    """The tokens of each text; what looks like a special token in it is text."""
    plain = {"add_special_tokens": False, "split_special_tokens": True, "verbose": False}
    tokens: list[list[int]] = tokenizer(list(texts), **plain)["input_ids"]
    return tokens


def around(tokenizer: Any, name: str = "text") -> tuple[list[int], list[int]]:
    """What the tokenizer puts before and behind a text of that name, as it did in the pretraining of its network."""

    def tokens(text: str, added: bool) -> list[int]:
        return list(tokenizer(**{name: text}, add_special_tokens=added, verbose=False)["input_ids"])

    for text in ("a", "C", "1"):  # a tokenizer may drop what it does not know
        alone, whole = tokens(text, False), tokens(text, True)
        begins = (at for at in range(len(whole)) if whole[at : at + len(alone)] == alone)
        if alone and (begin := next(begins, None)) is not None:
            return whole[:begin], whole[begin + len(alone) :]
    marks = tokens("", True)
    begin = int(marks[:1] == [tokenizer.bos_token_id])
    return marks[:begin], marks[begin:]


def fingerprint(tokenizer: Any) -> str:
    """Hash of everything the tokenizer does."""
    backend = getattr(tokenizer, "backend_tokenizer", None)
    known = backend.to_str() if backend else repr(sorted(tokenizer.get_vocab().items()))
    return hashlib.sha256(known.encode()).hexdigest()
