"""Which domain comes in between, for how long, that it is learned, and what will not do."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench import dataset
from bench.dataset import Dataset, Items
from bench.device import accelerator
from bench.errors import NotApplicable, PluginError
from bench.training.validation import mean_loss
from bench.transfer import Transfer
from tests.loops import ITEMS, Line
from tests.models import (
    EXEMPLARS,
    data_of,
    fitted,
    language_model,
    model_of,
    pictures,
    prepare,
    texts,
    transfer_of,
    unet,
)

BETWEEN = {"causal_lm": "python_reference", "diffusion": "drawn_digits", "molecules": "nci_polycyclics"}


def through(transfer: Transfer, **options: Any) -> Transfer:
    return prepare(transfer, "intermediate_task", intermediate_task=options)


def learned_from(transfer: Transfer) -> list[Items]:
    """The training splits that steps are taken on, in order."""
    splits: list[Items] = []
    encode = transfer.encode

    def look(items: Items) -> Any:
        if items is transfer.data.train:
            splits.append(items)
        return encode(items)

    transfer.encode = look
    fitted(transfer)
    return splits


@pytest.mark.parametrize("family", EXEMPLARS)
def test_the_related_domain_comes_first_and_then_the_target(family: str) -> None:
    transfer = through(transfer_of(model_of(family), data_of(family), steps=8), share=0.25)
    first, then = learned_from(transfer)
    assert np.array_equal(first, dataset.load(BETWEEN[family], {"size": 8} if family == "diffusion" else None).train)
    assert np.array_equal(then, data_of(family).train)
    assert transfer.spent == {"intermediate": 2, "": 6}
    assert transfer.looked == 0, "nothing of the target's pool"


@pytest.mark.parametrize("family", EXEMPLARS)
def test_it_is_learned(family: str) -> None:
    """After it, the model is better at examples of it that it has not seen."""
    between = dataset.load(BETWEEN[family], {"size": 8} if family == "diffusion" else None)
    transfer = transfer_of(model_of(family), data_of(family), steps=60, learning_rate=1e-2)
    (stage,) = through(transfer).stages
    held_out, context = transfer.encode(between.test[:32]), accelerator(transfer.budget)
    before = mean_loss(transfer.model, held_out, 16, 16, context)
    stage(60)
    assert mean_loss(transfer.model, held_out, 16, 16, context) < 0.9 * before


@pytest.mark.parametrize(
    ("source", "target", "between"),
    [
        ("python_docstrings", "python_reference", "python_code"),
        ("python_docstrings", "python_code", "python_reference"),
        ("python_code", "python_reference", "python_docstrings"),
        ("glyphs", "handwritten_digits", "drawn_digits"),
        ("glyphs", "drawn_digits", "handwritten_digits"),
        ("drawn_digits", "handwritten_digits", "glyphs"),
    ],
)
def test_by_default_it_is_neither_the_source_nor_the_target(
    source: str, target: str, between: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def load(name: str, options: dict[str, Any]) -> Dataset:
        asked.append(name)
        return texts(30)

    monkeypatch.setattr(dataset, "load", load)
    family = "causal_lm" if target.startswith("python_") else "diffusion"
    known, data = (replace(data_of(family), name=name) for name in (source, target))
    through(transfer_of(model_of(family), data, source=known))
    assert asked == [between]


def test_a_named_domain_has_its_options() -> None:
    transfer = through(transfer_of(unet(), pictures(), steps=4), domain="glyphs", options={"size": 12})
    assert np.shape(learned_from(transfer)[0])[1:] == (12, 12, 1)
    with pytest.raises(PluginError, match="dataset glyphs: no option 'sise'; did you mean 'size'"):
        through(transfer_of(unet(), pictures()), domain="glyphs", options={"sise": 12})


@pytest.mark.parametrize(
    ("domain", "remedy"),
    [
        ("python_refrence", "unknown dataset 'python_refrence'; did you mean 'python_reference'"),
        ("glyphs", "it is of modality image; name one of modality text"),
        ("python_reference", "it is the target itself; name another domain, or none"),
        ("nested_brackets", "it is the source itself; name another domain, or none"),
    ],
)
def test_a_domain_that_will_not_do_is_named_with_the_remedy(domain: str, remedy: str) -> None:
    """The target is itself whatever part of it may be learned from."""
    target, source = dataset.load("python_reference").subset(20, seed=0), dataset.load("nested_brackets")
    message = f"approach intermediate_task: option 'domain': '{domain}' will not do; {remedy}"
    with pytest.raises(PluginError, match=message):
        through(transfer_of(language_model(), target, source=source), domain=domain)


def test_there_is_none_for_other_modalities() -> None:
    class Tone(Line):
        modality = "audio"

    with pytest.raises(NotApplicable, match="no embedded domain of modality audio lies between"):
        through(transfer_of(Tone(), ITEMS))


def test_there_is_a_last_step_for_the_target() -> None:
    assert fitted(through(transfer_of(language_model(), texts(), steps=3), share=1.0)).spent == {
        "intermediate": 2,
        "": 1,
    }
