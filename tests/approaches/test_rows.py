"""Rows of some items, how hard a model finds them, what it makes of them, and which lie far apart."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch

from bench.approaches import _rows
from bench.dataset import Items, take
from bench.model import Batch, Model
from bench.transfer import Transfer
from tests.models import data_of, language_model, pool_of, same, texts, transfer_of, unet, weights

FAMILIES = pytest.mark.parametrize("family", ["causal_lm", "diffusion"])


def short_rows(family: str) -> Model:
    """A model for which some texts are several rows."""
    return language_model(context=4) if family == "causal_lm" else unet()


def transfer_in(family: str, **budget: Any) -> Transfer:
    return transfer_of(short_rows(family), data_of(family), pool=pool_of(family), **budget)


def doubled(items: Items) -> Items:
    """Each item twice, one after the other."""
    return take(items, np.arange(len(items)).repeat(2))


@FAMILIES
def test_rows_of_items_are_as_if_these_alone_were_encoded(family: str) -> None:
    """In the order asked for, whatever number of rows each has."""
    model, pool = short_rows(family), pool_of(family)
    items = [7, 0, 20, 3, 4]
    assert (len(model.encode(pool)["item"]) > len(pool)) == (family == "causal_lm")
    found, wanted = _rows.of_items(model.encode(pool), torch.tensor(items)), model.encode(take(pool, np.array(items)))
    assert found.keys() == wanted.keys()
    assert all(torch.equal(found[name], wanted[name]) for name in wanted)


def test_an_items_impression_is_that_of_all_its_rows() -> None:
    rows = {"item": torch.tensor([0, 1, 1, 2])}
    each = _rows.Impression(torch.tensor([1.0, 2, 3, 4]), torch.tensor([1.0, 1, 4, 0]), torch.eye(4)[:, :2])
    sums, units, features = whole = each.by_item(rows)
    assert (sums.tolist(), units.tolist()) == ([1, 5, 4], [1, 5, 0])
    assert features.tolist() == [[1, 0], [0, 0.5], [0, 0]]
    assert whole.difficulty().tolist() == [1, 1, 4], "also where a row has nothing to predict"


@pytest.mark.parametrize("size", [1, 5, 100])
def test_a_texts_loss_is_its_likelihood_whatever_it_is_batched_with(size: int) -> None:
    transfer = transfer_in("causal_lm", micro_batch_size=size)
    model, rows = transfer.model, transfer.encode(transfer.pool)
    found = _rows.impression(transfer, rows)
    for row in range(len(rows["item"])):
        batch = model.collate(rows, torch.tensor([row]))
        with torch.no_grad():
            each = model(batch).log_softmax(-1)[0].gather(-1, batch["input_ids"][0, 1:, None])[:, 0]
        said = int(batch["text"])
        assert float(found.sums[row]) == pytest.approx(-float(each[:said].sum()), rel=1e-4)
        assert int(found.units[row]) == said


@pytest.mark.parametrize("size", [1, 20, 100])
def test_an_images_loss_is_the_mean_over_noise_that_is_the_same_for_all(size: int) -> None:
    """Whatever it is batched with."""
    transfer = transfer_in("diffusion", micro_batch_size=size)
    model, rows = transfer.model, transfer.model.encode(doubled(transfer.data.train))
    seen, draw = list[Batch](), model.draw

    def spy(batch: Batch, generator: torch.Generator) -> Batch:
        seen.append(draw(batch, generator))
        return seen[-1]

    model.draw = spy  # type: ignore[method-assign]
    sums, units, _ = _rows.impression(transfer, rows)
    assert torch.allclose(sums[::2], sums[1::2], rtol=1e-5), "what is the same is as hard"
    assert sums[::2].diff().abs().min() > 1e-5
    assert units.tolist() == [1.0] * len(sums)
    noise = {name: seen[0][name] for name in ("noise", "timesteps")}
    assert all(torch.equal(noise[name], batch[name]) for batch in seen for name in noise)
    assert len(set(noise["timesteps"].tolist())) > 1
    for row in range(0, len(sums), 5):
        batch = model.collate(rows, torch.full((len(noise["noise"]),), row)) | noise
        with torch.no_grad():
            assert float(sums[row]) == pytest.approx(float(model.loss(batch, model(batch))), rel=1e-4)


@FAMILIES
def test_looking_changes_nothing(family: str) -> None:
    """No weight, no gradient, no random state, no mode; nor does dropout play a part."""
    transfer = transfer_in(family)
    transfer.model.train()
    before, state = weights(transfer.model), torch.random.get_rng_state()
    one, again = (_rows.impression(transfer, transfer.encode(transfer.pool)) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert same(before, weights(transfer.model))
    assert torch.equal(state, torch.random.get_rng_state())
    assert transfer.model.training
    assert not any(parameter.grad is not None for parameter in transfer.model.parameters())
    assert not any(module._forward_pre_hooks for module in transfer.model.modules())


@FAMILIES
def test_the_same_item_has_the_same_features_beside_any_other(family: str) -> None:
    transfer = transfer_in(family, micro_batch_size=5)
    rows = transfer.model.encode(doubled(transfer.data.train))
    points = _rows.impression(transfer, rows).by_item(rows).features
    assert torch.allclose(points[::2], points[1::2], atol=1e-5)
    assert points[::2].std(0).min() > 1e-4, "and others have others"


def test_a_texts_features_are_the_mean_of_its_last_hidden_states() -> None:
    transfer = transfer_of(language_model("llama", context=4), texts())
    rows = transfer.encode(transfer.data.train)
    found = _rows.impression(transfer, rows).features
    for row in range(len(found)):
        batch = transfer.model.collate(rows, torch.tensor([row]))
        body: Any = transfer.model.network.model
        with torch.no_grad():
            hidden = body(batch["input_ids"][:, :-1]).last_hidden_state
        assert torch.allclose(found[row], hidden[0].mean(0), atol=1e-5)


def test_an_images_features_come_from_the_narrowest_place() -> None:
    transfer = transfer_in("diffusion")
    network: Any = transfer.model.network
    middle, seen = network.mid_block, list[torch.Tensor]()
    middle.register_forward_hook(lambda module, given, output: seen.append(output))
    found = _rows.impression(transfer, transfer.encode(transfer.data.train)).features
    assert torch.allclose(found[0], seen[0].mean((0, 2, 3)), atol=1e-5)


def test_the_farthest_are_chosen_first() -> None:
    points = torch.tensor([[0.0, 0], [1, 0], [10, 0], [10, 1], [0, 6], [4, 4]])
    assert _rows.farthest(points, torch.tensor([0]), 3).tolist() == [3, 4, 5]
    assert _rows.farthest(points, torch.tensor([0, 4]), 1).tolist() == [3]
    assert _rows.farthest(points, torch.tensor([], dtype=torch.int64), 2).tolist() == [0, 3]


def test_no_point_is_chosen_twice_also_where_all_are_the_same() -> None:
    chosen = _rows.farthest(torch.zeros(5, 2), torch.tensor([3]), 4)
    assert sorted(chosen.tolist()) == [0, 1, 2, 4]


def test_every_point_is_covered_within_twice_of_what_any_choice_could_do() -> None:
    """The bound of greedy k-centre (Gonzalez 1985), against all choices of three."""
    points = torch.randn(12, 2, generator=torch.Generator().manual_seed(0))
    apart = torch.cdist(points, points)
    greedy = _rows.farthest(points, torch.tensor([0]), 2).tolist()
    best = min(float(apart[:, list(centres)].amin(1).max()) for centres in itertools.combinations(range(12), 3))
    assert float(apart[:, [0, *greedy]].amin(1).max()) <= 2 * best
