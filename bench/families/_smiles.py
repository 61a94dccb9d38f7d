"""A tokenizer that reads molecules atom by atom."""

from collections import Counter

from tokenizers import Regex, Tokenizer
from tokenizers.decoders import Fuse
from tokenizers.models import WordPiece
from tokenizers.pre_tokenizers import Split
from transformers import PreTrainedTokenizerFast

from bench.dataset import Dataset
from bench.errors import CheckpointError

ATOMS = Regex(r"\[[^\]]+]|Br?|Cl?|N|O|S|P|F|I|b|c|n|o|s|p|\(|\)|\.|=|#|-|\+|\\|\/|:|~|@|\?|>|\*|\$|\%[0-9]{2}|[0-9]")
"""What is one token of a SMILES: an atom (all that stands in brackets), a bond, a branch, the number of a ring."""

_CHARACTERS = [chr(code) for code in range(ord("!"), ord("~") + 1)]
_UNKNOWN = "?"  # what is not ASCII is in no SMILES


def atomwise(source: Dataset, size: int) -> PreTrainedTokenizerFast:
    """A tokenizer of at most ``size`` tokens: the characters of ASCII, and the atoms most frequent in ``source.train``.

    An atom that the source does not have, such as ``[Se]``, becomes the longest known pieces, at worst its characters:
    no molecule of a target holds anything unknown, and decoding gives back what was read.

    Paper: Schwaller et al. (2019), Molecular Transformer (the pattern).

    Raises:
        CheckpointError: ``size`` leaves no room for the characters.
    """
    end = "<|endoftext|>"
    if size <= len(_CHARACTERS):
        raise CheckpointError(f"architecture: vocab_size: {size} is too small; use {1 + len(_CHARACTERS)} or more")
    split = Split(ATOMS, "isolated")
    counts = Counter(
        atom for smiles in source.train for atom, _ in split.pre_tokenize_str(str(smiles)) if len(atom) > 1
    )
    frequent = sorted(counts, key=lambda atom: (-counts[atom], atom))
    vocabulary = [end, *_CHARACTERS, *frequent][:size]
    model = WordPiece(  # of a piece that is no token itself: the longest token that it starts with, and so on
        {token: index for index, token in enumerate(vocabulary)},
        unk_token=_UNKNOWN,
        continuing_subword_prefix="",
        max_input_chars_per_word=2**31,
    )
    tokenizer = Tokenizer(model)
    tokenizer.pre_tokenizer = split
    tokenizer.decoder = Fuse()
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, pad_token=end)
