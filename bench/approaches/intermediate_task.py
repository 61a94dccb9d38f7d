"""Through a related domain to the target."""

from typing import Any

from bench import plugins
from bench.approaches._prestage import load, practise_on, steps_of
from bench.dataset import items_hash
from bench.errors import NotApplicable, PluginError
from bench.options import Fraction
from bench.transfer import Transfer

_RELATED = {
    "text": ("python_reference", "python_code", "python_docstrings"),
    "image": ("drawn_digits", "handwritten_digits", "glyphs"),
    "text_pair": ("code_to_docstring", "docstring_to_code", "number_words"),
    "molecule": ("nci_polycyclics", "nci_organosulfur", "nci_molecules"),
}


def intermediate_task(
    transfer: Transfer, *, domain: str = "", options: dict[str, Any] | None = None, share: Fraction = 0.5
) -> None:
    """The model learns a domain that lies between what it knows and the target, and then the target.

    All of the intermediate domain's training split may be learned from, by the model's own loss. The pre-stage has none
    of the terms and transforms of a composition.

    Paper: Phang et al. 2018, Sentence Encoders on STILTs: Supplementary Training on Intermediate Labeled-data Tasks;
    Pruksachatkun et al. 2020, Intermediate-Task Transfer Learning with Pretrained Language Models

    Args:
        domain: the dataset that lies between; by default one of the embedded domains that is neither the source nor the
            target: python_reference or python_code for texts, drawn_digits for images, nci_polycyclics or
            nci_organosulfur for molecules.
        options: of that dataset; pictures are as large as the target's unless they say otherwise.
        share: of the steps that go into it; at least one is left for the target.
    """
    name = domain or _related(transfer)
    _check(transfer.model.modality, name, options or {})
    between = load(transfer, name, options)
    for role, known in (("target", transfer.data), ("source", transfer.source)):
        if known and items_hash(known.test) == items_hash(between.test):
            raise PluginError(f"{_WILL_NOT_DO.format(name)}it is the {role} itself; name another domain, or none")
    transfer.stages.append(lambda left: practise_on(transfer, "intermediate", steps_of(share, left), between))


_WILL_NOT_DO = "approach intermediate_task: option 'domain': '{}' will not do; "


def _check(modality: str, name: str, options: dict[str, Any]) -> None:
    """Raise :class:`PluginError` unless there is a dataset of that name and modality."""
    try:
        other = plugins.find("datasets", name).modality(options)
    except PluginError as error:
        raise PluginError(f"{_WILL_NOT_DO.format(name)}{error}") from None
    if other != modality:
        raise PluginError(f"{_WILL_NOT_DO.format(name)}it is of modality {other}; name one of modality {modality}")


def _related(transfer: Transfer) -> str:
    taken = {transfer.data.name, transfer.source.name if transfer.source else ""}
    left = [name for name in _RELATED.get(transfer.model.modality, ()) if name not in taken]
    if not left:
        raise NotApplicable(
            f"no embedded domain of modality {transfer.model.modality} lies between; name one with the option domain"
        )
    return left[0]
