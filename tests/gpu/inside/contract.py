"""Which pairs of approach and family there are, and whether one keeps its contract."""

import tempfile
from pathlib import Path

import torch

from bench import device
from bench.suite.cell import ModelSpec
from tests.approaches.test_every_approach import APPROACHES, CHOSEN, FAMILIES, PAIRS, contract, has_meaning
from tests.models import model_of, saved, small

Pair = tuple[str, str]


def pairs() -> tuple[list[Pair], list[Pair]]:
    """The choice that covers all approaches and families, and all others.

    Those first that mean something, and of these each approach once before any twice, on one family after the other: so
    that a part of them covers much.
    """
    turns: dict[Pair, tuple[bool, int]] = {}
    for number, approach in enumerate(APPROACHES):
        for applies in (True, False):
            families = [f for f in FAMILIES if (approach, f) in CHOSEN and has_meaning(approach, f) == applies]
            for place, family in enumerate(families):
                turns[approach, family] = (not applies, (place - number) % len(families))
    return sorted(turns, key=turns.__getitem__), [pair for pair in PAIRS if pair not in CHOSEN]


def prepare(family: str, folder: Path) -> None:
    """A small model on disk, as a checkpoint."""
    saved(model_of(family), folder / family)


def kept(approach: str, family: str, folder: Path) -> bool | None:
    """See :func:`contract`, which raises where it is broken."""
    torch.use_deterministic_algorithms(True, warn_only=True)  # as in a run
    if not torch.cuda.is_available():
        device.precision = lambda budget: "bf16"
    options = small(family).OPTIONS
    spec = ModelSpec(**{"family": family, "checkpoint": str(folder / family), "options": options})
    with tempfile.TemporaryDirectory() as own:
        return contract(approach, spec, Path(own))
