"""Pairs of texts as rows and back, what is scored, and networks of several makers on disk."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers.processors import TemplateProcessing
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoModelForMaskedLM, PreTrainedTokenizerFast

from bench import plugins
from bench.approaches._features import pooled
from bench.dataset import Columns, Dataset
from bench.errors import CheckpointError
from bench.evaluation import Evaluation, Training
from bench.families.seq2seq import Seq2Seq
from bench.metrics.perplexity import perplexity
from tests.models import batch_of, disturbed, prepare, same, saved, tokenizer, transfer_of, weights, whole
from tests.small.seq2seq import OPTIONS, data, made, model, source

_T5 = {"d_model": 16, "d_kv": 8, "d_ff": 24, "num_heads": 2, "num_layers": 2}
_SIDES = {f"{side}_{part}": n for side in ("encoder", "decoder") for part, n in (("layers", 2), ("ffn_dim", 24))}
_BART = _SIDES | {"d_model": 16, "encoder_attention_heads": 2, "decoder_attention_heads": 2}
_BART |= {"max_position_embeddings": 40}
_BERT = {"hidden_size": 16, "intermediate_size": 24, "num_attention_heads": 2, "num_hidden_layers": 2}
_BERT |= {"max_position_embeddings": 40}
ARCHITECTURES: dict[str, dict[str, Any]] = {
    "t5": _T5,
    "bart": _BART,
    "mbart": _BART,
    "marian": _BART,
    "pegasus": _BART,
    "encoder-decoder": {"encoder": _BERT, "decoder": _BERT | {"num_hidden_layers": 4}},
}
ALL = pytest.mark.parametrize("kind", ARCHITECTURES)
TRICKY = ["", "plain ASCII", "naïve café — 日本語 🎉", "line\n\n\ttab  two spaces ", "<|endoftext|> is text here"]


def of_kind(kind: str, **options: Any) -> Seq2Seq:
    return made({"model_type": kind} | ARCHITECTURES[kind], **options)


def load(folder: Path, **options: Any) -> Seq2Seq:
    return Seq2Seq.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **OPTIONS | options)


def parameters(parts: list[nn.Module]) -> set[nn.Parameter]:
    return {parameter for part in parts for parameter in part.parameters()}


def pairs(*items: tuple[str, str]) -> Columns:
    read, written = zip(*items, strict=True)
    return Columns({"source": list(read), "target": list(written)})


# Rows -----------------------------------------------------------------------------------------------------------------


def test_decoding_undoes_encoding() -> None:
    short = model(context=100, target_context=100)
    decoded = short.decode(short.encode(pairs(*zip(TRICKY, reversed(TRICKY), strict=True))))
    assert decoded.names == ["source", "target"]
    assert decoded["source"] == TRICKY
    assert decoded["target"] == TRICKY[::-1]


def test_long_texts_are_cut_and_it_is_known_how_much_of_them_is_left() -> None:
    """The last é is one character of two bytes, in two tokens of which the first alone is kept."""
    short = model(context=4, target_context=5)
    rows = short.encode(pairs(("12", "12"), ("12", "éé345"), ("12", "23éé"), ("12345", "12345")))
    assert rows["cut"].tolist() == [False, True, True, True]
    assert rows["bytes"].tolist() == [2, 5, 6, 5]
    assert rows["text"].tolist() == [2, 5, 5, 5]
    assert rows["source_length"].tolist() == [2, 2, 2, 4]
    assert short.decode(rows)["source"] == ["12", "12", "12", "1234"]


def test_only_a_whole_target_ends() -> None:
    short = model(target_context=5)
    rows = short.encode(pairs(("a", "123"), ("a", "12345"), ("a", "123456")))
    ends = (rows["input_ids"][:, 1:] == short.end).int().argmax(1)
    assert rows["length"].tolist() == [5, 6, 6]
    assert int(ends[0]) == 3
    assert short.units(short.collate(rows, torch.arange(3))) == 4 + 5 + 5


def test_a_batch_is_no_wider_than_its_longest_row_and_both_texts_differ_in_width() -> None:
    """So that features of the encoder can be told from those of the decoder."""
    one = model()
    rows = one.encode(pairs(("12", "1"), ("1234", "123456789")))
    batch = one.collate(rows, torch.tensor([0]))
    assert batch["input_ids"].shape[1] == 3, "start, text, end"
    assert batch["source"].shape[1] == 3, "two tokens, and one that is masked"
    joined = one.join([batch, one.collate(rows, torch.tensor([1]))])
    assert joined["input_ids"].shape[1] == 11
    assert joined["source"].shape[1] == 4
    assert joined["item"].tolist() == [0, 1]


def test_encoding_is_named_by_what_determines_it() -> None:
    assert model().encoding() == of_kind("bart").encoding(), "the network has no part in it"
    assert model().encoding() != model(target_context=5).encoding()
    json.dumps(model().encoding())


# Likelihood -----------------------------------------------------------------------------------------------------------


@ALL
def test_a_target_is_predicted_token_by_token_from_its_source(kind: str) -> None:
    one = of_kind(kind)
    tokens, read = (one.tokenizer(text)["input_ids"] for text in ("7 + 8", "abc"))
    with torch.no_grad():
        given = {"input_ids": torch.tensor([read]), "decoder_input_ids": torch.tensor([[*one.starts, *tokens]])}
        logits = one.network(**given).logits[0].double().log_softmax(-1)
        batch = whole(one, pairs(("abc", "7 + 8")))
        nats, count = one.nll(batch)
        loss = float(one.loss(batch, one(batch)))
    each = [-float(logits[i, token]) for i, token in enumerate([*tokens, one.end])]
    assert count.tolist() == [len(tokens)]
    assert float(nats) == pytest.approx(sum(each[:-1]), rel=1e-5)
    assert loss == pytest.approx(sum(each) / len(each), rel=1e-5), "training counts the end too"


@ALL
def test_padding_and_neighbours_change_nothing(kind: str) -> None:
    one = of_kind(kind)
    rows = one.encode(pairs(("ab", "12"), ("abcdefgh", "123456789")))
    with torch.no_grad():
        for weight in one.network.parameters():
            weight *= 3  # so that the source matters
        alone, together = (one.nll(one.collate(rows, torch.arange(n)))[0] for n in (1, 2))
        other = one.nll(whole(one, pairs(("xy", "12"))))[0]
    assert float(alone) == pytest.approx(float(together[0]), rel=1e-5)
    assert float(alone) != pytest.approx(float(other), rel=1e-4), "the source does"


def test_bits_per_byte_counts_what_is_scored() -> None:
    one = of_kind("encoder-decoder", target_context=6)
    head = one.network.get_output_embeddings()
    nn.init.zeros_(head.weight)
    nn.init.zeros_(head.bias)
    items = pairs(("a", "ééé"), ("bcd", "12345678"), ("e", "12"))
    sets = Dataset("bytes", "text_pair", pairs(("a", "b")), pairs(("c", "d")), items)
    known = Evaluation(one, sets, lambda split: one.encode(getattr(sets, split)), 4, 2, 0, Training())
    scores = {score.metric: score.value for score in perplexity(known)}
    assert scores["perplexity"] == pytest.approx(len(one.tokenizer), rel=1e-5)
    assert scores["bits_per_byte"] == pytest.approx(math.log2(len(one.tokenizer)), rel=1e-5), "a token is a byte here"
    assert scores["truncated"] == pytest.approx(1 / 3)


def test_divergence_is_zero_from_itself_and_blind_to_padding() -> None:
    one = model()
    batch = whole(one, pairs(("ab", "12"), ("abcd", "123456789")))
    with torch.no_grad():
        ours = one(batch)
        padded = ours.clone()
        padded[0, 4:] += 1
        padded[0, 4:, 0] += 5
    assert float(one.divergence(batch, ours, ours, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(one.divergence(batch, ours, padded, 2.0)) == pytest.approx(0, abs=1e-6)
    assert float(one.divergence(batch, ours, torch.randn_like(ours))) > 0.1


# Training and sampling ------------------------------------------------------------------------------------------------


def test_noise_is_on_the_source_alone() -> None:
    one = model()
    batch = whole(one, data().train)
    noisy = one.corrupted(batch, 0.5, torch.Generator().manual_seed(0))
    changed = noisy["source"] != batch["source"]
    assert 0.2 < float(changed.float().mean()) < 0.6
    assert torch.equal(noisy["input_ids"], batch["input_ids"])
    assert noisy["source_length"] is batch["source_length"]


def test_coarser_batches_are_shorter_on_both_sides() -> None:
    one = model()
    batch = one.coarser(whole(one, data().train), 0.5)
    assert batch["source"].shape[1] == batch["source_length"].max() == 7
    assert batch["input_ids"].shape[1] - 1 == batch["text"].max() == 5
    assert torch.isfinite(one.loss(batch, one(batch)))


@ALL
def test_features_of_either_side_are_pooled_over_the_right_tokens(kind: str) -> None:
    one, seen = of_kind(kind), list[Tensor]()
    blocks = one.blocks()
    rows = one.encode(pairs(("abcd", "123"), ("abcdefgh", "12345678")))
    hooks = [
        block.register_forward_hook(lambda _, given, said: seen.append(said if isinstance(said, Tensor) else said[0]))
        for block in (blocks[1], blocks[-2])
    ]
    with torch.no_grad():
        both = one.collate(rows, torch.arange(2))
        one(both)
        alone = one.collate(rows, torch.arange(1))
        one(alone)
    for hook in hooks:
        hook.remove()
    for together, single in zip(seen[:2], seen[2:], strict=True):
        assert torch.allclose(pooled(both, together)[0], pooled(alone, single)[0], atol=1e-5)


def test_learned_vectors_stand_before_the_source() -> None:
    """They take its positions, and are no part of a row's features; both texts still differ in width."""
    one = of_kind("bart", context=40)
    prepare(transfer_of(one, data()), "prompt_tuning", prompt_tuning={"tokens": 4})
    assert one.context == 36
    rows = one.encode(pairs(("12", "123456"), ("1234567", "12")))
    both, alone = one.collate(rows, torch.arange(2)), one.collate(rows, torch.arange(1))
    assert alone["source"].shape[1] not in (alone["input_ids"].shape[1] - 1, alone["input_ids"].shape[1] - 5)
    seen: list[Tensor] = []
    one.blocks()[1].register_forward_hook(lambda _, given, said: seen.append(said))
    with torch.no_grad():
        one(both)
        one(alone)
    assert torch.allclose(pooled(both, seen[0])[0], pooled(alone, seen[1])[0], atol=1e-5)
    assert torch.allclose(pooled(alone, seen[1])[0], seen[1][0, 4:6].mean(0), atol=1e-5)


