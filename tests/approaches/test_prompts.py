"""Learned vectors before each row: words, keys and values that nobody said, and no weight of the network changed."""

import re
from importlib.metadata import version
from typing import Any

import pytest
import torch
from torch import Tensor

from bench.approaches import _key_values
from bench.errors import Incompatible, NotApplicable, PluginError
from bench.families.causal_lm import CausalLM
from bench.transfer import Transfer
from tests.models import (
    ARCHITECTURES,
    batch_of,
    fitted,
    language_model,
    outputs,
    prepare,
    same,
    texts,
    transfer_of,
    weights,
    whole,
)
from tests.prompts import Positions, greedy

BOTH = pytest.mark.parametrize("approach", ["prompt_tuning", "prefix_tuning"])
LIMIT = 32  # positions of the tiny GPT-2
UNFIT = {"prompt_tuning": {"mamba"}, "prefix_tuning": {"mamba", "qwen3_next"}}
WORDS = "The number 7 follows"


def prompted(model: CausalLM, approach: str, steps: int = 3, **options: Any) -> Transfer:
    return prepare(transfer_of(model, texts(), steps=steps), approach, **{approach: options})


def vectors(model: CausalLM) -> Tensor:
    """What the prompt consists of, a row for each position it takes."""
    learned: Tensor = model.network.prompt_encoder["default"].embedding.weight
    return learned


# What they are -------------------------------------------------------------------------------------------------------


def words_as_vectors(kind: str, approach: str) -> tuple[CausalLM, CausalLM]:
    """A model whose prompt is made to be what it would make of some words, and one that is shown these words."""
    shown, model = greedy(kind), greedy(kind)
    shown.show([WORDS], most=100)
    ids = shown.shown[None]
    with torch.no_grad():
        kept: Any = _key_values.kept(model.network(input_ids=ids, use_cache=True))
        prompted(model, approach, tokens=ids.shape[1], **{"projection": False} if approach == "prefix_tuning" else {})
        if approach == "prompt_tuning":
            vectors(model).copy_(model.network.get_input_embeddings()(ids[0]))
        else:
            kept = torch.stack([part[0] for layer in kept.layers for part in (layer.keys, layer.values)])
            vectors(model).copy_(kept.permute(2, 0, 1, 3).flatten(1))  # position, key or value, head, width
    return model, shown


@BOTH
@pytest.mark.parametrize("kind", ["gpt2", "llama", "qwen3", "opt", "bloom"])
def test_vectors_that_words_would_become_do_what_these_words_do(approach: str, kind: str) -> None:
    model, shown = words_as_vectors(kind, approach)
    assert torch.allclose(outputs(model, texts()), outputs(shown, texts()), atol=1e-5)
    with torch.inference_mode():
        one, other = (each.sample(batch_of(each, texts()), torch.Generator()) for each in (model, shown))
    assert torch.equal(one["input_ids"], other["input_ids"])


def test_a_prompt_starts_as_words_or_as_noise() -> None:
    table = language_model().network.get_input_embeddings().weight
    for init, known in (("vocabulary", True), ("random", False)):
        model = language_model()
        prompted(model, "prompt_tuning", init=init)
        found = [(row == table).all(1).any() for row in vectors(model)]
        assert len(found) == 20
        assert all(found) if known else not any(found)


def test_a_prefix_is_what_its_network_makes_of_it() -> None:
    one, other = language_model(), language_model()
    prompted(one, "prefix_tuning", tokens=5, hidden=7)
    prompted(other, "prefix_tuning", tokens=5, projection=False)
    into, _, out = one.network.prompt_encoder["default"].transform
    assert (into.out_features, out.out_features) == (7, 2 * 4 * 16)
    assert vectors(other).shape == (5, 2 * 4 * 16), "keys and values of each of four layers"


# What they change -----------------------------------------------------------------------------------------------------


