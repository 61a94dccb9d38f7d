"""Which examples are there to learn from, and when."""

import math
from typing import Any

import pytest
import torch

from bench.approaches import _rows
from bench.model import Batch
from bench.transfer import Transfer
from tests.models import data_of, fitted, language_model, model_of, pool_of, prepare, same, texts, transfer_of, weights

FAMILIES = pytest.mark.parametrize("family", ["causal_lm", "diffusion"])
STEPS = 20


def transfer_in(family: str, approach: str = "curriculum", **options: Any) -> Transfer:
    transfer = transfer_of(
        model_of(family), data_of(family), steps=STEPS, validations=1, pool=pool_of(family), learning_rate=1e-2
    )
    return prepare(transfer, approach, **{"curriculum": options} if "curriculum" in approach else {})


def ranks(transfer: Transfer, *, reverse: bool = False) -> list[list[int]]:
    """The places that each step's rows have among all rows from the easiest to the hardest, before any step."""
    rows = transfer.encode(transfer.data.train)
    seen = _rows.impression(transfer, rows)
    order = sorted(range(len(seen.sums)), key=lambda row: float(seen.sums[row] / seen.units[row]), reverse=reverse)
    place = {row: rank for rank, row in enumerate(order)}
    taken, collate = list[list[int]](), transfer.model.collate

    def note(known: Batch, indices: torch.Tensor) -> Batch:
        if known is rows:
            taken.append([place[int(row)] for row in indices])
        return collate(known, indices)

    fit = transfer.fit

    def watched(steps: int) -> None:
        started = len(taken)
        transfer.model.collate = note  # type: ignore[method-assign, assignment]
        fit(steps)
        del taken[: max(started, len(taken) - steps)]  # what was looked at to rank the rows

    transfer.fit = watched
    transfer.run()
    return taken


@FAMILIES
@pytest.mark.parametrize("reverse", [False, True])
def test_the_easiest_come_first_and_harder_ones_join_in(family: str, reverse: bool) -> None:
    """Never one from beyond the share that has joined in, and all of those sooner or later."""
    transfer = transfer_in(family, start=0.25, until=0.5, reverse=reverse)
    seen = ranks(transfer, reverse=reverse)
    count = len(transfer.encode(transfer.data.train)["item"])
    assert len(seen) == STEPS
    for step, rows in enumerate(seen):
        share = min(1.0, 0.25 + 0.75 * (step / STEPS) / 0.5)
        assert max(rows) < math.ceil(share * count)
    assert {row for rows in seen[STEPS // 2 :] for row in rows} == set(range(count))
    assert max(max(rows) for rows in seen[: STEPS // 2]) >= count // 2


@FAMILIES
def test_once_all_have_joined_in_every_row_comes_once_before_any_comes_again(family: str) -> None:
    transfer = transfer_in(family, start=0.25, until=0.5)
    seen = [row for rows in ranks(transfer)[STEPS // 2 :] for row in rows]
    count = len(transfer.encode(transfer.data.train)["item"])
    assert len(set(seen[:count])) == count


@FAMILIES
@pytest.mark.parametrize("options", [{"start": 1.0}, {"until": 0.0}])
def test_with_all_rows_from_the_outset_it_is_training_as_usual(family: str, options: dict[str, float]) -> None:
    paced, plain, real = (
        weights(fitted(transfer_in(family, approach, **more)).model)
        for approach, more in (("curriculum", options), ("full_finetuning", {}), ("curriculum", {}))
    )
    assert same(paced, plain)
    assert not same(real, plain)


@FAMILIES
def test_a_share_of_nothing_is_one_row(family: str) -> None:
    assert set(ranks(transfer_in(family, start=0.0, until=1.0))[0]) == {0}


@FAMILIES
def test_it_is_the_pretrained_model_that_finds_them_hard_once(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    transfer, then = transfer_in(family), list[dict[str, torch.Tensor]]()
    before = weights(transfer.model)

    def spy(known: Transfer, rows: Batch) -> _rows.Impression:
        then.append(weights(known.model))
        return _rows.impression(known, rows)

    monkeypatch.setattr("bench.approaches.curriculum.impression", spy)
    transfer.run()
    assert len(then) == 1
    assert same(then[0], before)


def test_what_is_long_is_not_hard_for_that() -> None:
    """The loss is one per token: the text with the most of them is not the hardest because of that."""

    def one_step(**options: Any) -> Transfer:
        return prepare(
            transfer_of(language_model(), texts(24), steps=1, batch_size=1), "curriculum", curriculum=options
        )

    transfer = one_step()
    sums, units, _ = _rows.impression(transfer, transfer.encode(transfer.data.train))
    assert sums.argmax() != (sums / units).argmax()
    assert ranks(one_step(start=0.0, reverse=True), reverse=True) == ranks(one_step(start=0.0)) == [[0]]


@FAMILIES
@pytest.mark.parametrize("approach", ["curriculum + active_learning", "active_learning + curriculum"])
def test_each_round_of_active_learning_has_its_own(family: str, approach: str) -> None:
    transfer = transfer_in(family, approach)
    transfer.run()
    assert transfer.taken == STEPS
    assert len(transfer.data.train) == 12
