"""Texts as rows that are masked and restored, their pseudo-likelihood, and texts made by iterative unmasking."""

import itertools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from bench.dataset import Items
from bench.errors import CheckpointError, NotApplicable
from bench.families import _masks
from bench.families.masked_lm import MaskedLM
from tests.models import CONTEXT, batch_of, outputs, same, saved, texts, weights, whole
from tests.models import network as causal_network
from tests.small.masked_lm import ARCHITECTURES, masked_model, network, tokenizer

TRICKY = ["", "a", "plain ASCII", "naïve café — 日本語 🎉", "line\n\n\ttab  two spaces ", "<|mask|> is text here"]
LONG = "The number 12345 follows 12344 and so on and so on and so on, " * 3
ALL = pytest.mark.parametrize("kind", sorted(ARCHITECTURES))


def load(folder: Path, **options: Any) -> MaskedLM:
    return MaskedLM.from_checkpoint(str(folder), revision=None, trust_remote_code=False, **options)


def drawn(model: MaskedLM, items: Items, seed: int = 0) -> dict[str, torch.Tensor]:
    return model.draw(whole(model, items), torch.Generator().manual_seed(seed))


# Rows -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("context", [1, 3, CONTEXT, 500])
def test_decoding_undoes_encoding(context: int) -> None:
    model = masked_model(context=context)
    assert model.decode(model.encode([*TRICKY, LONG])) == [*TRICKY, LONG]


def test_every_token_stands_in_one_row_between_the_marks() -> None:
    model = masked_model()
    rows, tokens = model.encode([LONG]), model.tokenizer(LONG)["input_ids"]
    held = [ids[:length].tolist() for ids, length in zip(rows["input_ids"], rows["length"], strict=True)]
    assert [token for row in held for token in row[1:-1]] == tokens
    assert {(row[0], row[-1]) for row in held} == {(model.tokenizer.bos_token_id, model.tokenizer.eos_token_id)}
    assert int(rows["text"].sum()) == len(tokens)
    assert rows["length"].max() == CONTEXT + 2


@pytest.mark.parametrize(("kind", "places"), [("bert", 32), ("roberta", 31), ("mpnet", 30)])
def test_rows_end_where_the_networks_places_do(kind: str, places: int) -> None:
    """RoBERTa counts places from the one of padding, so it has fewer than it has embeddings for."""
    model = masked_model(kind, context=1000)
    assert (model.limit, model.context) == (places, places - 2)
    assert torch.isfinite(model.nll(whole(model, [LONG]))[0]).all()


def test_cut_rows_have_their_marks_and_fewer_tokens() -> None:
    model = masked_model()
    batch = whole(model, ["a", LONG])
    cut = model.coarser(batch, 0.5)
    assert cut["text"].max() == CONTEXT // 2
    assert cut["input_ids"].shape[1] == CONTEXT // 2 + 2
    for ids, length in zip(cut["input_ids"], cut["length"], strict=True):
        assert ids[length - 1] == model.behind[0]


# Masks ----------------------------------------------------------------------------------------------------------------


def test_masks_are_of_the_text_one_at_least_and_of_all_shares() -> None:
    model, items = masked_model(context=20), [*texts(300).train, ""]
    batch = drawn(model, items)
    masked = model._masked(batch)
    assert not (masked & ~model._inside(batch)).any()
    counts, whole_text = masked.sum(1)[batch["text"] > 0], batch["text"][batch["text"] > 0]
    assert counts.min() >= 1
    shares = counts / whole_text
    for tenth in range(10):
        assert (shares > tenth / 10).float().mean() == pytest.approx(1 - tenth / 10, abs=0.12)


def test_a_fixed_share_is_the_share() -> None:
    model = masked_model(context=20, masking=0.15)
    batch = drawn(model, texts(500).train)
    assert float(model._masked(batch).sum() / batch["text"].sum()) == pytest.approx(0.15, abs=0.02)


def test_what_is_masked_is_not_seen_and_all_else_is() -> None:
    model = masked_model()
    batch = drawn(model, texts().test)
    masked = model._masked(batch)
    other = batch | {"input_ids": torch.where(masked, (batch["input_ids"] + 7) % 250 + 3, batch["input_ids"])}
    with torch.no_grad():
        assert torch.equal(model(batch), model(other))
        place = tuple((model._inside(batch) & ~masked).nonzero()[0])
        other["input_ids"][place] += 1
        assert not torch.equal(model(batch), model(other))


