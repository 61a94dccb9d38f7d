"""Texts as rows of tokens and back, their likelihood, samples, and the checkpoints that are refused."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import AutoConfig, AutoModelForCausalLM, GenerationConfig

from bench.dataset import Dataset
from bench.errors import CheckpointError, NotApplicable
from bench.evaluation import Evaluation, Training
from bench.families.causal_lm import CausalLM
from bench.metrics.perplexity import perplexity
from bench.model import Batch
from tests.models import CONTEXT, batch_of, language_model, network, outputs, same, saved, texts, tokenizer, weights

TRICKY = ["", "a", "plain ASCII", "naïve café — 日本語 🎉", "line\n\n\ttab  two spaces ", "<|endoftext|> is text here"]
LONG = "The number 12345 follows 12344 and so on and so on and so on, " * 3


def whole(model: CausalLM, items: list[str]) -> Batch:
    rows = model.encode(items)
    return model.collate(rows, torch.arange(len(rows["item"])))


def load(folder: Path, **options: Any) -> CausalLM:
    return CausalLM.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


# Encoding -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [1, 3, CONTEXT, 500])
def test_decoding_undoes_encoding(context: int) -> None:
    model = language_model(context=context)
    assert model.decode(model.encode([*TRICKY, LONG])) == [*TRICKY, LONG]


def test_rows_share_one_token_and_miss_none() -> None:
    model = language_model()
    rows = model.encode([LONG])
    tokens = model.tokenizer(LONG)["input_ids"]
    targets = [ids[1:length].tolist() for ids, length in zip(rows["input_ids"], rows["length"], strict=True)]
    assert [token for row in targets for token in row] == [*tokens, model.end]
    for before, after in zip(rows["input_ids"], rows["input_ids"][1:], strict=False):
        assert before[CONTEXT] == after[0], "a row goes on where the one before ended"
    assert rows["length"].max() <= CONTEXT + 1
    assert int(rows["text"].sum()) == len(tokens)
    assert model.units(model.collate(rows, torch.arange(len(rows["item"])))) == len(tokens) + 1


def test_a_batch_is_no_wider_than_its_longest_row() -> None:
    model = language_model()
    rows = model.encode(["Hi", LONG])
    assert model.collate(rows, torch.tensor([0]))["input_ids"].shape[1] == int(rows["length"][0])


def test_encoding_is_named_by_what_determines_it() -> None:
    model = language_model()
    assert model.encoding() == language_model("llama").encoding(), "the network has no part in it"
    assert model.encoding() != language_model(context=5).encoding()
    json.dumps(model.encoding())


def test_context_ends_where_the_network_does() -> None:
    assert language_model(context=1000).context == 32


# Likelihood -----------------------------------------------------------------------------------------------------------


def test_every_token_is_predicted_once() -> None:
    """For a text that fits into a row, the likelihood is what the network says of it in one go."""
    model, text = language_model(context=32), "The number 5 follows 4."
    tokens = model.tokenizer(text)["input_ids"]
    with torch.no_grad():
        logits = model.network(torch.tensor([[model.start, *tokens]])).logits[0].double().log_softmax(-1)
        nats, count = model.nll(whole(model, [text]))
    assert count.tolist() == [len(tokens)]
    assert float(nats) == pytest.approx(-sum(float(logits[i, token]) for i, token in enumerate(tokens)), rel=1e-6)


def test_windows_add_up_to_the_whole_text() -> None:
    """Uniform predictions make every token cost the same, however the text is cut."""
    model = language_model(sizes={"tie_word_embeddings": False})
    torch.nn.init.zeros_(model.network.lm_head.weight)
    with torch.no_grad():
        nats, count = model.nll(whole(model, [LONG]))
    tokens = len(model.tokenizer(LONG)["input_ids"])
    assert int(count.sum()) == tokens
    assert float(nats.sum()) == pytest.approx(tokens * math.log(len(model.tokenizer)), rel=1e-6)


def test_loss_is_the_likelihood_and_the_end() -> None:
    """The loss counts the end of the text, the likelihood does not; both over the same predictions."""
    model, items = language_model(context=32), ["The number 5 follows 4.", "Short"]
    batch = whole(model, items)
    with torch.no_grad():
        logits = model(batch)
        nats, count = model.nll(batch)
        ends = [float(-logits[row, n].double().log_softmax(-1)[model.end]) for row, n in enumerate(batch["text"])]
        total = float(model.loss(batch, logits)) * model.units(batch)
    assert model.units(batch) == int(count.sum()) + 2
    assert total == pytest.approx(float(nats.sum()) + sum(ends), rel=1e-5)


def test_bits_per_byte_counts_the_bytes_of_the_text() -> None:
    model = language_model(sizes={"tie_word_embeddings": False})
    torch.nn.init.zeros_(model.network.lm_head.weight)
    items = ["naïve", LONG, "🎉 and more"]
    data = Dataset("bytes", "text", ["a"], ["b"], items)
    made = Evaluation(model, data, lambda split: model.encode(getattr(data, split)), 4, 2, 0, Training())
    scores = {score.metric: score.value for score in perplexity(made)}
    tokens = sum(len(model.tokenizer(item)["input_ids"]) for item in items)
    size = sum(len(item.encode()) for item in items)
    assert scores["perplexity"] == pytest.approx(len(model.tokenizer), rel=1e-5)
    assert scores["bits_per_byte"] == pytest.approx(tokens * math.log2(len(model.tokenizer)) / size, rel=1e-5)


def test_divergence_is_the_softened_kullback_leibler_divergence() -> None:
    model = language_model(context=32)
    batch, temperature = whole(model, ["The number 5 follows 4.", "Short"]), 2.0
    torch.manual_seed(0)
    with torch.no_grad():
        ours = model(batch)
        theirs = ours + torch.randn_like(ours)
        found = float(model.divergence(batch, ours, theirs, temperature))
    p, q = (logits.double().div(temperature).softmax(-1) for logits in (theirs, ours))
    each = (p * (p / q).log()).sum(-1)
    kept = [each[row, : n - 1].sum() for row, n in enumerate(batch["length"])]
    assert found == pytest.approx(float(torch.stack(kept).sum()) / model.units(batch) * temperature**2, rel=1e-4)
    assert float(model.divergence(batch, ours, ours)) == pytest.approx(0, abs=1e-6)


# Sampling -------------------------------------------------------------------------------------------------------------


def draw(model: CausalLM, seed: int = 0, rows: int = 4) -> Batch:
    with torch.inference_mode():
        return model.sample(batch_of(model, texts(), rows), torch.Generator().manual_seed(seed))


def test_samples_repeat_and_leave_other_random_numbers_alone() -> None:
    model = language_model()
    state = torch.random.get_rng_state()
    one = draw(model)
    assert torch.equal(torch.random.get_rng_state(), state)
    torch.manual_seed(99)
    assert torch.equal(one["input_ids"], draw(model)["input_ids"])
    assert not torch.equal(one["input_ids"], draw(model, seed=1)["input_ids"])


def test_samples_end_where_they_say() -> None:
    """A head that loves the end of a text: samples are short, and what follows the end is not part of them."""
    model = language_model(sizes={"tie_word_embeddings": False}, max_new_tokens=30)
    biased(model, end=2.0)
    batch = draw(model, rows=6)
    for ids, count, length in zip(batch["input_ids"], batch["text"].tolist(), batch["length"].tolist(), strict=True):
        assert model.end not in ids[1 : 1 + count]
        assert length == min(count + 2, len(ids))
        if count + 1 < len(ids):
            assert ids[count + 1] == model.end
    assert batch["text"].float().mean() < 15
    lengths = [len(model.tokenizer(text)["input_ids"]) for text in model.decode(batch)]
    assert all(length <= count for length, count in zip(lengths, batch["text"].tolist(), strict=True))


def test_samples_stop_at_the_longest_length() -> None:
    model = language_model(sizes={"tie_word_embeddings": False}, max_new_tokens=5)
    biased(model, end=-1e4)
    batch = draw(model)
    assert batch["input_ids"].shape == (4, 6)
    assert batch["text"].tolist() == [5] * 4
    assert batch["length"].tolist() == [6] * 4


def biased(model: CausalLM, end: float) -> None:
    """Every token equally likely, but the end by ``end`` nats more."""
    head = model.network.lm_head
    torch.nn.init.zeros_(head.weight)
    head.bias = torch.nn.Parameter(torch.zeros(len(head.weight)))
    with torch.no_grad():
        head.bias[model.end] = math.log(len(head.weight)) + end if end > 0 else end


def test_samples_follow_the_models_distribution_as_it_is() -> None:
    """Whatever a checkpoint's generation_config.json says: no penalty, no beam, no cut."""
    net = network(tie_word_embeddings=False)
    net.generation_config = GenerationConfig(repetition_penalty=50.0, top_k=1, num_beams=3, no_repeat_ngram_size=1)
    model = CausalLM(net, tokenizer(), context=CONTEXT, max_new_tokens=20)
    biased(model, end=-1e4)
    drawn = draw(model.eval())["input_ids"][:, 1:]
    assert len(drawn.unique()) > 30, "top_k=1 gives one token"
    assert any(len(row.unique()) < len(row) for row in drawn), "no_repeat_ngram_size=1 forbids a token twice"


