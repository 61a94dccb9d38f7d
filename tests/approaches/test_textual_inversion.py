"""New words train; nothing else does."""

from typing import Any

import pytest
import torch

from bench.dataset import Columns
from bench.errors import PluginError
from bench.transfer import Transfer
from tests.models import fitted, prepare, same, transfer_of, weights
from tests.small.text_to_image import data, model


def transfer_in(steps: int = 6, **options: Any) -> Transfer:
    known = transfer_of(model(), data(), steps=steps, validations=1, learning_rate=1e-2)
    return prepare(known, "textual_inversion", textual_inversion=options)


@pytest.mark.parametrize("words", [1, 3])
def test_only_the_new_words_train(words: int) -> None:
    transfer = transfer_in(words=words)
    [weight] = transfer.trainable()
    assert weight.shape == (words, 8)
    before, known = weight.detach().clone(), weights(model())
    with transfer.having(stages=[]):
        transfer.practise("all of it", 6)  # the last weights, not those that validate best
    assert not any(torch.equal(one, other) for one, other in zip(before, weight, strict=True))
    after = {name.replace(".known.", "."): value for name, value in weights(transfer.model).items()}
    after.pop("network.text_encoder.embeddings.token_embedding.new")
    assert same(known, after)


def test_they_stand_before_every_caption_and_are_read() -> None:
    transfer = transfer_in(words=2)
    transfer_model: Any = transfer.model
    rows = transfer_model.encode(transfer.data.test)
    known = len(transfer_model.tokenizer)
    assert rows["caption_ids"][:, 1:3].tolist() == [[known, known + 1]] * len(rows["item"])
    assert isinstance(transfer.data.test, Columns)
    assert transfer_model.decode(rows)["caption"] == transfer.data.test["caption"]
    read = transfer_model.network.text_encoder
    ids = rows["caption_ids"][:1].long()
    with torch.no_grad():
        before = read(ids).last_hidden_state
        transfer.trainable()[0].add_(torch.randn(8))
        assert not torch.allclose(before, read(ids).last_hidden_state, atol=1e-3)


def test_they_start_as_a_known_word_or_as_the_mean_of_what_captions_say() -> None:
    plain: Any = model()
    known = plain.network.get_input_embeddings().weight.detach()
    [bar] = plain.tokens("bar")
    [weight] = transfer_in(initial="bar", words=2).trainable()
    assert torch.allclose(weight, known[[bar, bar]])
    captions = data().train["caption"]  # type: ignore[call-overload]
    mean = torch.stack([known[token] for caption in captions for token in plain.tokens(caption)]).mean(0)
    [weight] = transfer_in().trainable()
    assert torch.allclose(weight[0], mean, atol=1e-6)


def test_known_words_mean_what_they_meant() -> None:
    plain: Any = model()
    changed: Any = transfer_in().model
    ids = plain.encode(data().test)["caption_ids"].long()
    with torch.no_grad():
        wanted = plain.network.text_encoder(ids).last_hidden_state
        assert torch.equal(changed.network.text_encoder(ids).last_hidden_state, wanted)


def test_what_is_stored_is_the_new_words() -> None:
    stored = fitted(transfer_in(words=2)).stored()
    assert [tuple(tensor.shape) for tensor in stored.values()] == [(2, 8)]


def test_a_beginning_that_is_no_word_is_refused() -> None:
    with pytest.raises(PluginError, match="option 'initial': ' ' will not do"):
        transfer_in(initial=" ")