def test_loss_is_the_mean_over_masked_tokens() -> None:
    model = masked_model()
    batch = drawn(model, [*texts().test, ""])
    masked = model._masked(batch)
    with torch.no_grad():
        logits = model(batch)
        expected = F.cross_entropy(logits[masked], batch["input_ids"][masked])
        assert float(model.loss(batch, logits)) == pytest.approx(float(expected), rel=1e-5)
    assert model.units(batch) == int(masked.sum())


def test_spoilt_tokens_are_asked_for_too() -> None:
    model, generator = masked_model(), torch.Generator().manual_seed(0)
    clean = whole(model, texts().train)
    batch = model.draw(model.corrupted(clean, 0.5, generator), generator)
    changed = batch["input_ids"] != clean["input_ids"]
    assert changed.any()
    assert not (changed & ~model._inside(batch)).any(), "the marks stay"
    asked = model._masked(batch) | changed
    with torch.no_grad():
        logits = model(batch)
    expected = F.cross_entropy(logits[asked], clean["input_ids"][asked])
    assert float(model.loss(batch, logits)) == pytest.approx(float(expected), rel=1e-5)
    assert model.units(batch) == int(asked.sum())


def test_divergence_is_that_of_masked_places() -> None:
    model = masked_model()
    batch = drawn(model, texts().test)
    torch.manual_seed(0)
    with torch.no_grad():
        ours = model(batch)
        theirs = ours + torch.randn_like(ours)
        found = float(model.divergence(batch, ours, theirs, 2.0))
    p, q = (logits[model._masked(batch)].double().div(2).softmax(-1) for logits in (theirs, ours))
    assert found == pytest.approx(4 * float((p * (p / q).log()).sum(-1).mean()), rel=1e-4)
    assert float(model.divergence(batch, ours, ours)) == pytest.approx(0, abs=1e-6)


# Pseudo-likelihood ----------------------------------------------------------------------------------------------------


@ALL
def test_pseudo_likelihood_masks_each_token_in_turn(kind: str) -> None:
    """As it is done one token at a time, without padding and neighbours."""
    model, items = masked_model(kind), ["Hi there", "The number 5 follows 4.", ""]
    with torch.no_grad():
        nats, count = model.nll(whole(model, items))
        for text, found, number in zip(items, nats.tolist(), count.tolist(), strict=True):
            ids = torch.tensor([[*model.before, *model.tokenizer(text)["input_ids"], *model.behind]])
            expected = 0.0
            for place in range(1, ids.shape[1] - 1):
                hidden = ids.clone()
                hidden[0, place] = model.mask
                expected -= float(model.network(input_ids=hidden).logits[0, place].log_softmax(-1)[ids[0, place]])
            assert number == ids.shape[1] - 2
            assert found == pytest.approx(expected, rel=1e-4)


def test_pseudo_likelihood_does_not_depend_on_how_much_fits_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    model = masked_model()
    batch = whole(model, texts().test)
    with torch.no_grad():
        all_at_once, _ = model.nll(batch)
        monkeypatch.setattr("bench.families.masked_lm._AT_ONCE", 1)
        one_by_one, _ = model.nll(batch)
    assert all_at_once.tolist() == pytest.approx(one_by_one.tolist(), rel=1e-5)


# Unmasking ------------------------------------------------------------------------------------------------------------


def unmask(logits: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor, steps: int, **options: Any) -> Any:
    """And how many masks each pass was given, row by row."""
    seen: list[list[int]] = []

    def said(ids: torch.Tensor) -> torch.Tensor:
        seen.append((ids == 0).sum(1).tolist())
        return logits(ids)

    known: dict[str, Any] = {"forbidden": torch.arange(50) < 1, "temperature": 1.0, "choice_temperature": 0.0}
    known |= {"generator": torch.Generator().manual_seed(0)} | options
    return _masks.unmask(said, torch.where(hidden, 0, 49), hidden, steps, **known), seen


def even(ids: torch.Tensor) -> torch.Tensor:
    return torch.zeros(*ids.shape, 50)