@pytest.mark.parametrize("num_beams", [1, 3])
def test_a_frozen_column_reads_for_itself(num_beams: int) -> None:
    """In generation the encoder is called once; what is drawn is as likely as what is scored."""
    one = transfer_of(of_kind("bart", num_beams=num_beams), data(), learning_rate=1e-1)
    prepare(one, "progressive_networks").run()
    batch = batch_of(one.model, data(), rows=3)
    settings = {"output_logits": True, "return_dict_in_generate": True, "num_beams": num_beams, "max_new_tokens": 1}
    with torch.inference_mode():
        read = one.model(batch)[:, 0]
        drawn = one.model.network.generate(  # type: ignore[operator]
            input_ids=batch["source"],
            attention_mask=torch.arange(batch["source"].shape[1]) < batch["source_length"][:, None],
            decoder_input_ids=torch.tensor([one.model.starts] * 3),
            **settings,
        ).logits[0]
    assert torch.allclose(drawn[::num_beams], read, atol=1e-5)


@pytest.mark.parametrize("num_beams", [1, 3])
@pytest.mark.parametrize("kind", ["t5", "bart", "encoder-decoder"])
def test_samples_keep_their_sources_and_depend_on_the_seed_alone(kind: str, num_beams: int) -> None:
    one = of_kind(kind, num_beams=num_beams)
    batch = batch_of(one, data(), rows=4)

    def draw(seed: int) -> Columns:
        with torch.inference_mode():
            return one.decode(one.sample(batch, torch.Generator().manual_seed(seed)))

    first, again, other = draw(0), draw(0), draw(1)
    assert first["source"] == data().test["source"][:4]  # type: ignore[call-overload]
    assert first["target"] == again["target"]
    assert (first["target"] == other["target"]) == (num_beams > 1), "a beam search leaves nothing to chance"


