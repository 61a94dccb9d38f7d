"""Hidden features: whose, from which pass, and which of their positions count."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from bench.approaches._features import Tap, chosen, pooled, vectors
from bench.errors import PluginError
from bench.model import Batch, Model
from tests.models import (
    ARCHITECTURES,
    EXEMPLARS,
    batch_of,
    data_of,
    fitted,
    language_model,
    model_of,
    pool_of,
    prepare,
    source_of,
    texts,
    transfer_of,
    unet,
)


@pytest.fixture
def taps(monkeypatch: pytest.MonkeyPatch) -> list[Tap]:
    """All that are made from now on."""
    found: list[Tap] = []
    made = Tap.__init__

    def noted(tap: Tap, model: Model, numbers: list[int], *, learning: bool = True) -> None:
        made(tap, model, numbers, learning=learning)
        found.append(tap)

    monkeypatch.setattr(Tap, "__init__", noted)
    return found


@pytest.mark.parametrize("kind", ARCHITECTURES)
def test_every_layer_of_a_language_model_hands_on_features(kind: str) -> None:
    model = language_model(kind)
    transfer, batch = transfer_of(model, texts()), batch_of(model, texts())
    numbers = chosen(transfer, "delta", "all")
    tap = Tap(model, numbers)
    outputs = model(batch)
    assert numbers == [1, 2, 3, 4]
    assert {features.shape for features in tap.take(outputs)} == {(4, batch["input_ids"].shape[1] - 1, 16)}
    assert chosen(transfer, "delta", "features") == [4]


def test_the_last_features_of_a_language_model_are_what_its_head_reads() -> None:
    model = language_model()
    tap, batch = Tap(model, chosen(transfer_of(model, texts()), "delta", "features")), batch_of(model, texts())
    outputs = model(batch)
    (features,) = tap.take(outputs)
    network = model.network
    assert torch.equal(network.lm_head(network.transformer.ln_f(features)), outputs)


def test_the_features_of_a_u_net_are_those_of_its_narrowest_place() -> None:
    model = unet()
    transfer, batch = transfer_of(model, data_of("diffusion")), batch_of(model, data_of("diffusion"))
    numbers = chosen(transfer, "delta", "features")
    tap = Tap(model, numbers)
    outputs = model(batch)
    assert [model.blocks()[number] for number in numbers] == [model.network.mid_block]
    (features,) = tap.take(outputs)
    assert vectors(batch, features).shape == (4 * 4 * 4, 16), "a vector for each pixel"
    assert torch.allclose(pooled(batch, features), features.mean((2, 3)), atol=1e-6)


def test_of_texts_only_real_positions_count() -> None:
    model = language_model()
    tap, batch = Tap(model, [4]), batch_of(model, texts(), rows=6)
    padding = torch.arange(batch["input_ids"].shape[1]) >= batch["length"][:, None]
    assert padding.any()
    assert not padding.all(1).any()
    seen = []
    for padded in (batch["input_ids"], torch.where(padding, 7, batch["input_ids"])):
        changed = batch | {"input_ids": padded}
        (features,) = tap.take(model(changed))
        seen.append((features, vectors(changed, features), pooled(changed, features)))
    (one, real, means), (other, real_too, means_too) = seen
    assert not torch.allclose(one, other)
    assert torch.allclose(real, real_too, atol=1e-6)
    assert torch.allclose(means, means_too, atol=1e-6)
    assert len(real) == model.units(batch)
    first = one[0, : int(batch["length"][0]) - 1]
    assert torch.equal(real[: len(first)], first)
    assert torch.allclose(means[0], first.mean(0), atol=1e-6)


def test_what_stands_before_a_row_is_not_the_rows() -> None:
    model = language_model()
    batch = batch_of(model, texts())
    features = torch.randn(4, batch["input_ids"].shape[1] - 1, 16)
    after_others = torch.cat([torch.randn(4, 3, 16), features], dim=1)
    assert torch.equal(vectors(batch, after_others), vectors(batch, features))
    assert torch.allclose(pooled(batch, after_others), pooled(batch, features), atol=1e-6)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_only_training_passes_of_this_very_model_are_kept(family: str) -> None:
    model = model_of(family)
    batch = batch_of(model, data_of(family))
    tap = Tap(model, chosen(transfer_of(model, data_of(family)), "delta", "all"))
    with torch.no_grad():
        said = [model(batch)]
    with torch.inference_mode():
        model.sample(batch, torch.Generator().manual_seed(0))
    said.append(copy.deepcopy(model)(batch))
    for outputs in said:
        with pytest.raises(KeyError):
            tap.take(outputs)
    outputs = model(batch)
    kept = tap.take(outputs)
    assert all(features.requires_grad for features in kept)
    with pytest.raises(KeyError):
        tap.take(outputs)


@pytest.mark.parametrize("family", EXEMPLARS)
def test_features_belong_to_the_outputs_of_their_pass_and_go_with_them(family: str) -> None:
    model = model_of(family)
    tap = Tap(model, chosen(transfer_of(model, data_of(family)), "delta", "features"))
    one, other = (model(batch_of(model, data_of(family), rows)) for rows in (2, 3))
    assert len(tap.take(one)[0]) == 2
    assert len(tap._kept) == 1
    del other
    assert not tap._kept


@pytest.mark.parametrize("approach", ["delta + self_supervised + ewc", "ewc + domain_adaptation"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_no_features_are_left_of_a_step_when_the_next_begins(family: str, approach: str, taps: list[Tap]) -> None:
    """Not in a stage or a pass for gradients either, where no term asks for them."""
    transfer = transfer_of(model_of(family), data_of(family), steps=8, source=source_of(family), pool=pool_of(family))
    prepare(transfer, approach)
    collate, found, theirs = transfer.model.collate, list[int](), transfer.encode(source_of(family).train)

    def begin(rows: Batch, indices: Tensor) -> Batch:
        if rows["item"] is not theirs["item"]:  # those a step has beside its own
            found.append(sum(len(tap._kept) for tap in taps))
        return collate(rows, indices)

    transfer.model.collate = begin  # type: ignore[method-assign]
    fitted(transfer)
    assert {stage for stage, steps in transfer.spent.items() if steps} >= {"", "fisher"}
    assert len(found) >= 8
    assert not any(found)


@pytest.mark.parametrize("approach", ["delta", "domain_adaptation"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_nothing_is_kept_after_training(family: str, approach: str, taps: list[Tap]) -> None:
    transfer = fitted(prepare(transfer_of(model_of(family), data_of(family), source=source_of(family)), approach))
    batch = batch_of(transfer.model, transfer.data)
    with torch.inference_mode():
        transfer.model(batch)
        transfer.model.sample(batch, torch.Generator().manual_seed(0))
    assert taps
    assert not any(tap._kept for tap in taps)


@pytest.mark.parametrize("blocks", [[0], [-1], [2, 6], [-7], []])
@pytest.mark.parametrize("approach", ["delta", "domain_adaptation"])
def test_blocks_without_features_are_refused(approach: str, blocks: list[int]) -> None:
    """The embeddings and the head are lists of parts, through which no features pass as one."""
    transfer = transfer_of(language_model(), texts(), source=texts())
    with pytest.raises(PluginError, match=rf"approach {approach}: option 'blocks': .* blocks 1, 2, 3, 4 of this model"):
        prepare(transfer, approach, **{approach: {"blocks": blocks}})


@pytest.mark.parametrize("make", [language_model, unet])
def test_blocks_are_counted_from_either_end(make: Callable[[], Model]) -> None:
    transfer = transfer_of(make(), texts())
    assert chosen(transfer, "delta", [-2, 1, 4]) == [1, 4, *[len(transfer.model.blocks()) - 2][: make is unet]]