@pytest.mark.parametrize("share", [0.25, 1.0])
def test_a_prompt_is_the_start_of_its_row_without_padding(share: float) -> None:
    model = language_model(prompt=share, context=32)
    items = ["Hi", "The number 5 follows 4 and so on."]
    batch = whole(model, items)
    shortest = int(batch["text"].min())
    given = 1 + min(round(share * 32), shortest)
    with torch.inference_mode():
        drawn = model.sample(batch, torch.Generator().manual_seed(0))
    assert torch.equal(drawn["input_ids"][:, :given], batch["input_ids"][:, :given])
    assert all(text.startswith(item[:1]) for text, item in zip(model.decode(drawn), items, strict=True))


def test_a_prompt_leaves_room_for_a_sample() -> None:
    model = language_model(prompt=1.0, context=32)
    rows = model.encode([LONG])
    with torch.inference_mode():
        drawn = model.sample(model.collate(rows, torch.tensor([0])), torch.Generator().manual_seed(0))
    assert drawn["input_ids"].shape[1] == 33


def test_samples_of_unequal_length_join() -> None:
    model = language_model()
    short, long = (
        {key: value[:, :4] if key == "input_ids" else value for key, value in draw(model).items()},
        draw(model),
    )
    short |= {"text": short["text"].clamp(max=3)}
    joined = model.join([short, long])
    assert joined["input_ids"].shape[0] == 8
    assert model.decode(joined) == model.decode(short) + model.decode(long)