def test_samples_in_full_are_of_full_length() -> None:
    one = model()
    with torch.inference_mode():
        drawn = one.sample_in_full(batch_of(one, data()), torch.Generator().manual_seed(0))
    assert set(drawn["text"].tolist()) == {OPTIONS["max_new_tokens"]}


def test_it_learns_what_it_is_taught() -> None:
    transfer = transfer_of(model(), data(), steps=60, learning_rate=2e-2)
    transfer.run()
    losses = [row["train_loss"] for row in transfer.curve if "train_loss" in row]
    assert sum(losses[-10:]) / 10 < 0.6 * sum(losses[:3]) / 3  # of several batches, which are unlike each other


# Parts ----------------------------------------------------------------------------------------------------------------


@ALL
def test_blocks_are_all_the_weights_from_input_to_output(kind: str) -> None:
    one = of_kind(kind)
    blocks = one.blocks()
    deep = 4 if kind == "encoder-decoder" else 2
    assert len(blocks) == 1 + 2 + 1 + deep + 1, "embeddings, encoder, what lies between, decoder, head"
    assert parameters(blocks) == set(one.network.parameters())
    assert parameters(one.generating_end()) <= parameters(blocks[-1:])
    assert one.network.get_input_embeddings().weight in parameters(blocks[:1])
    assert parameters(blocks[1:3]) <= set(one.network.get_encoder().parameters())


