"""Tokenizers that put tokens before a text: they stand before every row, and nothing else changes."""

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from tokenizers.processors import TemplateProcessing
from transformers import PreTrainedTokenizerFast

from bench.families._tokenizer import byte_level_bpe
from bench.families.causal_lm import CausalLM
from bench.families.molecules import Molecules
from tests import plans
from tests.models import CONTEXT, language_model, network, prepare, saved, texts, transfer_of, whole

LONG = "The number 12345 follows 12344 and so on and so on and so on, naïve 🎉, " * 3
ITEMS = ["", "a", LONG, "Short.", LONG[7:] + "<bos> is text here"]


def starting(**special: Any) -> PreTrainedTokenizerFast:
    """A tokenizer like Gemma's: ``<bos>`` before each text, which no text holds."""
    known = byte_level_bpe(texts(), 299).backend_tokenizer
    known.add_special_tokens(["<bos>"])
    known.post_processor = TemplateProcessing(single="<bos> $A", special_tokens=[("<bos>", known.token_to_id("<bos>"))])
    end = {"eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>", "bos_token": "<bos>"}
    return PreTrainedTokenizerFast(tokenizer_object=known, **end | special)


def model(kind: str = "gemma2", of: type[CausalLM] = CausalLM, **options: Any) -> CausalLM:
    tokenizer = starting()
    made = network(kind, vocab_size=len(tokenizer), max_position_embeddings=32, bos_token_id=tokenizer.bos_token_id)
    return of(made, tokenizer, **{"context": CONTEXT, "max_new_tokens": 8} | options).eval()


TEMPLATES: dict[str, tuple[str, dict[str, Any]]] = {
    "two": ("[gMASK] <sop> $A", {}),
    "two, the last of which is known": ("[gMASK] <sop> $A", {"bos_token": "<sop>"}),
    "two, the first of which is known": ("[gMASK] <sop> $A", {"bos_token": "[gMASK]"}),
    "one of no name": ("<s> $A", {}),
    "one before and one behind": ("[CLS] $A [SEP]", {"cls_token": "[CLS]", "sep_token": "[SEP]"}),
    "one behind": ("$A <|endoftext|>", {}),
    "none": ("$A", {"bos_token": "<s>"}),
}
"""What a tokenizer puts around a text, and what it says of the tokens."""


def templated(
    name: str, kind: str = "llama", of: type[CausalLM] = CausalLM, **options: Any
) -> tuple[CausalLM, list[int]]:
    """A model whose tokenizer has that template, and the tokens before a text."""
    template, special = TEMPLATES[name]
    known = byte_level_bpe(texts(), 299).backend_tokenizer
    marks = [part for part in template.split() if part != "$A"] + list(special.values())
    known.add_special_tokens([mark for mark in dict.fromkeys(marks) if known.token_to_id(mark) is None])
    ids = {mark: known.token_to_id(mark) for mark in marks}
    known.post_processor = TemplateProcessing(single=template, special_tokens=list(ids.items()))
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=known, eos_token="<|endoftext|>", **special)
    made = network(kind, vocab_size=len(tokenizer), max_position_embeddings=32)
    prefix = [ids[mark] for mark in template.partition("$A")[0].split()]
    return of(made, tokenizer, **{"context": CONTEXT, "max_new_tokens": 8} | options).eval(), prefix


def test_only_a_tokenizer_that_says_so_starts_rows() -> None:
    assert model().prefix == [starting().bos_token_id]
    assert model().encoding().items() >= {"starts_rows": True, "ends": [model().start, model().end]}.items()
    assert model().start == starting().bos_token_id
    plain = language_model()
    assert not plain.prefix
    assert "given" not in plain.encode([LONG])
    assert set(plain.encoding()) == {"family", "tokenizer", "context", "ends"}, "what is encoded already is found again"
    assert model().encoding() != plain.encoding()


