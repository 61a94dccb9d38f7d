"""What is asked for, when, and of what."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch

from bench.approaches import _rows
from bench.dataset import subset_indices
from bench.errors import NotApplicable
from bench.model import Batch
from bench.transfer import Transfer
from tests.models import data_of, model_of, pictures, prepare, texts, transfer_of

FAMILIES = pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
STRATEGIES = pytest.mark.parametrize("strategy", ["uncertainty", "coverage", "both"])


def transfer_in(family: str, steps: int = 12, seed: int = 0, rate: float = 1e-3, **options: Any) -> Transfer:
    """As the runner sets it up: what may be learned from is a random half of the training split."""
    data = texts(24) if family == "causal_lm" else pictures(24)
    transfer = transfer_of(
        model_of(family),
        data.subset(12, seed),
        steps=steps,
        seed=seed,
        pool=data.train,
        validations=1,
        learning_rate=rate,
    )
    return prepare(transfer, "active_learning", active_learning=options)


class Rounds:
    """The items and the steps of each round, by place in the pool."""

    def __init__(self, transfer: Transfer) -> None:
        self.items, self.steps, self.trained = list[list[int]](), list[int](), list[set[int]]()
        self.pool = [content(item) for item in transfer.pool]
        transfer.transforms.append(self.note)
        self.transfer, self.before = transfer, 0
        self.seen = set[int]()
        transfer.schedule.append(self.look)
        transfer.run()
        self.close()

    def look(self, progress: float) -> None:
        """Before the first step of each round."""
        if progress == 0.0:
            self.close()
            self.items.append([self.pool.index(content(item)) for item in self.transfer.data.train])

    def close(self) -> None:
        if self.items:
            self.steps.append(self.transfer.taken - self.before)
            self.trained.append(self.seen)
        self.before, self.seen = self.transfer.taken, set()

    def note(self, batch: Batch, generator: torch.Generator) -> Batch:
        rows = self.transfer.model.encode(self.transfer.pool)
        whole = self.transfer.model.collate(rows, torch.arange(len(rows["item"])))
        key = "images" if "images" in batch else "input_ids"
        for row in batch[key]:
            same_row = (whole[key][:, : len(row)] == row if key == "input_ids" else whole[key] == row).flatten(1).all(1)
            self.seen.add(int(rows["item"][int(same_row.nonzero()[0])]))
        return batch


def content(item: Any) -> Any:
    return item if isinstance(item, str) else item.tobytes()


@FAMILIES
@STRATEGIES
def test_it_asks_for_as_many_as_others_get_at_random_and_no_more(family: str, strategy: str) -> None:
    rounds = Rounds(transfer_in(family, strategy=strategy, rounds=3, start=0.25))
    assert [len(items) for items in rounds.items] == [3, 6, 9, 12]
    for before, after in itertools.pairwise(rounds.items):
        assert after[: len(before)] == before, "what was asked for stays"
    assert len(set(rounds.items[-1])) == 12, "nothing twice"
    assert [content(i) for i in rounds.transfer.data.train] == [rounds.pool[i] for i in rounds.items[-1]]
    assert rounds.transfer.looked == 12, "the other half of the pool was looked at"


@FAMILIES
def test_it_learns_only_from_what_it_asked_for(family: str) -> None:
    rounds = Rounds(transfer_in(family, steps=40, rounds=3, start=0.25))
    assert all(trained <= set(items) for trained, items in zip(rounds.trained, rounds.items, strict=True))
    assert rounds.trained[-1] == set(rounds.items[-1])


@FAMILIES
def test_it_starts_with_what_others_get_at_random(family: str) -> None:
    rounds = Rounds(transfer_in(family, start=0.5, seed=3))
    assert rounds.items[0] == subset_indices(24, 12, 3, rounds.transfer.data.name)[:6].tolist()


@pytest.mark.parametrize("steps", [1, 3, 8, 31])
@pytest.mark.parametrize("rounds", [1, 4, 30])
def test_the_steps_of_all_rounds_are_the_budget(steps: int, rounds: int) -> None:
    transfer = transfer_in("causal_lm", steps=steps, rounds=rounds)
    transfer.run()
    assert sum(transfer.spent.values()) == steps
    assert transfer.spent[""] > 0, "the last round, which has all examples"
    assert len(transfer.data.train) == 12


def test_steps_are_shared_out_as_examples_are() -> None:
    rounds = Rounds(transfer_in("causal_lm", steps=30, rounds=3, start=0.25))
    assert rounds.steps == [3, 6, 9, 12]


@FAMILIES
def test_validation_and_test_items_are_never_touched(family: str) -> None:
    transfer = transfer_in(family)
    asked, encode, data = list[Any](), transfer.encode, transfer.data
    transfer.encode = lambda items: asked.append(items) or encode(items)  # type: ignore[func-returns-value]
    transfer.run()
    held_out = {content(item) for split in (data.validation, data.test) for item in split}
    assert held_out.isdisjoint(content(item) for item in transfer.data.train)
    assert not any(items is data.test for items in asked)
    assert transfer.data.validation is data.validation
    validated = [row["step"] for row in transfer.curve if "validation_loss" in row]
    assert validated == [transfer.spent["rounds"], transfer.taken], "as often as whoever has no rounds"


@FAMILIES
def test_uncertainty_asks_for_the_highest_loss(family: str) -> None:
    """Of the model as it is when it asks, per token or image, over all rows of an item."""
    transfer = transfer_in(family, rate=1e-12, rounds=1, start=0.5, strategy="uncertainty")
    rows = transfer.encode(transfer.pool)
    seen = _rows.impression(transfer, rows)
    sums, units = (torch.bincount(rows["item"], weights=values) for values in (seen.sums, seen.units))
    rounds = Rounds(transfer)
    first, chosen = rounds.items[0], rounds.items[1][6:]
    others = [item for item in range(24) if item not in first]
    assert chosen == sorted(others, key=lambda item: -float(sums[item] / units[item]))[:6]


@FAMILIES
def test_it_asks_the_model_as_it_is_now(family: str) -> None:
    """What has been learned changes what is asked for."""
    still, moved = (
        Rounds(transfer_in(family, steps=40, rate=rate, rounds=1, start=0.5, strategy="uncertainty"))
        for rate in (1e-12, 3e-2)
    )
    assert still.items[0] == moved.items[0]
    assert still.items[1] != moved.items[1]


@FAMILIES
def test_coverage_asks_for_what_is_farthest(family: str) -> None:
    transfer = transfer_in(family, rate=1e-12, rounds=1, start=0.5, strategy="coverage")
    rows = transfer.encode(transfer.pool)
    features = _rows.impression(transfer, rows).features
    points = torch.stack([features[rows["item"] == item].mean(0) for item in range(24)])
    rounds = Rounds(transfer)
    known = list(rounds.items[0])
    apart = torch.cdist(points, points)
    for item in rounds.items[1][6:]:
        distance = apart[:, known].amin(1)
        assert float(distance[item]) == pytest.approx(float(distance.max()), rel=1e-4)
        known.append(item)


@FAMILIES
def test_both_is_half_of_either(family: str) -> None:
    by_loss, both = (
        Rounds(transfer_in(family, rate=1e-12, rounds=1, start=0.25, strategy=strategy))
        for strategy in ("uncertainty", "both")
    )
    assert both.items[1][:8] == by_loss.items[1][:8]
    assert both.items[1][8:] != by_loss.items[1][8:]


def test_rows_of_the_pool_are_encoded_once() -> None:
    transfer = transfer_in("causal_lm")
    encoded, encode = list[int](), transfer.model.encode

    def count(items: Any) -> Batch:
        encoded.append(len(items))
        return encode(items)

    transfer.model.encode = count  # type: ignore[method-assign]
    transfer.run()
    assert sorted(encoded) == [6, 24], "the validation split and the pool"


@FAMILIES
def test_a_loop_around_it_gets_no_more(family: str) -> None:
    transfer = transfer_in(family)
    transfer.fit(6)
    chosen = transfer.data.train
    transfer.fit(6)
    assert np.array_equal(chosen, transfer.data.train)
    assert (transfer.taken, transfer.looked) == (12, 12)


def test_when_time_is_up_it_asks_for_no_more() -> None:
    transfer = transfer_in("causal_lm", rounds=3, start=0.25)
    transfer.schedule.append(lambda progress: setattr(transfer, "deadline", -math.inf))
    transfer.run()
    assert (transfer.taken, len(transfer.data.train)) == (1, 3)


@FAMILIES
def test_where_all_may_be_learned_from_there_is_nothing_to_choose(family: str) -> None:
    with pytest.raises(NotApplicable, match="none to choose from"):
        prepare(transfer_of(model_of(family), data_of(family)), "active_learning")