@ALL
def test_a_student_is_half_as_deep_on_both_sides(kind: str) -> None:
    one = of_kind(kind)
    before, student = weights(one), one.student().eval()
    deep = 2 if kind == "encoder-decoder" else 1
    assert len(student.blocks()) == len(student.fresh().blocks()) == 1 + 1 + 1 + deep + 1
    assert not parameters(student.blocks()) & set(one.parameters())
    assert same(before, weights(one))
    given = batch_of(student, data())["source"]
    start = torch.tensor([student.starts]).expand(len(given), -1)
    settings = {"decoder_input_ids": start, "do_sample": False, "max_new_tokens": 4}
    quick, slow = (student.network.generate(given, use_cache=cached, **settings) for cached in (True, False))
    assert torch.equal(quick, slow)


# On disk --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["t5", "bart", "pegasus", "encoder-decoder"])
def test_saving_and_loading_change_nothing(kind: str, tmp_path: Path) -> None:
    one = of_kind(kind)
    again = load(saved(one, tmp_path))
    assert same(weights(one), weights(again))
    assert again.encoding() == one.encoding()


def test_a_fresh_model_has_nothing_of_the_old() -> None:
    one = model()
    old, new = weights(one), weights(one.fresh())
    assert old.keys() == new.keys()
    assert not any((old[name] == new[name]).any() for name in old if new[name].numel() > 30)


def encoder(folder: Path, head: bool = True) -> None:
    """A BERT as its makers save it, with a tokenizer that puts marks around a text."""
    marks = {"cls_token": "[CLS]", "sep_token": "[SEP]", "pad_token": "[PAD]"}
    words: Any = tokenizer().backend_tokenizer
    words.add_special_tokens(list(marks.values()))
    ids = [(mark, words.token_to_id(mark)) for mark in marks.values()]
    words.post_processor = TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    PreTrainedTokenizerFast(tokenizer_object=words, **marks).save_pretrained(folder)
    torch.manual_seed(0)
    config = AutoConfig.for_model("bert", vocab_size=words.get_vocab_size(), **_BERT)
    disturbed((AutoModelForMaskedLM if head else AutoModel).from_config(config)).save_pretrained(folder)