@pytest.mark.parametrize("context", [1, 2, CONTEXT, 500])
@pytest.mark.parametrize("of", [CausalLM, Molecules])
def test_every_row_starts_and_decoding_undoes_encoding(context: int, of: type[CausalLM]) -> None:
    one = model(of=of, context=context)
    rows = one.encode(ITEMS)
    assert (rows["input_ids"][:, 0] == one.start).all()
    assert rows["input_ids"].shape[1] <= one.context + 2
    assert rows["length"].max() - 1 <= 32, "no more positions than the network has"
    assert one.decode(rows) == ITEMS


def test_every_token_is_predicted_once_behind_the_one_before_it() -> None:
    one = model()
    rows, tokens = one.encode([LONG]), one.tokenizer(LONG, add_special_tokens=False)["input_ids"]
    chain, at = [one.start, *tokens, one.end], 1
    for ids, given, length in zip(*(rows[key].tolist() for key in ("input_ids", "given", "length")), strict=True):
        assert ids[given:length] == chain[at : at + length - given]
        assert ids[given - 1] == chain[at - 1]
        at += length - given
    assert at == len(chain)
    assert rows["given"].tolist() == [1] + [2] * (len(rows["given"]) - 1)
    assert int(rows["text"].sum()) == len(tokens)
    assert one.units(one.collate(rows, torch.arange(len(rows["item"])))) == len(tokens) + 1


def by_hand(one: CausalLM, text: str, *, end: bool) -> tuple[float, int]:
    """Nats of a text: each row on its own through the network, from the token behind the one that goes on."""
    chain = [one.start, *one.tokenizer(text, add_special_tokens=False)["input_ids"], one.end]
    total, count = 0.0, 0
    for begin in range(0, len(chain) - 1, one.context):
        part = chain[begin : begin + one.context + 1]
        row = (one.prefix if begin else one.prefix[:-1]) + part
        logits = one.network(torch.tensor([row])).logits[0].double().log_softmax(-1)
        for place in range(len(row) - len(part) + 1, len(row)):
            if end or begin + place - (len(row) - len(part)) < len(chain) - 1:
                total, count = total - float(logits[place - 1, row[place]]), count + 1
    return total, count


@torch.no_grad()
@pytest.mark.parametrize("kind", ["gemma2", "llama", "opt"])
def test_the_likelihood_is_that_behind_the_start_of_each_row(kind: str) -> None:
    one, items = model(kind), [LONG, "Short."]
    batch = whole(one, items)
    nats, count = one.nll(batch)
    expected = [by_hand(one, text, end=False) for text in items]
    assert float(nats.sum()) == pytest.approx(sum(nat for nat, _ in expected), rel=1e-5)
    assert int(count.sum()) == sum(n for _, n in expected)
    trained = [by_hand(one, text, end=True) for text in items]
    loss = float(one.loss(batch, one(batch)))
    assert loss * one.units(batch) == pytest.approx(sum(nat for nat, _ in trained), rel=1e-4)
    assert one.units(batch) == sum(n for _, n in trained)


@pytest.mark.parametrize("context", [1, 2, CONTEXT, 500])
@pytest.mark.parametrize("name", TEMPLATES)
def test_what_the_tokenizer_puts_before_a_text_stands_before_every_row(name: str, context: int) -> None:
    one, prefix = templated(name, context=context)
    assert one.prefix == prefix
    assert one.context == min(context, 32 - len(prefix))
    rows, given = one.encode([LONG]), len(prefix)
    tokens = one.tokenizer(LONG, add_special_tokens=False)["input_ids"]
    chain, at = [*tokens, one.end], 0
    for row, (ids, length) in enumerate(zip(rows["input_ids"].tolist(), rows["length"].tolist(), strict=True)):
        before = prefix or ([one.start] if row == 0 else [])
        before = before + chain[at - 1 : at] * (row > 0)
        assert ids[:length] == before + chain[at : at + one.context]
        assert length - 1 <= 32, "no more positions than the network has"
        assert not prefix or rows["given"][row] == given + (row > 0)
        at += one.context
    assert at >= len(chain)
    assert one.decode(one.encode(ITEMS)) == ITEMS
    assert one.lengths([LONG]) == [max(1, given) + len(tokens) + (one.end != one.start)]


