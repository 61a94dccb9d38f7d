"""What tokenizers of several kinds lose, against counts by hand, and what that costs in time."""

import random
import time
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from bench.dataset import Columns
from bench.evaluation import Score
from bench.families.causal_lm import CausalLM
from bench.families.masked_lm import MaskedLM
from bench.families.molecules import Molecules
from bench.families.seq2seq import Seq2Seq
from bench.metrics._round_trip import _common, lost, round_trip
from bench.metrics.perplexity import perplexity
from bench.metrics.pseudo_perplexity import pseudo_perplexity
from bench.metrics.smiles_likelihood import smiles_likelihood
from tests.metrics.doubles import UnigramBytes, evaluation, texts
from tests.models import model_of, network
from tests.small import molecules, seq2seq

ALPHABET = sorted(pre_tokenizers.ByteLevel.alphabet())


def bytes_of(*steps: Any) -> PreTrainedTokenizerFast:
    """A tokenizer whose tokens are bytes, behind these normalizers."""
    made = Tokenizer(models.BPE({token: index for index, token in enumerate(["</s>", *ALPHABET])}, []))
    made.normalizer = normalizers.Sequence(list(steps))
    made.pre_tokenizer, made.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", pad_token="</s>", bos_token="</s>")


def words_of(*known: str) -> PreTrainedTokenizerFast:
    """A tokenizer that knows a few words, and writes them with a space between."""
    made = Tokenizer(models.WordLevel({token: i for i, token in enumerate(["</s>", "<unk>", *known])}, "<unk>"))
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    return PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", bos_token="</s>", unk_token="<unk>")


def of(tokenizer: Any, items: list[str]) -> Score:
    model = CausalLM(network(sizes={}, vocab_size=300), tokenizer, context=5).eval()
    (score,) = round_trip(evaluation(model, texts(items)), items)
    return score


@pytest.mark.parametrize(
    ("tokenizer", "text", "missing"),
    [
        (bytes_of(), "Tab\t, naïve café — 日本語 🎉\r\n\x00 two  spaces ", 0),
        (bytes_of(normalizers.Lowercase()), "ABc Äé", 4),  # A, B, and two bytes of Ä
        (bytes_of(normalizers.NFD(), normalizers.StripAccents()), "Äé", 4),
        (bytes_of(normalizers.Replace("\n", " ")), "one\ntwo\n\nthree", 3),
        (bytes_of(normalizers.Replace("\n", "")), "one\ntwo\n\nthree", 3),
        (bytes_of(normalizers.NFC()), "e\u0301", 3),  # three bytes come back as the two of another character
        (words_of("the", "cat"), "the cat", 0),
        (words_of("the", "cat"), "the dog", 3 + 1),  # "the", without the space before what is unknown
        (words_of("the", "cat", ".", ","), "the, cat.", 2),  # "the , cat .": two spaces too many
        (words_of("the"), "日本語", 9),
        (words_of("the"), "", 0),
    ],
)
def test_bytes_that_do_not_come_back(tokenizer: Any, text: str, missing: int) -> None:
    items = [text, "the"]
    score = of(tokenizer, items)
    assert score.value == missing / sum(len(item.encode()) for item in items)
    assert (score.better, score.n) == ("none", 2)


def test_a_tokenizer_of_bytes_loses_exactly_nothing() -> None:
    chance = random.Random(0)
    items = [
        "".join(chr(chance.choice([*range(0xD800), *range(0xE000, 0x20000)])) for _ in range(99)) for _ in range(9)
    ]
    assert of(bytes_of(), items) == Score("unrestored", 0.0, "", "none", 9, 0.0)


def longest(one: str, other: str) -> int:
    """The length of the longest common subsequence, by its definition."""
    row = [0] * (len(other) + 1)
    for letter in one:
        above = row[:]
        for at, another in enumerate(other):
            row[at + 1] = above[at] + 1 if letter == another else max(row[at], above[at + 1])
    return row[-1]