def test_an_encoder_starts_both_sides_and_the_new_weights_are_always_the_same(tmp_path: Path) -> None:
    encoder(tmp_path)
    torch.manual_seed(1)
    one = load(tmp_path)
    torch.manual_seed(2)
    assert same(weights(one), weights(load(tmp_path)))
    left, right = one.network.encoder.encoder.layer[0], one.network.decoder.bert.encoder.layer[0]
    assert torch.equal(left.attention.self.query.weight, right.attention.self.query.weight)
    assert left.attention.self.query.weight is not right.attention.self.query.weight
    cls, sep, _ = one.tokenizer.convert_tokens_to_ids(["[CLS]", "[SEP]", "[PAD]"])
    assert one.encode(pairs(("a", "b")))["source"][0, [0, 2]].tolist() == [cls, sep]
    assert (one.starts, one.end) == ([cls], sep), "[CLS] begins a target once"
    assert one.decode(one.encode(data().test)).names == ["source", "target"]
    again = load(saved(one, tmp_path / "again"))
    assert same(weights(one), weights(again))
    assert again.encoding() == one.encoding()


def test_what_a_tokenizer_puts_before_a_target_is_given(tmp_path: Path) -> None:
    """As BART has it: a decoder begins with </s>, and a target with <s>."""
    words: Any = tokenizer().backend_tokenizer
    words.add_special_tokens(["<s>", "</s>"])
    before, behind = (words.token_to_id(mark) for mark in ("<s>", "</s>"))
    words.post_processor = TemplateProcessing(single="<s> $A </s>", special_tokens=[("<s>", before), ("</s>", behind)])
    fast = PreTrainedTokenizerFast(tokenizer_object=words, bos_token="<s>", eos_token="</s>", pad_token="</s>")
    config = AutoConfig.for_model("bart", vocab_size=words.get_vocab_size(), decoder_start_token_id=behind, **_BART)
    from transformers import AutoModelForSeq2SeqLM

    AutoModelForSeq2SeqLM.from_config(config).save_pretrained(tmp_path)
    fast.save_pretrained(tmp_path)
    one = load(tmp_path)
    assert one.starts == [behind, before]
    batch = whole(one, pairs(("abc", "12")))
    assert batch["input_ids"].tolist() == [[behind, before, *fast("12", add_special_tokens=False)["input_ids"], behind]]
    with torch.inference_mode():
        assert one(batch).shape[1] == one.units(batch) == 3
        drawn = one.sample(batch, torch.Generator().manual_seed(0))
    assert drawn["input_ids"][0, :2].tolist() == [behind, before]
    assert one.decode(batch)["target"] == ["12"]


def no_weights(folder: Path) -> None:
    (saved(model(), folder) / "model.safetensors").unlink()


def cut_short(folder: Path) -> None:
    path = saved(model(), folder) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def no_tokenizer(folder: Path) -> None:
    model().network.save_pretrained(folder)


def a_causal_language_model(folder: Path) -> None:
    saved(model(), folder)
    (folder / "config.json").write_text('{"model_type": "gpt2"}')


def an_encoder_without_its_head(folder: Path) -> None:
    encoder(folder, head=False)


def fewer_layers_than_said(folder: Path) -> None:
    config = json.loads((saved(model(), folder) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"num_decoder_layers": 3}))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_weights, "safetensors"),
        (cut_short, "not a sequence-to-sequence model"),
        (no_tokenizer, "tokenizer"),
        (a_causal_language_model, "gpt2 has no encoder and decoder"),
        (an_encoder_without_its_head, "no weights for cls.predictions"),
        (fewer_layers_than_said, "no weights for decoder.block.2"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    ("architecture", "said"),
    [
        ({"model_type": "gpt2"}, "gpt2 is no sequence-to-sequence model"),
        ({"model_type": "t5", "depth": 2}, "T5Config has no depth"),
        ({"model_type": "encoder-decoder", "layers": 2}, "no layers"),
        ({"model_type": "bart", "d_model": 10, "encoder_attention_heads": 3}, "transformers cannot build it"),
    ],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any], said: str) -> None:
    with pytest.raises(CheckpointError, match=said) as caught:
        Seq2Seq.from_architecture(architecture, source())
    assert "\n" not in str(caught.value)


def test_the_plugin_is_read_without_loading_it() -> None:
    plugin = plugins.find("families", "seq2seq")
    assert plugin.constants["MODALITY"] == Seq2Seq.modality == "text_pair"
    assert frozenset(plugin.constants["OFFERS"]) == Seq2Seq.offers