# Models ---------------------------------------------------------------------------------------------------------------


def test_saving_and_loading_change_nothing(tmp_path: Path) -> None:
    model = language_model()
    again = load(saved(model, tmp_path), context=CONTEXT)
    assert same(weights(model), weights(again))
    assert again.encoding() == model.encoding()


@pytest.mark.parametrize("kind", ["qwen2", "llama", "phi3"])
def test_a_recipe_keeps_its_tokenizer(kind: str, tmp_path: Path) -> None:
    """Some types of model have a tokenizer class of their own in transformers, which splits texts in another way."""
    sizes = {"hidden_size": 16, "intermediate_size": 16, "num_attention_heads": 2, "num_hidden_layers": 1}
    architecture = {"model_type": kind, "vocab_size": 280, "num_key_value_heads": 2} | sizes
    model = CausalLM.from_architecture(architecture, texts())
    again = load(saved(model, tmp_path))
    assert again.encoding() == model.encoding()
    assert torch.equal(again.encode([LONG])["input_ids"], model.encode([LONG])["input_ids"])


def test_reduced_precision_is_loaded_as_full(tmp_path: Path) -> None:
    model = language_model()
    model.network.bfloat16()
    assert {tensor.dtype for tensor in load(saved(model, tmp_path)).parameters()} == {torch.float32}


def test_a_fresh_model_has_nothing_of_the_old() -> None:
    model = language_model()
    old, new = weights(model), weights(model.fresh())
    assert old.keys() == new.keys()
    assert not any((old[name] == new[name]).any() for name in old if new[name].numel() > 1 and name.endswith("weight"))


