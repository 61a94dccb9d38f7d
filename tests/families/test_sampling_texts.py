"""Samples of language models: random, repeatable, and ended where they say."""

import math

import pytest
import torch
from transformers import GenerationConfig

from bench.families.causal_lm import CausalLM
from bench.model import Batch
from tests.models import CONTEXT, batch_of, language_model, network, texts, tokenizer, whole

LONG = "The number 12345 follows 12344 and so on and so on and so on, " * 3


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


def test_what_is_timed_never_ends_early() -> None:
    model = language_model(sizes={"tie_word_embeddings": False}, max_new_tokens=12)
    biased(model, end=2.0)
    with torch.inference_mode():
        batch = model.sample_in_full(batch_of(model, texts(), 4), torch.Generator().manual_seed(0))
    assert batch["text"].tolist() == [12] * 4


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
    assert drawn["input_ids"].shape[1] <= given + 8, "and no more of it"
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