def test_masks_go_by_the_cosine_schedule() -> None:
    hidden = torch.arange(100) < torch.tensor([[100], [10], [3], [0]])
    ids, seen = unmask(even, hidden, 8)
    expected = [[100, 10, 3, 0]]
    for step in range(1, 8):
        left = (int(n * math.cos(math.pi / 2 * step / 8)) for n in (100, 10, 3, 0))
        expected.append([max(0, min(now, before - 1)) for now, before in zip(left, expected[-1], strict=True)])
    assert seen == expected
    assert not (ids == 0).any(), "no mask is left, and what is forbidden is not drawn"
    assert torch.all(ids[~hidden] == 49), "what was not hidden stays"


def test_the_surest_tokens_stay() -> None:
    """Places further left are surer; those that stay are never drawn again."""

    choices = (
        torch.arange(50)[None] <= 1 + torch.arange(16)[:, None]
    )  # of 1 token at the first place, of 16 at the last

    history: list[torch.Tensor] = []

    def noted(ids: torch.Tensor) -> torch.Tensor:
        history.append(ids)
        return choices.float().log().expand(*ids.shape, 50)

    unmask(noted, torch.ones(1, 16, dtype=torch.bool), 4)
    for ids in history:
        masked = (ids[0] == 0).tolist()
        assert masked == sorted(masked), "masks are to the right of what is known"
    for before, after in itertools.pairwise(history):
        assert torch.equal(after[before > 0], before[before > 0])


def test_noise_on_the_choice_makes_another_order() -> None:
    hidden = torch.ones(1, 40, dtype=torch.bool)
    first = [unmask(even, hidden, 1)[0], unmask(even, hidden, 1, choice_temperature=4.5)[0]]
    assert torch.equal(*first), "in the only step there is no noise"
    ids, other = (unmask(even, hidden, 8, choice_temperature=value)[0] for value in (0.0, 4.5))
    assert not torch.equal(ids, other)


def test_one_step_draws_from_the_models_distribution() -> None:
    chances = torch.tensor([0.0, 0.5, 0.3, 0.2] + [0.0] * 46)
    ids, _ = unmask(lambda ids: chances.log().expand(*ids.shape, 50), torch.ones(100, 100, dtype=torch.bool), 1)
    found = torch.bincount(ids.flatten(), minlength=50) / 10_000
    assert found[:4].tolist() == pytest.approx([0.0, 0.5, 0.3, 0.2], abs=0.02)


def test_samples_are_as_long_as_their_rows_and_the_seeds() -> None:
    model = masked_model()
    batch = whole(model, texts().test)
    with torch.inference_mode():
        one, again, other = (model.sample(batch, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(one["input_ids"], again["input_ids"])
    assert not torch.equal(one["input_ids"], other["input_ids"])
    assert torch.equal(one["text"], batch["text"])
    inside = model._inside(batch)
    assert torch.equal(one["input_ids"][~inside], batch["input_ids"][~inside])
    assert not torch.isin(one["input_ids"][inside], torch.tensor(model.tokenizer.all_special_ids)).any()


def test_what_is_known_of_a_row_is_its_length() -> None:
    model = masked_model()
    batch = whole(model, texts().test)
    inside = model._inside(batch)
    other = batch | {"input_ids": torch.where(inside, 100, batch["input_ids"])}
    with torch.inference_mode():
        one, two = (model.sample(rows, torch.Generator().manual_seed(0)) for rows in (batch, other))
    assert torch.equal(one["input_ids"], two["input_ids"])


def test_in_full_every_row_is_as_long_as_can_be() -> None:
    model = masked_model()
    with torch.inference_mode():
        made = model.sample_in_full(whole(model, ["a", "Hello there"]), torch.Generator())
    assert made["input_ids"].shape == (2, CONTEXT + 2)
    assert made["text"].tolist() == [CONTEXT] * 2
    assert torch.all(made["input_ids"][:, -1] == model.behind[0])
    assert not (made["input_ids"] == model.mask).any()


# Models ---------------------------------------------------------------------------------------------------------------


@ALL
def test_blocks_hold_every_weight_and_layers_are_found(kind: str) -> None:
    model = masked_model(kind)
    blocks = model.blocks()
    assert len(blocks) == 6
    assert {weight for block in blocks for weight in block.parameters()} == set(model.network.parameters())
    assert model.network.get_input_embeddings().weight in set(blocks[0].parameters())
    assert model.generating_end()[0].weight in set(model.network.parameters())


@ALL
def test_student_is_smaller_and_runs(kind: str) -> None:
    model = masked_model(kind)
    student = model.student().eval()
    assert len(student.blocks()) < 6
    assert torch.isfinite(outputs(student, texts())).all()
    assert not set(student.parameters()) & set(model.parameters())


@ALL
def test_saving_and_loading_change_nothing(kind: str, tmp_path: Path) -> None:
    model = masked_model(kind)
    again = load(saved(model, tmp_path), context=CONTEXT)
    assert same(weights(model), weights(again))
    assert again.encoding() == model.encoding()
    assert torch.equal(outputs(model, texts()), outputs(again.eval(), texts()))


@pytest.mark.parametrize("kind", sorted(ARCHITECTURES))
def test_a_recipe_trains_and_keeps_its_tokenizer(kind: str, tmp_path: Path) -> None:
    architecture = {"model_type": kind, "vocab_size": 280, "num_hidden_layers": 2} | ARCHITECTURES[kind]
    model = MaskedLM.from_architecture(architecture, texts(), context=CONTEXT)
    batch = batch_of(model, texts())
    model.loss(batch, model(batch)).backward()
    again = load(saved(model, tmp_path), context=CONTEXT)
    assert torch.equal(again.encode([LONG])["input_ids"], model.encode([LONG])["input_ids"])


def test_a_fresh_model_has_nothing_of_the_old() -> None:
    model = masked_model()
    old, new = weights(model), weights(model.fresh())
    assert old.keys() == new.keys()
    assert not any((old[name] == new[name]).any() for name in old if new[name].numel() > 1 and name.endswith("weight"))


def test_one_layer_has_no_smaller_student() -> None:
    with pytest.raises(NotApplicable, match="a model of 1 layer has no smaller student"):
        masked_model(layers=1).student()


# What will not do -----------------------------------------------------------------------------------------------------


def no_weights(folder: Path) -> None:
    (saved(masked_model(), folder) / "model.safetensors").unlink()


def pickle_only(folder: Path) -> None:
    no_weights(folder)
    torch.save(masked_model().network.state_dict(), folder / "pytorch_model.bin")


def cut_short(folder: Path) -> None:
    path = saved(masked_model(), folder) / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-1000])


