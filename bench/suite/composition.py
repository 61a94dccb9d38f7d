"""What may be put together: the parts of an approach with each other, and an approach with a family. No torch."""

import itertools
from typing import Any

from bench import plugins
from bench.plugins import Plugin
from bench.suite.declaration import ApproachEntry, Declaration
from bench.suite.overrides import Chain
from bench.words import cut, shown

DECISIONS = {
    "weights": "which of the pretrained weights train",
    "head": "what becomes of the generating end",
    "order": "the order of the examples",
    "examples": "which examples are learned from",
    "rate": "the course of the learning rate",
    "thaw": "when weights thaw",
}
"""What approaches state in ``DECIDES``: there can be one opinion on each."""

OFFERS = {
    "audio": "sound",
    "caption": "captions that say what to show",
    "condition": "a condition that what it generates has to meet",
    "context": "a context that examples can stand in",
    "critic": "a critic that tells real from generated",
    "image": "images",
    "latent": "a latent that one pass of the network turns into data",
    "likelihood": "a likelihood",
    "likelihood_bound": "a bound on the likelihood",
    "molecule": "molecules",
    "network": "a network that can be trained here",
    "objective": "a loss of each example",
    "pseudo_likelihood": "a pseudo-likelihood",
    "reconstruction": "a way from data to code and back",
    "samples": "samples",
    "soft_prompts": "an input that learned vectors can be put before",
    "source": "a known source domain (models.….source)",
    "text": "text",
}
"""What families offer and approaches need, in words."""


def chain(suite: Declaration, entry: ApproachEntry) -> Chain:
    """``lora + augmentation`` as plugins with all their options; contradictions are refused."""
    key = f"approaches.{entry.name}"
    found = [suite.find(key, "approaches", part) for part in entry.parts]
    if fault := contradiction(found, entry.approach):
        raise suite.error(key, *fault)
    if len(found) == 1:
        return [(found[0], suite.options(f"{key}.options", found[0], entry.options))]
    for name, options in entry.options.items():
        if name not in entry.parts:
            problem, remedy = (
                f"{cut(name, 100)!r} is not part of {cut(entry.approach, 200)!r}",
                f"use: {', '.join(entry.parts)}",
            )
            raise suite.error(f"{key}.options", problem, remedy)
        if not isinstance(options, dict):
            raise suite.error(f"{key}.options.{name}", f"{shown(options)} will not do", "it should be a mapping")
    return [
        (plugin, suite.options(f"{key}.options.{plugin.name}", plugin, entry.options.get(plugin.name, {})))
        for plugin in found
    ]


def contradiction(parts: list[Plugin], written: str) -> tuple[str, str] | None:
    """Problem and remedy where the parts of a composition cannot go together in this order."""
    for plugin in parts:
        if parts.count(plugin) > 1:
            return f"{plugin.name} stands twice in {cut(written, 200)!r}", "name it once"
        if len(parts) > 1 and not plugin.constants.get("TRAINS", True):
            return f"{plugin.name} trains nothing, so nothing can be added to it", "let it stand alone"
    replacing = [plugin.name for plugin in parts if plugin.constants.get("REPLACES_MODEL")]
    if len(replacing) > 1:
        return f"{' and '.join(replacing)} both replace the model", "keep one of them"
    for one, other in itertools.combinations(parts, 2):
        for decision in sorted(_stated(one, "DECIDES") & _stated(other, "DECIDES")):
            return f"{one.name} and {other.name} both decide {DECISIONS[decision]}", "keep one of them"
    keeping = [plugin.name for plugin in parts if plugin.constants.get("KEEPS_PRETRAINED")]
    if replacing and keeping:
        problem = f"{keeping[0]} holds the model to what it was pretrained as, and {replacing[0]} replaces that"
        return problem, "keep one of them"
    if replacing and parts[0].name != replacing[0]:
        return (
            f"{replacing[0]} replaces the model, and with it what stands before it in {cut(written, 200)!r}",
            "name it first",
        )
    return None


def inapplicable(parts: list[Plugin], family: Plugin, also: tuple[str, ...] = ()) -> str:
    """Why an approach has no meaning for a family; empty where it has one.

    Args:
        parts: what the approach is composed of.
        family: of the model.
        also: what this model offers beside what its family does.
    """
    offered = {*family.stated("OFFERS"), *also}
    for part in parts:
        needed_first = {"network"} if part.constants.get("TRAINS", True) else set()
        if missing := sorted(needed_first - offered) or sorted(_stated(part, "NEEDS") - offered):
            needed = " and ".join(OFFERS.get(need, need) for need in missing)
            return f"{part.name} needs {needed}; {family.name} has none"
    return ""


def matrix() -> dict[str, dict[str, str]]:
    """Approach to family to why it has no meaning there; empty where it has one. Models are taken to know a source."""
    families, approaches = plugins.available("families"), plugins.available("approaches")
    return {
        approach.name: {family.name: inapplicable([approach], family, also=("source",)) for family in families}
        for approach in approaches
    }


def _stated(plugin: Plugin, constant: str) -> set[Any]:
    return set(plugin.constants.get(constant, ()))