@torch.no_grad()
@pytest.mark.parametrize("kind", ["gpt2", "llama"])
@pytest.mark.parametrize("name", TEMPLATES)
def test_the_loss_behind_any_prefix_is_that_by_hand(name: str, kind: str) -> None:
    one, prefix = templated(name, kind)
    batch = whole(one, [LONG, "Short."])
    scored = [float(part.sum()) for part in one.nll(batch)]
    trained = [float(one.loss(batch, one(batch))) * one.units(batch), float(one.units(batch))]
    for end, found in ((False, scored), (True, trained)):
        expected = [by_hand(one, text, end=end) for text in (LONG, "Short.")]
        assert found == pytest.approx([sum(numbers) for numbers in zip(*expected, strict=True)], rel=1e-4)
    # one row, written out
    batch, (token,) = whole(one, ["a"]), one.tokenizer("a", add_special_tokens=False)["input_ids"]
    row = [*(prefix or [one.start]), token, one.end]
    said = one.network(torch.tensor([row])).logits[0].double().log_softmax(-1)
    first, last = float(said[-3, token]), float(said[-2, one.end])
    assert float(one.nll(batch)[0]) == pytest.approx(-first, rel=1e-5)
    assert float(one.loss(batch, one(batch))) == pytest.approx(-(first + last) / 2, rel=1e-5)


@torch.no_grad()
@pytest.mark.parametrize("prompt", [0.0, 0.5])
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_sample_starts_as_a_text_does(name: str, prompt: float) -> None:
    one, prefix = templated(name, prompt=prompt, max_new_tokens=500)
    batch, starts = whole(one, [LONG]), prefix or [one.start]
    seen: list[torch.Tensor] = []
    generate = one.network.generate

    def noted(**given: Any) -> Any:
        seen.append(given["input_ids"])
        return generate(**given)

    one.network.generate = noted
    drawn = one.sample_in_full(batch, torch.Generator().manual_seed(0))
    read = min(round(prompt * one.context), int(batch["text"].min()))
    assert seen[0].shape[1] == len(starts) + read
    if prefix or not prompt:
        assert (drawn["input_ids"][:, : len(starts)] == torch.tensor(starts)).all()
    if prompt:
        assert (seen[0] == batch["input_ids"][:, : seen[0].shape[1]]).all(), "what a row begins with, and what it reads"
    assert drawn["input_ids"].shape[1] - 1 <= 32
    assert (drawn["text"] + len(starts) <= drawn["input_ids"].shape[1]).all()
    written = drawn["input_ids"][0, len(starts) : len(starts) + int(drawn["text"][0])].tolist()
    plain = {"skip_special_tokens": True, "clean_up_tokenization_spaces": False}
    assert one.decode(drawn)[0] == one.tokenizer.decode(written, **plain)
    joined = one.join([batch, drawn])
    assert one.decode(joined)[-1] == one.decode(drawn)[-1]


@torch.no_grad()
@pytest.mark.parametrize("name", TEMPLATES)
def test_noise_shorter_rows_and_examples_leave_the_prefix_whole(name: str) -> None:
    one, prefix = templated(name)
    batch = whole(one, [LONG])
    starts = len(prefix) or 1
    noisy = one.corrupted(batch, 1.0, torch.Generator().manual_seed(0))
    assert (noisy["input_ids"][:, :starts] == batch["input_ids"][:, :starts]).all()
    assert (noisy["input_ids"] != batch["input_ids"]).any()
    for share in (1e-9, 0.5, 1.0):
        cut = one.coarser(batch, share)
        most = max(1, round(share * one.context))
        assert (cut["length"] - one._given(cut)).max() in (most, most + 1)
        assert (cut["length"] > one._given(cut)).all(), "something is left to predict"
        assert torch.isfinite(one.loss(cut, one(cut)))
    one.show(["a"], 10)
    assert one.shown[:starts].tolist() == (prefix or [one.start])
    assert len(one.shown) == one.lengths(["a"])[0]
    assert one(batch).shape[1] == batch["input_ids"].shape[1] - 1


def test_an_encoding_says_what_stands_before_a_row() -> None:
    known = {name: templated(name)[0].encoding() for name in TEMPLATES}
    assert [name for name in known if known[name] == known["two"]] == [name for name in known if name.startswith("two")]
    assert len({repr(encoding) for encoding in known.values()}) == len(known) - 2