def test_one_layer_has_no_smaller_student() -> None:
    with pytest.raises(NotApplicable, match="a model of 1 layer has no smaller student"):
        language_model(sizes={"num_hidden_layers": 1}).student()


def test_another_depth_gives_the_smaller_half() -> None:
    model = language_model(sizes={"num_hidden_layers": 3})
    student = model.student()
    assert student.network.config.num_hidden_layers == 2
    kept, layers = student.network.transformer.h, model.network.transformer.h
    for new, old in zip(kept, (layers[0], layers[2]), strict=True):
        assert same(dict(new.state_dict()), dict(old.state_dict()))


# What is refused ------------------------------------------------------------------------------------------------------


def no_weights(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "model.safetensors").unlink()


def pickle_only(folder: Path) -> None:
    model = language_model()
    no_weights(folder)
    torch.save(model.network.state_dict(), folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    path = saved(language_model(), folder) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def no_tokenizer(folder: Path) -> None:
    network().save_pretrained(folder)


def no_config(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "config.json").unlink()


def another_tokenizer(folder: Path) -> None:
    network(vocab_size=50).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def other_shapes(folder: Path) -> None:
    config = json.loads((saved(language_model(), folder) / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config | {"n_embd": 20, "n_head": 2}))


def no_head(folder: Path) -> None:
    net = network(tie_word_embeddings=False)
    net.transformer.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def sees_ahead(folder: Path) -> None:
    network("bert", is_decoder=False).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def an_encoder_decoder(folder: Path) -> None:
    saved(language_model(), folder)
    (folder / "config.json").write_text('{"model_type": "t5"}')


def code_of_its_own(folder: Path) -> None:
    config = json.loads((saved(language_model(), folder) / "config.json").read_text())
    own = {"model_type": "mine", "auto_map": {"AutoConfig": "mine.Config", "AutoModelForCausalLM": "mine.Model"}}
    (folder / "config.json").write_text(json.dumps(config | own))
    (folder / "mine.py").write_text(f"import pathlib\npathlib.Path({str(folder / 'ran')!r}).touch()\n")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_weights, "safetensors"),
        (pickle_only, "safetensors"),
        (cut_short, ""),
        (no_tokenizer, "tokenizer"),
        (no_config, ""),
        (another_tokenizer, "the tokenizer has .* tokens, the network 50"),
        (other_shapes, "size"),
        (no_head, "no weights for lm_head"),
        (sees_ahead, "not causal.*is_decoder"),
        (an_encoder_decoder, "not a causal language model"),
        (code_of_its_own, "trust_remote_code"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)
    assert not (tmp_path / "ran").exists(), "no code that came with a checkpoint has run"


@pytest.mark.parametrize(
    "architecture",
    [{"model_type": "no_such_model"}, {"n_embd": "wide"}, {"n_embd": 10, "n_head": 3}, {"model_type": "t5"}],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        CausalLM.from_architecture(architecture, texts())
    assert "\n" not in str(caught.value)


def test_a_tokenizer_without_start_or_end_is_refused() -> None:
    bare = tokenizer()
    bare.bos_token = bare.eos_token = bare.pad_token = None
    with pytest.raises(CheckpointError, match="bos or eos"):
        CausalLM(network(), bare)


def test_untrained_models_of_a_recipe_depend_on_the_seed_alone() -> None:
    def build(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return weights(CausalLM.from_architecture({"n_layer": 1, "n_embd": 8, "n_head": 1}, texts()))

    assert same(build(0), build(0))
    assert not same(build(0), build(1))


def test_what_transformers_builds_is_what_is_built() -> None:
    """The network is transformers' own, used through its public call."""
    model = language_model()
    config = AutoConfig.for_model(
        "gpt2", **{key: getattr(model.network.config, key) for key in ("vocab_size", "n_embd")}
    )
    assert type(model.network) is type(AutoModelForCausalLM.from_config(config))
    assert outputs(model, texts()).shape[2] == model.network.config.vocab_size