def no_head(folder: Path) -> None:
    network().bert.save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def no_mask(folder: Path) -> None:
    bare = saved(masked_model(), folder) / "tokenizer_config.json"
    known = json.loads(bare.read_text())
    known.pop("mask_token")
    bare.write_text(json.dumps(known))


def another_tokenizer(folder: Path) -> None:
    network(vocab_size=50).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def causal(folder: Path) -> None:
    network(is_decoder=True).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def of_another_family(folder: Path) -> None:
    causal_network("gpt2").save_pretrained(folder)
    tokenizer().save_pretrained(folder)


def encoder_decoder(folder: Path) -> None:
    from transformers import AutoConfig, AutoModelForMaskedLM

    sizes = {"d_model": 16, "encoder_layers": 1, "decoder_layers": 1, "encoder_ffn_dim": 16, "decoder_ffn_dim": 16}
    heads = {"encoder_attention_heads": 2, "decoder_attention_heads": 2, "max_position_embeddings": 32}
    marks = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 0, "decoder_start_token_id": 0}
    config = AutoConfig.for_model("bart", vocab_size=len(tokenizer()), **sizes, **heads, **marks)
    AutoModelForMaskedLM.from_config(config).save_pretrained(folder)
    tokenizer().save_pretrained(folder)


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (no_weights, "safetensors"),
        (pickle_only, "safetensors"),
        (cut_short, "not a masked language model"),
        (no_head, "no weights for cls"),
        (no_mask, "no mask token"),
        (another_tokenizer, "has the token .*, the network knows 50 tokens"),
        (causal, "sees only what stands before.*is_decoder"),
        (of_another_family, "not a masked language model"),
        (encoder_decoder, "take the family seq2seq"),
    ],
)
def test_a_checkpoint_that_will_not_do(spoil: Callable[[Path], None], said: str, tmp_path: Path) -> None:
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=said) as caught:
        load(tmp_path)
    assert "\n" not in str(caught.value)
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize(
    "architecture",
    [
        {"model_type": "no_such_model"},
        {"model_type": "gpt2"},
        {"hidden_size": "wide"},
        {"hidden_size": 10, "num_attention_heads": 3},
        {"hiden_size": 16},
    ],
)
def test_an_architecture_that_will_not_do(architecture: dict[str, Any]) -> None:
    with pytest.raises(CheckpointError, match="architecture") as caught:
        MaskedLM.from_architecture(architecture, texts())
    assert "\n" not in str(caught.value)
