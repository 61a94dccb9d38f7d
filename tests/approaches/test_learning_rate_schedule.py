"""The rates that the loop records, against closed forms and against torch's own schedulers."""

import itertools
from typing import Any

import pytest
import torch
from torch.optim.lr_scheduler import CosineAnnealingWarmRestarts

from bench.transfer import Transfer
from tests.models import fitted, language_model, prepare, texts, transfer_of

STEPS, PEAK = 20, 1e-3
MIDDLES = [(step + 0.5) / STEPS for step in range(STEPS)]
"""Progress in the middle of each step."""


def scheduled(**options: Any) -> Transfer:
    transfer = transfer_of(language_model(layers=1), texts(), steps=STEPS, learning_rate=PEAK, warmup=0.5)
    return prepare(transfer, "learning_rate_schedule", learning_rate_schedule=options)


def rates(**options: Any) -> list[float]:
    """What the loop has taken its steps with, as shares of the peak."""
    return [row["learning_rate"] / PEAK for row in fitted(scheduled(**options)).curve if "learning_rate" in row]


def test_constant_is_constant_after_its_warmup() -> None:
    """The budget's own warm-up and decay have no say."""
    assert rates(shape="constant", warmup=0.0) == [1.0] * STEPS
    assert rates(shape="constant", warmup=0.1) == pytest.approx([0.25, 0.75] + [1.0] * 18)


def test_linear_falls_on_a_line_to_zero() -> None:
    assert rates(shape="linear", warmup=0.0) == pytest.approx([1 - middle for middle in MIDDLES])


def test_cosine_falls_as_half_a_cosine() -> None:
    cosine = (1 + torch.cos(torch.pi * torch.tensor(MIDDLES, dtype=torch.float64))) / 2
    assert rates(shape="cosine", warmup=0.0) == pytest.approx(cosine.tolist())


@pytest.mark.parametrize(("base", "annihilation"), [(0.1, 0.2), (0.0, 0.1), (0.4, 0.0), (0.3, 1.0)])
def test_one_cycle_is_a_triangle_and_a_tail(base: float, annihilation: float) -> None:
    top = (1 - annihilation) / 2
    x, y = [0.0, top, 2 * top, 1.0], [base, 1.0, base, 0.0 if annihilation else base]
    expected = []
    for middle in MIDDLES:
        part = max(i for i in range(3) if x[i] <= middle and x[i + 1] > x[i])
        expected.append(y[part] + (y[part + 1] - y[part]) * (middle - x[part]) / (x[part + 1] - x[part]))
    assert rates(shape="one_cycle", base=base, annihilation=annihilation) == pytest.approx(expected)


@pytest.mark.parametrize(("cycles", "growth"), [(1, 2), (2, 1), (3, 2), (4, 1)])
def test_warm_restarts_are_those_of_torch(cycles: int, growth: int) -> None:
    first = 1 / sum(growth**cycle for cycle in range(cycles))  # of the cycles: its share of the steps
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    reference, expected = CosineAnnealingWarmRestarts(optimizer, T_0=1, T_mult=growth), []
    optimizer.step()
    for middle in MIDDLES:
        reference.step(middle / first)
        expected.append(optimizer.param_groups[0]["lr"])
    found = rates(shape="warm_restarts", cycles=cycles, growth=float(growth))
    assert found == pytest.approx(expected, abs=1e-6)
    assert sum(later > earlier for earlier, later in itertools.pairwise(found)) == cycles - 1


def test_cycles_that_shrink_fill_the_steps() -> None:
    found = rates(shape="warm_restarts", cycles=2, growth=0.25)
    assert max(found[:16]) == found[0] > 0.99
    assert found[16] > 0.9, "the second cycle has a fifth of the steps"
    assert all(later < earlier for earlier, later in itertools.pairwise(found[16:]))


def test_no_growth_is_too_much() -> None:
    assert rates(shape="warm_restarts", cycles=1000, growth=1e9) == pytest.approx(rates(shape="cosine", warmup=0.0))


def test_a_pre_stage_runs_through_a_course_of_its_own() -> None:
    transfer = scheduled(shape="linear", warmup=0.0)
    transfer.stages.append(lambda left: transfer.practise("before", 5))
    taken = [row for row in fitted(transfer).curve if "learning_rate" in row]
    before = [row["learning_rate"] / PEAK for row in taken if row["stage"] == "before"]
    after = [row["learning_rate"] / PEAK for row in taken if not row["stage"]]
    assert before == pytest.approx([0.9, 0.7, 0.5, 0.3, 0.1])
    assert after == pytest.approx([1 - (step + 0.5) / 15 for step in range(15)])