def test_the_common_subsequence_is_a_longest_one() -> None:
    chance = random.Random(0)
    for _ in range(300):
        one, other = ("".join(chance.choices("abc", k=chance.randrange(30))) for _ in range(2))
        pairs = _common(one, other)
        assert len(pairs) == longest(one, other)
        assert all(one[i] == other[j] for i, j in pairs)
        assert all(i < k and j < m for (i, j), (k, m) in pairwise(pairs))
        assert lost(one, other) == min(len(one), max(len(one), len(other)) - len(pairs))


@pytest.mark.parametrize("change", [str.lower, str.upper, lambda text: text.replace("e", ""), lambda text: text + text])
def test_long_texts_are_compared_in_linear_time(change: Any) -> None:
    chance = random.Random(0)
    text = "".join(chance.choices("etaoin shrdluETAOIN", k=200_000))
    begin = time.perf_counter()
    found = lost(text, change(text))
    assert time.perf_counter() - begin < 20, "a comparison of all with all would take hours"
    expected = sum(a != b for a, b in zip(text, change(text), strict=False)) if len(change(text)) == len(text) else None
    assert found == (len(text) if change(text) == text + text else text.count("e") if expected is None else expected)


def test_a_long_stretch_that_is_lost_costs_that_stretch_alone() -> None:
    chance = random.Random(0)
    around = ["".join(chance.choices("abcdefgh ", k=5000)) for _ in range(2)]
    text = f"{around[0]}{'漢' * 3000}{around[1]}"
    for back in ("".join(around), f"{around[0]}{'?' * 3000}{around[1]}"):
        assert lost(text, back) == pytest.approx(9000, abs=60)


# Where it stands ------------------------------------------------------------------------------------------------------


def score_of(scores: list[Score], name: str = "unrestored") -> float:
    return next(score.value for score in scores if score.metric == name)


def test_bits_per_byte_stand_beside_what_is_lost() -> None:
    plain, lower = (
        CausalLM(network(vocab_size=300), bytes_of(*steps), context=5).eval()
        for steps in ((), (normalizers.Lowercase(),))
    )
    for model, value in ((plain, 0.0), (lower, 3 / 10)):
        assert score_of(perplexity(evaluation(model, texts(["ABC def", "ghi"])))) == value


def test_targets_are_taken_whole_and_sources_left_out() -> None:
    model = seq2seq.model(target_context=3)
    model.tokenizer = bytes_of(normalizers.Lowercase())
    test = Columns({"source": ["ABCDEF", "a"], "target": ["abcdEFé", "é"]})
    data = replace(seq2seq.data(), test=test)
    assert score_of(perplexity(evaluation(model, data))) == 2 / 10
    assert isinstance(model, Seq2Seq)


def test_pseudo_perplexity_counts_the_texts_that_it_scores() -> None:
    model = model_of("masked_lm")
    assert isinstance(model, MaskedLM)
    model.tokenizer.backend_tokenizer.normalizer = normalizers.Lowercase()
    found = pseudo_perplexity(evaluation(model, texts(["ABcd", "e", "FGH"])), texts=2)
    assert score_of(found) == 2 / 5


def test_atoms_that_a_tokenizer_of_molecules_does_not_know() -> None:
    model, data = molecules.model(), molecules.data()
    assert isinstance(model, Molecules)
    assert score_of(smiles_likelihood(evaluation(model, data))) == 0
    model.tokenizer.backend_tokenizer.normalizer = normalizers.Replace("C", "")
    expected = sum(text.count("C") for text in data.test) / sum(map(len, data.test))
    assert score_of(smiles_likelihood(evaluation(model, data))) == pytest.approx(expected) != 0


def test_what_is_not_known_of_a_text_is_left_out_and_not_counted() -> None:
    model = UnigramBytes(torch.zeros(256))
    model.restored = lambda items: [None, "ab"]  # type: ignore[method-assign]
    (score,) = round_trip(evaluation(model, texts(["x", "abc"])), ["x", "abc"])
    assert (score.value, score.n) == (1 / 3, 1)
    model.restored = lambda items: [None, None]  # type: ignore[method-assign]
    assert round_trip(evaluation(model, texts(["x", "abc"])), ["x", "abc"]) == []
