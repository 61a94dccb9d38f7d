"""Texts as rows of tokens and back, their likelihood, and models on disk."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.dataset import Dataset
from bench.errors import NotApplicable
from bench.evaluation import Evaluation, Training
from bench.families.causal_lm import CausalLM
from bench.metrics.perplexity import perplexity
from tests.models import (
    CONTEXT,
    language_model,
    same,
    saved,
    texts,
    weights,
    whole,
)

TRICKY = ["", "a", "plain ASCII", "naïve café — 日本語 🎉", "line\n\n\ttab  two spaces ", "<|endoftext|> is text here"]
LONG = "The number 12345 follows 12344 and so on and so on and so on, " * 3


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


def test_untrained_models_of_a_recipe_depend_on_the_seed_alone() -> None:
    def build(seed: int) -> dict[str, Tensor]:
        torch.manual_seed(seed)
        return weights(CausalLM.from_architecture({"n_layer": 1, "n_embd": 8, "n_head": 1}, texts()))

    assert same(build(0), build(0))
    assert not same(build(0), build(1))