@torch.no_grad()
def test_a_molecule_counts_its_end() -> None:
    one = model(of=Molecules)
    nats, count = one.nll(whole(one, [LONG]))
    expected, tokens = by_hand(one, LONG, end=True)
    assert float(nats.sum()) == pytest.approx(expected, rel=1e-5)
    assert int(count.sum()) == tokens


@torch.no_grad()
def test_a_network_that_needs_its_start_is_lost_without_it() -> None:
    """One that knows the next byte where a row starts as its texts did, and nothing elsewhere: the fault of Gemma."""

    class Knows(torch.nn.Module):
        def forward(self, input_ids: Any, **_: Any) -> Any:
            sure = 20.0 * (input_ids[:, :1] == one.start)[..., None]
            return type("Output", (), {"logits": sure * F.one_hot(batch["input_ids"][:, 1:], 300).float()})

    one = model()
    batch = whole(one, [LONG])
    one.network = Knows()
    nats, count = one.nll(batch)
    assert len(count) > 5
    assert float((nats / count).max()) < 1e-5, "without it each token costs the logarithm of 300"


@torch.no_grad()
def test_divergence_and_shorter_rows_leave_out_what_is_given() -> None:
    one = model()
    batch = whole(one, [LONG])
    ours = one(batch)
    theirs = ours.clone()
    theirs[1:, 0] += torch.randn(ours.shape[-1])
    assert float(one.divergence(batch, ours, theirs)) == pytest.approx(0, abs=1e-6)
    for share in (1e-9, 0.3, 1.0):
        cut = one.coarser(batch, share)
        assert (cut["length"] > cut["given"]).all(), "something is left to predict"
        assert (cut["text"] <= cut["length"] - cut["given"]).all()
        assert torch.isfinite(one.loss(cut, one(cut)))


def test_samples_are_rows_too() -> None:
    for prompt in (0.0, 0.5):
        one = model(prompt=prompt)
        batch = whole(one, [LONG])
        drawn = one.sample(batch, torch.Generator().manual_seed(0))
        assert (drawn["input_ids"][:, 0] == one.start).all()
        joined = one.join([batch, drawn])
        assert joined["given"].tolist() == [*batch["given"].tolist(), *[1] * len(drawn["item"])]
        assert len(one.decode(joined)) == len(joined["item"])


@torch.no_grad()
def test_examples_stand_before_the_start_of_each_row() -> None:
    one, data = model("llama"), texts()
    prepare(transfer_of(one, data), "few_shot_prompting")
    shown = len(one.shown)
    assert shown > 0
    assert shown + one.context + 1 <= 32
    seen: list[torch.Tensor] = []
    hook = one.network.register_forward_pre_hook(
        lambda _, args, named: seen.append(named["input_ids"]), with_kwargs=True
    )
    nats, count = one.nll(whole(one, [LONG]))
    hook.remove()
    assert (seen[0][:, shown] == one.start).all()
    assert int(count.sum()) == len(one.tokenizer(LONG, add_special_tokens=False)["input_ids"])
    assert torch.isfinite(nats).all()


def test_cells_of_checkpoints_alone_are_asked_for_anew(tmp_path: Path) -> None:
    """What is pretrained here has a tokenizer that starts no rows: its cells keep their keys."""
    folder = tmp_path / "model"
    saved(language_model(), folder)
    checkpoint = {"models/tiny/recipe": plans.DROP, "models/tiny/checkpoint": str(folder)}

    def codes(changes: plans.Changes) -> list[dict[str, str]]:
        found = plans.cells(tmp_path, changes)
        own = {name: {"real_data": "1"} if name == "real_data" else {} for name in {cell.approach for cell in found}}
        assert all(cell.code.items() >= own[cell.approach].items() for cell in found)
        return [dict(cell.code.items() - own[cell.approach].items()) for cell in found]

    assert all(code == {} for code in codes({}))
    assert all(code == {"causal_lm": "generation 3"} for code in codes(checkpoint))
