"""First a generated task, then the target."""

from typing import Literal

from bench import plugins
from bench.approaches._prestage import load, practise_on, steps_of
from bench.errors import NotApplicable
from bench.options import Fraction
from bench.transfer import Transfer

_TASKS = {"text": "nested_brackets", "image": "fractals"}


def synthetic_pretraining(
    transfer: Transfer,
    *,
    task: Literal["auto", "nested_brackets", "copying", "fractals", "shapes"] = "auto",
    share: Fraction = 0.5,
) -> None:
    """The model learns a task made by formula, which holds nothing but structure, and then the target.

    Texts: nested brackets or copied words; images: fractals or overlapping shapes, as large as the target's. In
    ``from_scratch + synthetic_pretraining`` the task takes the place of the pretraining, as in the papers. The
    pre-stage has none of the terms and transforms of a composition.

    Paper: Papadimitriou & Jurafsky 2020, Learning Music Helps You Read; Ri & Tsuruoka 2022, Pretraining with Artificial
    Language (brackets); Wu et al. 2022, Insights into Pre-training via Simpler Synthetic Tasks (copying); Kataoka et
    al. 2020, Pre-training without Natural Images (fractals); Baradad et al. 2021, Learning to See by Looking at Noise
    (shapes)

    Args:
        task: a generated domain; ``auto`` is nested_brackets for texts and fractals for images.
        share: of the steps that go into the task; at least one is left for the target.
    """
    modality = transfer.model.modality
    name = _TASKS.get(modality, "") if task == "auto" else task
    if not name:
        raise NotApplicable(f"there is no generated task of modality {modality}")
    if (other := plugins.find("datasets", name).modality({})) != modality:
        raise NotApplicable(f"the task {name} is of modality {other}, the model's is {modality}; task: auto would do")
    generated = load(transfer, name)
    transfer.stages.append(lambda left: practise_on(transfer, "synthetic", steps_of(share, left), generated))
