"""Reptile and first-order MAML: where their updates lead, on which rows, at which cost."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.dataset import Dataset, Items
from bench.errors import NotApplicable
from bench.model import Batch
from bench.transfer import Transfer
from tests.loops import Line
from tests.models import EXEMPLARS, data_of, fitted, model_of, prepare, same, source_of, texts, transfer_of, weights

RATE = 0.1
SLOPES = (1.0, 2.0, 6.0)
ROWS = 8  # of each sub-domain, all alike


class Lines(Line):
    """Predicts each number as ``weight`` times it; what it should say instead stands beside the number."""

    def encode(self, items: Items) -> Batch:
        pairs = torch.tensor([[float(number) for number in item.split()] for item in items])
        return {"x": pairs[:, :1], "y": pairs[:, 1:], "item": torch.arange(len(items))}

    def loss(self, batch: Batch, outputs: Tensor, player: nn.Module | None = None) -> Tensor:
        return (outputs - batch["y"]).square().mean()


def slopes() -> Dataset:
    """One sub-domain for each slope, and rows of no sub-domain that would lead far away."""
    items = [f"1 {slope}" for slope in SLOPES for _ in range(ROWS)] + ["1 1000"] * ROWS
    groups = np.repeat([*range(len(SLOPES)), -1], ROWS)
    order = np.random.default_rng(0).permutation(len(items))
    return Dataset("slopes", "text", [items[i] for i in order], ["1 1"], ["1 3"], groups=groups[order])


def lines(start: float = 0.0, steps: int = 100, source: Dataset | None = None, **options: Any) -> Transfer:
    plain: dict[str, Any] = {"warmup": 0.0, "decay": "linear", "clip": None, "weight_decay": 0.0, "learning_rate": RATE}
    target = Dataset("target", "text", ["1 4", "2 8", "3 12", "4 16"], ["5 20"], ["6 24"])
    transfer = transfer_of(Lines(start), target, steps=steps, source=source or slopes(), **plain)
    return prepare(transfer, "meta_learning", meta_learning={"tasks": len(SLOPES)} | options)


def weight(transfer: Transfer) -> float:
    return float(next(transfer.model.parameters()).detach())


def adapted(start: float, slope: float, steps: int) -> float:
    """The weight after steps of the training loop's optimizer, at a constant rate, on one sub-domain."""
    learned = torch.tensor(start, requires_grad=True)
    optimizer = torch.optim.AdamW([learned], lr=RATE, weight_decay=0.0)
    for _ in range(steps):
        optimizer.zero_grad()
        (learned - slope).square().backward()
        optimizer.step()
    return float(learned.detach())


@pytest.mark.parametrize(("inner_steps", "updates"), [(1, 1), (3, 1), (3, 2), (4, 5)])
def test_reptile_moves_towards_the_mean_of_where_the_tasks_end(inner_steps: int, updates: int) -> None:
    """By the whole rate at first, and by less and less of it in the end."""
    start, rate = 0.5, 0.6
    steps = inner_steps * len(SLOPES) * updates
    transfer = lines(start, 2 * steps, inner_steps=inner_steps, outer_rate=rate)
    while transfer.stages[0](transfer.steps):
        pass
    expected = start
    for update in range(updates):
        mean = float(np.mean([adapted(expected, slope, inner_steps) for slope in SLOPES]))
        expected += rate * (1 - update / updates) * (mean - expected)
    assert weight(transfer) == pytest.approx(expected, abs=1e-5)
    assert transfer.spent == {"meta": steps}


def test_reptile_ends_at_the_mean_of_the_tasks_solutions() -> None:
    """Where inner loops are long enough to solve each task."""
    transfer = lines(0.0, 2 * 3 * 200, inner_steps=200)
    while transfer.stages[0](transfer.steps):
        pass
    assert weight(transfer) == pytest.approx(np.mean(SLOPES), abs=0.05)


@pytest.mark.parametrize("updates", [1, 4])
def test_maml_applies_the_gradients_at_the_adapted_weights_to_where_they_began(updates: int) -> None:
    start, inner_steps = 2.5, 2
    steps = (inner_steps + 1) * len(SLOPES) * updates
    transfer = lines(start, 2 * steps, method="fomaml", inner_steps=inner_steps, outer_rate=0.5)
    while transfer.stages[0](transfer.steps):
        pass
    expected = torch.tensor(start, requires_grad=True)
    adam = torch.optim.Adam([expected], lr=0.5 * RATE)
    for _ in range(updates):
        gradients = [2 * (adapted(float(expected.detach()), slope, inner_steps) - slope) for slope in SLOPES]
        expected.grad = torch.tensor(float(np.mean(gradients)))
        adam.step()
    assert weight(transfer) == pytest.approx(float(expected.detach()), abs=1e-5)
    assert transfer.spent == {"meta": steps}


