"""What is remembered, and that it is replayed."""

from typing import Any

import pytest
import torch

from bench.device import accelerator
from bench.errors import NotApplicable
from bench.model import Batch, Model
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.models import data_of, language_model, model_of, prepare, same, source_of, transfer_of, unet, weights

FAMILIES = pytest.mark.parametrize("family", ["causal_lm", "diffusion"])


def long_rows(family: str) -> Model:
    """A model for which every example is one row."""
    return language_model(context=60, sizes={"n_positions": 64}) if family == "causal_lm" else unet()


def transfer_in(family: str, approach: str = "rehearsal", steps: int = 8, seed: int = 0, **options: Any) -> Transfer:
    budget = {"learning_rate": options.pop("learning_rate", 1e-3)}
    transfer = transfer_of(
        long_rows(family), data_of(family), source=source_of(family), steps=steps, seed=seed, validations=1, **budget
    )
    return prepare(transfer, approach, **{"rehearsal": options} if "rehearsal" in approach else {})


def watch(transfer: Transfer) -> list[Any]:
    """Will hold the distinct items of the second half of each batch: those that are replayed at a ratio of a half."""
    seen, decode = list[Any](), transfer.model.decode

    def look(batch: Batch, generator: torch.Generator) -> Batch:
        size = len(batch["item"])
        half = {name: value[size // 2 :] for name, value in batch.items()}
        for item in decode(half | {"item": torch.arange(size - size // 2)}):
            if not among(item, seen):
                seen.append(item)
        return batch

    transfer.transforms.append(look)
    return seen


def replayed(transfer: Transfer) -> list[Any]:
    seen = watch(transfer)
    transfer.run()
    return seen


def equal(one: Any, other: Any) -> bool:
    return bool(one == other) if isinstance(one, str) else bool((one == other).all())


def among(item: Any, items: Any) -> bool:
    return any(equal(item, other) for other in items)


@FAMILIES
def test_a_few_old_examples_come_again_and_again(family: str) -> None:
    seen = replayed(transfer_in(family, memory=3))
    assert len(seen) == 3
    assert all(among(item, source_of(family).train) for item in seen)


@FAMILIES
def test_each_seed_remembers_others(family: str) -> None:
    one, again, other = (replayed(transfer_in(family, memory=3, seed=seed)) for seed in (0, 0, 1))
    assert all(equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(among(item, one) for item in other)


@FAMILIES
def test_a_memory_larger_than_the_source_holds_all_of_it(family: str) -> None:
    transfer = transfer_in(family, memory=1000, steps=12)
    assert len(replayed(transfer)) == 24


@FAMILIES
@pytest.mark.parametrize("examples", ["source", "samples"])
@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
def test_the_share_is_the_declared_one(family: str, examples: str, ratio: float) -> None:
    transfer = transfer_in(family, examples=examples, memory=4, ratio=ratio)
    known = [transfer.encode(items)["item"] for items in (transfer.data.train, transfer.data.validation)]
    replayed, collate = list[int](), transfer.model.collate

    def count(rows: Batch, indices: torch.Tensor) -> Batch:
        if not any(torch.equal(rows["item"], items) for items in known):
            replayed.append(len(indices))
        return collate(rows, indices)

    transfer.model.collate = count  # type: ignore[method-assign]
    transfer.run()
    assert sum(replayed) == round(ratio * 4 * 8)


class Recorded:
    """A rehearsal of samples, with what was drawn and what the weights were then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, family: str, approach: str = "rehearsal") -> None:
        self.transfer = transfer_of(long_rows(family), data_of(family), steps=4, validations=1)
        self.before = weights(self.transfer.model)
        self.drawn, self.then, self.taken = list[Any](), list[dict[str, torch.Tensor]](), list[int]()
        prepare(self.transfer, approach, rehearsal={"examples": "samples", "memory": 6})
        self.seen = watch(self.transfer)
        sample = type(self.transfer.model).sample

        def record(model: Model, batch: Batch, generator: torch.Generator) -> Batch:
            self.then.append(weights(model))
            self.taken.append(self.transfer.taken)
            found = sample(model, batch, generator)
            self.drawn.extend(model.decode(found))
            return found

        monkeypatch.setattr(type(self.transfer.model), "sample", record)
        self.transfer.run()


@FAMILIES
@pytest.mark.parametrize("approach", ["rehearsal", "rehearsal + feature_extraction", "lora + rehearsal"])
def test_samples_are_the_pretrained_models_own(family: str, approach: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Drawn in one go before the first step, as many as asked, whatever is made of the model afterwards."""
    recorded = Recorded(monkeypatch, family, approach)
    assert len(recorded.drawn) == 6
    assert recorded.taken == [0, 0], "in batches of four"
    for then in recorded.then:
        held = {name.replace("base_layer.", ""): value for name, value in then.items() if "lora_" not in name}
        assert same(held, weights(long_rows(family)))
    assert not same(recorded.then[0], weights(recorded.transfer.model))
    assert all(among(item, recorded.drawn) for item in recorded.seen)
    assert len(recorded.seen) > 1


@FAMILIES
def test_samples_are_those_of_the_seed(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = list[list[Any]]()
    for state in (0, 1):
        torch.manual_seed(state)
        with monkeypatch.context() as patch:
            drawn.append(Recorded(patch, family).drawn)
    one, again = drawn
    assert all(equal(a, b) for a, b in zip(one, again, strict=True))


@pytest.mark.parametrize("approach", ["from_scratch + rehearsal", "feature_extraction + rehearsal"])
@FAMILIES
def test_a_new_model_has_nothing_to_say_of_what_the_old_one_knew(family: str, approach: str) -> None:
    with pytest.raises(NotApplicable, match="new weights stand in place"):
        prepare(transfer_of(model_of(family), data_of(family)), approach, rehearsal={"examples": "samples"})


def test_samples_fit_a_model_that_has_less_room_for_them_now(monkeypatch: pytest.MonkeyPatch) -> None:
    """Learned vectors before each row take some of the positions."""
    monkeypatch.setattr("tests.approaches.test_rehearsal.long_rows", lambda family: language_model(context=32))
    recorded = Recorded(monkeypatch, "causal_lm", "rehearsal + prompt_tuning")
    assert recorded.transfer.taken == 4


@FAMILIES
def test_what_it_knew_is_kept_better_than_without(family: str) -> None:
    ends = []
    for approach in ("rehearsal", "full_finetuning"):
        transfer = transfer_in(family, approach, steps=30, learning_rate=1e-2)
        transfer.run()
        held_out = transfer.encode(source_of(family).test)
        ends.append(mean_loss(transfer.model, held_out, 6, 6, accelerator(transfer.budget)))
    assert ends[0] < 0.9 * ends[1]


def test_without_a_known_source_there_are_samples_to_go_by() -> None:
    transfer = transfer_of(model_of("causal_lm"), data_of("causal_lm"))
    with pytest.raises(NotApplicable, match="pretrained on"):
        prepare(transfer, "rehearsal")
    prepare(transfer, "rehearsal", rehearsal={"examples": "samples", "memory": 2}).run()