@BOTH
def test_the_vectors_learn_and_no_weight_of_the_network_changes(approach: str) -> None:
    model = language_model()
    network, before, plain = model.network, weights(model), outputs(model, texts())
    transfer = prompted(model, approach, steps=6)
    start = vectors(model).detach().clone()
    assert {name.split(".")[1] for name in transfer.stored()} == {"prompt_encoder"}
    fitted(transfer)
    assert not torch.allclose(start, vectors(model), atol=1e-4)
    assert same(before, {f"network.{name}": value for name, value in network.state_dict().items()})
    losses = [row["validation_loss"] for row in transfer.curve if "validation_loss" in row]
    assert losses[-1] < losses[0]
    model.network = network
    assert torch.equal(plain, outputs(model, texts())), "without them it is the pretrained model"


@BOTH
def test_a_new_head_trains_beside_them(approach: str) -> None:
    model = language_model()
    transfer = prepare(transfer_of(model, texts()), f"feature_extraction + {approach}")
    head, _ = model.generating_end()[0].weight, model.blocks()
    assert {id(weight) for weight in transfer.trainable()} >= {id(head), id(vectors(model))}


# Where they stand -----------------------------------------------------------------------------------------------------


@BOTH
def test_no_position_is_beyond_the_models_and_every_token_is_predicted_once(approach: str) -> None:
    model = language_model(context=LIMIT, max_new_tokens=LIMIT)
    tokens = sum(len(ids) for ids in model.tokenizer(texts().test)["input_ids"])
    with Positions(model) as positions:
        fitted(prompted(model, approach, tokens=5))
        batch = whole(model, texts().test)
        with torch.inference_mode():
            assert int(model.nll(batch)[1].sum()) == tokens
            drawn = model.sample_in_full(batch, torch.Generator().manual_seed(0))
    assert model.decode(batch) == texts().test
    assert model.context == model.limit == LIMIT - 5
    assert positions.highest == LIMIT - 1
    assert drawn["input_ids"].shape[1] == model.limit + 1


@BOTH
def test_outputs_are_those_of_the_row_alone(approach: str) -> None:
    model = language_model()
    before = outputs(model, texts()).shape
    prompted(model, approach, tokens=3)
    assert outputs(model, texts()).shape == before


# On which networks ----------------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_samples_follow_what_the_model_says_of_a_text(approach: str, kind: str) -> None:
    """Or it is said why the network will not do."""
    model = greedy(kind)
    if kind in UNFIT[approach]:
        with pytest.raises((NotApplicable, Incompatible)) as refused:
            prompted(model, approach, tokens=4)
        # a prefix needs keys and values to be among; vectors before a row have a meaning wherever rows are read
        if approach == "prefix_tuning":
            assert re.search(r"For\w+ has layers without keys", str(refused.value))
        else:
            assert refused.type is Incompatible
            said = re.escape(f"(with peft {version('peft')} and transformers {version('transformers')})")
            assert re.search(rf"^prompt_tuning does not run on \w+: .*{said}$", str(refused.value))
        return
    transfer = prompted(model, approach, tokens=4)
    learned = transfer.trainable()
    with torch.inference_mode():
        drawn = model.sample(batch_of(model, texts()), torch.Generator())
        likeliest = model(drawn).argmax(-1)
    for ids, said, length in zip(drawn["input_ids"], likeliest, drawn["length"], strict=True):
        assert torch.equal(ids[1:length], said[: length - 1])
    batch = batch_of(model, texts())
    gradients = torch.autograd.grad(model.loss(batch, model(batch)), learned)
    assert all(float(gradient.abs().sum()) > 0 for gradient in gradients), "every vector matters"


@BOTH
def test_more_vectors_than_positions_is_one_line(approach: str) -> None:
    with pytest.raises(
        PluginError, match=rf"^approach {approach}: option 'tokens': 31 will not do; .*ask for 1 to 30$"
    ):
        prompted(language_model(), approach, tokens=31)
    prompted(language_model(), approach, tokens=30)
