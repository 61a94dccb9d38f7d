"""Examples in the context: seen by everything that is scored and sampled, and nothing learned from them."""

from typing import Any

import pytest
import torch

from bench.dataset import Items
from bench.errors import PluginError
from bench.families.causal_lm import CausalLM
from tests.models import batch_of, language_model, prepare, same, texts, transfer_of, weights, whole
from tests.prompts import Positions, greedy

LIMIT = 32  # positions of the tiny GPT-2


def prompted(model: CausalLM, seed: int = 0, train: int = 12, **options: Any) -> CausalLM:
    prepare(transfer_of(model, texts(train), seed=seed), "few_shot_prompting", few_shot_prompting=options)
    return model


def shown(seed: int = 0, train: int = 12, share: float = 0.9, **options: Any) -> Items:
    """The examples that stand in the context, as texts."""
    model = prompted(language_model(sizes={"n_positions": 256}), seed, train, share=share, **options)
    said: str = model.tokenizer.decode(model.shown)
    return said.removeprefix(model.tokenizer.decode([model.start])).split(model.tokenizer.decode([model.start]))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "mamba"])
def test_a_row_is_read_after_the_examples(kind: str) -> None:
    plain, model = language_model(kind), prompted(language_model(kind))
    before = len(model.shown)
    assert before > 10
    batch = whole(model, texts().test)
    with torch.no_grad():
        for ids, length, said in zip(batch["input_ids"], batch["length"], model(batch), strict=True):
            read = torch.cat([model.shown, ids[: length - 1]])
            wanted = plain.network(input_ids=read[None], use_cache=False).logits[0, before:]
            assert torch.allclose(said[: length - 1], wanted, atol=1e-5)
        assert not torch.allclose(model(batch), plain(batch), atol=1e-3), "they make a difference"


def test_the_likelihood_is_that_of_the_tokens_after_the_examples() -> None:
    """The chain rule: log p(examples, text) = log p(examples) + log p(text | examples)."""
    text, plain = "Hi there", language_model()
    model = prompted(language_model())
    tokens = whole(plain, [text])["input_ids"][0, :-1]
    joint = torch.cat([model.shown, tokens])
    with torch.no_grad():
        nats, _ = model.nll(whole(model, [text]))
        logits = plain.network(input_ids=joint[None]).logits[0, :-1].double().log_softmax(-1)
    each = -logits.gather(1, joint[1:, None])[:, 0]
    assert float(nats) == pytest.approx(float(each[len(model.shown) :].sum()), rel=1e-5)


def test_every_token_is_predicted_once_and_no_position_is_beyond_the_models() -> None:
    model = language_model(context=LIMIT, max_new_tokens=LIMIT)
    tokens = sum(len(ids) for ids in model.tokenizer(texts().test)["input_ids"])
    with Positions(model) as positions:
        prompted(model)
        batch = whole(model, texts().test)
        assert int(model.nll(batch)[1].sum()) == tokens
        with torch.inference_mode():
            drawn = model.sample_in_full(batch, torch.Generator().manual_seed(0))
    assert model.decode(batch) == texts().test
    assert model.context == model.limit == LIMIT - len(model.shown)
    assert positions.highest == LIMIT - 1
    assert drawn["input_ids"].shape[1] == model.limit + 1


def test_rows_keep_their_length_where_there_is_room() -> None:
    model = prompted(language_model(sizes={"n_positions": 256}), shots=2)
    assert (model.context, model.limit) == (language_model().context, 256 - len(model.shown))


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bloom"])
def test_samples_go_on_after_the_examples(kind: str) -> None:
    """Each token is the likeliest by the forward pass, and the examples are no part of the sample."""
    model = prompted(greedy(kind))
    with torch.inference_mode():
        drawn = model.sample(batch_of(model, texts()), torch.Generator())
        likeliest = model(drawn).argmax(-1)
    assert torch.all(drawn["input_ids"][:, 0] == model.start)
    for ids, said, length in zip(drawn["input_ids"], likeliest, drawn["length"], strict=True):
        assert torch.equal(ids[1:length], said[: length - 1])


def test_it_takes_no_step_and_changes_no_weight() -> None:
    model = language_model()
    before = weights(model)
    transfer = prepare(transfer_of(model, texts()), "few_shot_prompting")
    transfer.run()
    assert (transfer.taken, transfer.examples, transfer.curve) == (0, 0, [])
    assert same(before, weights(model))


def test_examples_are_whole_texts_of_what_may_be_learned_from() -> None:
    assert set(shown(train=9, shots=4)) <= set(texts(9).train)
    assert len(shown(shots=4)) == 4
    assert sorted(shown(train=3, shots=10)) == sorted(texts(3).train), "no more than there are, none twice"


def test_they_take_their_share_and_no_more() -> None:
    sizes = [len(prompted(language_model(sizes={"n_positions": 256}), share=share).shown) for share in (0.2, 0.4)]
    assert 25 < sizes[0] <= 51
    assert 76 < sizes[1] <= 102


def test_the_choice_is_the_seeds() -> None:
    assert shown(seed=0) == shown(seed=0)
    assert set(shown(seed=0, train=12, shots=3)) != set(shown(seed=1, train=12, shots=3))


def test_the_order_is_as_asked_and_changes_nothing_else() -> None:
    random, short, long = (shown(order=order) for order in ("random", "shortest first", "longest first"))
    count = language_model().lengths
    assert set(random) == set(short) == set(long)
    assert count(short) == sorted(count(random))
    assert count(long) == sorted(count(random), reverse=True)
    assert random not in (short, long)


def test_where_none_fits_the_shortest_is_cut() -> None:
    model = prompted(language_model(), share=0.2)
    assert len(model.shown) == int(0.2 * LIMIT)
    shortest = min(texts().train, key=lambda text: model.lengths([text])[0])
    assert shortest.startswith(model.tokenizer.decode(model.shown[1:]))


def test_no_room_is_one_line() -> None:
    with pytest.raises(PluginError, match=r"approach few_shot_prompting: option 'share': 0.0 will not do; \S+"):
        prompted(language_model(), share=0.0)
