"""Every approach, cut off at a chance step and gone on with, ends with the bits of one that was not."""

import random
from pathlib import Path
from typing import Any

import pytest
import torch

from bench import plugins
from bench.transfer import Transfer
from tests.models import data_of, model_of, pool_of, prepare, same, source_of, transfer_of, weights
from tests.resuming import cut_off, keeper_of

STEPS = 12

ON: dict[str, str] = {
    "cross_domain_correspondence": "diffusion",
    "dreambooth": "text_to_image",
    "freeze_d": "gan",
    "minegan": "gan",
    "textual_inversion": "text_to_image",
}
"""Where the first family has no meaning."""

OPTIONS: dict[str, dict[str, Any]] = {
    "distillation": {"teacher": "finetuned"},
    "rehearsal": {"examples": "samples"},
    "peft": {"method": "adalora", "options": {"tinit": 2, "tfinal": 4}},
}
MORE = [
    ("augmentation", "gan", {"augmentation": {"adaptive": True}}),
    ("meta_learning", "gan", {"meta_learning": {"method": "fomaml", "inner_steps": 1, "tasks": 2}}),
    ("meta_learning", "diffusion", {}),
    ("full_finetuning", "cyclegan", {}),
    ("lora", "causal_lm", {"lora": {"dropout": 0.3}}),
    ("curriculum + active_learning", "causal_lm", {}),
    ("multitask + active_learning + learning_rate_schedule", "diffusion", {}),
    ("synthetic_pretraining + intermediate_task + bitfit", "causal_lm", {}),
    ("lora + gradual_unfreezing + l2_sp", "vae", {}),
]
TRAINED = [
    name for name in plugins.names("approaches") if plugins.find("approaches", name).constants.get("TRAINS", True)
]
CASES = [(name, ON.get(name, "causal_lm"), {name: OPTIONS.get(name, {})}) for name in TRAINED] + MORE


def set_up(approach: str, family: str, options: dict[str, Any]) -> Transfer:
    source, pool = source_of(family), pool_of(family)
    known: dict[str, Any] = {"steps": STEPS, "source": source, "pool": pool, "validations": 3}
    return prepare(transfer_of(model_of(family), data_of(family), **known), approach, **options)


def outcome(transfer: Transfer) -> dict[str, Any]:
    """What must be the same, to the bit, beside the weights."""
    rows = [{name: value for name, value in row.items() if name != "seconds"} for row in transfer.curve]
    counted = {name: getattr(transfer, name) for name in ("taken", "spent", "examples", "looked", "validation_loss")}
    return counted | {
        "curve": rows,
        "chance": torch.get_rng_state().tolist(),
        "learned": list(map(str, transfer.data.train)),
    }


@pytest.mark.parametrize(("approach", "family", "options"), CASES, ids=[f"{name}-{at}" for name, at, _ in CASES])
def test_an_approach_that_was_cut_off_ends_with_the_same_bits(
    approach: str, family: str, options: dict[str, Any], tmp_path: Path
) -> None:
    whole = set_up(approach, family, options)
    whole.run()
    at = random.Random(f"{approach} {family}").randrange(2, STEPS)
    cut = cut_off(set_up(approach, family, options), tmp_path, at)
    assert not cut.why_not, "all that it holds can be told"
    last = set_up(approach, family, options)
    keeper = last.pauses = keeper_of(last, tmp_path)
    last.run()
    assert keeper.newest is not None
    assert keeper.unfinished.notes == [note for note in keeper.unfinished.notes if note.startswith("went on")]
    assert len(keeper.unfinished.notes) == 1
    assert same(weights(whole.model), weights(last.model))
    assert outcome(last) == outcome(whole)