def test_maml_listens_to_factors_on_the_learning_rate() -> None:
    transfer = lines(2.5, 2 * 9, method="fomaml", inner_steps=2)
    transfer.rates[next(transfer.model.parameters())] = 0.0
    while transfer.stages[0](transfer.steps):
        pass
    assert weight(transfer) == 2.5


@pytest.mark.parametrize("method", ["reptile", "fomaml"])
def test_each_task_is_one_sub_domain_and_is_asked_about_rows_it_did_not_learn(method: str) -> None:
    transfer = lines(steps=2 * 3 * 4 * 3, method=method, inner_steps=3)
    groups = np.asarray(slopes().groups)
    batches, queries, collate, gradients = list[Tensor](), list[int](), transfer.model.collate, transfer.gradients

    def look(rows: Batch, indices: Tensor) -> Batch:
        batches.append(indices)
        return collate(rows, indices)

    def ask(stage: str, batch: Batch) -> dict[nn.Parameter, Tensor]:
        queries.append(len(batches) - 1)
        return gradients(stage, batch)

    transfer.model.collate, transfer.gradients = look, ask  # type: ignore[method-assign]
    while transfer.stages[0](transfer.steps):
        pass
    each = 3 + (method == "fomaml")
    assert len(batches) == transfer.spent["meta"] == 36
    assert queries == (list(range(3, 36, 4)) if method == "fomaml" else [])
    tasks = [batches[start : start + each] for start in range(0, 36, each)]
    seen = [{int(group) for rows in task for group in groups[rows]} for task in tasks]
    assert all(len(task) == 1 for task in seen)
    assert set().union(*seen) == set(range(len(SLOPES))), "each has its turn, and what belongs to none has not"
    if method == "fomaml":
        assert not any(set(torch.cat(task[:-1]).tolist()) & set(task[-1].tolist()) for task in tasks)


@pytest.mark.parametrize(("method", "meta"), [("reptile", 5), ("fomaml", 4)])
def test_the_last_update_is_smaller_where_the_steps_run_out(method: str, meta: int) -> None:
    transfer = fitted(lines(steps=10, method=method, inner_steps=3))
    assert transfer.spent == {"meta": meta, "": 10 - meta}
    assert [row["stage"] for row in transfer.curve if "learning_rate" in row].count("") == 10 - meta


def test_inner_steps_are_taken_at_the_peak_rate() -> None:
    transfer = fitted(lines(steps=20))
    assert {row["learning_rate"] for row in transfer.curve if row["stage"] == "meta"} == {RATE}


@pytest.mark.parametrize("method", ["reptile", "fomaml"])
@pytest.mark.parametrize("family", EXEMPLARS)
def test_only_what_trains_moves(family: str, method: str) -> None:
    options = {"method": method, "inner_steps": 2, "tasks": 2}
    transfer = transfer_of(model_of(family), data_of(family), steps=16, source=source_of(family))
    prepare(transfer, "lora + meta_learning", meta_learning=options)
    trained = {name for name, parameter in transfer.model.named_parameters() if parameter.requires_grad}
    before = weights(transfer.model)
    while transfer.stages[0](transfer.steps):
        pass
    after = weights(transfer.model)
    frozen = before.keys() - trained
    assert same({name: before[name] for name in frozen}, {name: after[name] for name in frozen})
    assert before.keys() == after.keys(), "adapters are put in once"
    assert any(not torch.equal(before[name], after[name]) for name in trained)


@pytest.mark.parametrize("groups", [None, np.zeros(24, np.int64), np.arange(24), np.full(24, -1)])
def test_without_sub_domains_it_has_no_meaning(groups: np.ndarray | None) -> None:
    """One is too few, and one example makes none."""
    source = replace(texts(24), name="plain", groups=groups)
    with pytest.raises(NotApplicable, match="the source domain plain names no sub-domains"):
        lines(source=source)


def test_without_a_source_it_has_no_meaning() -> None:
    with pytest.raises(NotApplicable, match="not known what the model was pretrained on"):
        prepare(transfer_of(Lines(), slopes()), "meta_learning")
