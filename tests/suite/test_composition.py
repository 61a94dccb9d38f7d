"""What may stand together in a composition, and what contradicts itself."""

from pathlib import Path
from typing import Any

import pytest

from bench import plugins
from bench.plugins import Plugin
from bench.suite.composition import DECISIONS, OFFERS, contradiction
from tests.plans import refused_run, write

WEIGHTS, END = DECISIONS["weights"], DECISIONS["head"]


def approach(name: str, **constants: Any) -> Plugin:
    return Plugin("approaches", name, f"bench.approaches.{name}", name, Path(f"{name}.py"), constants=constants)


def written_out(composition: str) -> list[Plugin]:
    return [plugins.find("approaches", part) for part in composition.split(" + ")]


def said_of(*parts: Plugin) -> str:
    """The problem with approaches in this order; empty where there is none."""
    found = contradiction(list(parts), " + ".join(part.name for part in parts))
    return found[0] if found else ""


@pytest.mark.parametrize(
    ("written", "decision"),
    [
        ("full_finetuning + lora", WEIGHTS),
        ("lora + full_finetuning", WEIGHTS),
        ("full_finetuning + bitfit", WEIGHTS),
        ("full_finetuning + augmentation + head_only", END),
        ("full_finetuning + feature_extraction", END),
        ("head_only + feature_extraction", END),
        ("bitfit + head_only", WEIGHTS),
        ("bitfit + lora", WEIGHTS),
        ("layer_transfer + lora", WEIGHTS),
        ("layer_transfer + feature_extraction", END),
        ("progressive_networks + lora", WEIGHTS),
    ],
)
def test_there_is_one_opinion_on_what_trains(written: str, decision: str) -> None:
    one, *_, other = written.split(" + ")
    assert said_of(*written_out(written)) == f"{one} and {other} both decide {decision}"


def test_it_is_refused_before_anything_is_trained(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = refused_run(capsys, write(tmp_path, {"approaches": ["augmentation", "bitfit + head_only"]}))
    assert said == f"approaches.bitfit + head_only: bitfit and head_only both decide {WEIGHTS}; keep one of them"


@pytest.mark.parametrize(
    "written",
    [
        "feature_extraction + lora",
        "feature_extraction + bitfit",
        "lora + discriminative_rates",
        "layer_transfer + discriminative_rates + gradual_unfreezing",
        "distillation + bitfit",
        "progressive_networks + augmentation",
        "full_finetuning + discriminative_rates",
    ],
)
def test_what_goes_together(written: str) -> None:
    assert said_of(*written_out(written)) == ""


@pytest.mark.parametrize("decision", DECISIONS)
def test_two_that_decide_the_same_contradict_each_other(decision: str) -> None:
    one, other = approach("one", DECIDES=(decision,)), approach("other", DECIDES=(decision, "elsewhere"))
    neither = approach("neither", DECIDES=("elsewhere_too",))
    for parts in ((one, other), (one, neither, other), (neither, one, other)):
        assert said_of(*parts) == f"one and other both decide {DECISIONS[decision]}"
    assert said_of(one, neither) == said_of(neither, other) == said_of(one) == ""


def test_the_pretrained_model_is_not_both_kept_and_replaced() -> None:
    keeping, replacing = approach("keeping", KEEPS_PRETRAINED=True), approach("replacing", REPLACES_MODEL=True)
    problem = "keeping holds the model to what it was pretrained as, and replacing replaces that"
    assert said_of(replacing, keeping) == said_of(keeping, replacing) == problem
    assert said_of(keeping, approach("also", KEEPS_PRETRAINED=True)) == ""


@pytest.mark.parametrize("written", ["from_scratch + layer_transfer", "distillation + layer_transfer"])
def test_layers_of_a_model_that_is_replaced_are_not_transferred(written: str) -> None:
    problem = said_of(*written_out(written))
    assert problem.startswith("layer_transfer holds the model to what it was pretrained as")


def test_what_replaces_the_model_is_alone_in_that_and_first() -> None:
    one, other, plain = approach("one", REPLACES_MODEL=True), approach("other", REPLACES_MODEL=True), approach("plain")
    assert said_of(one, plain, other) == "one and other both replace the model"
    assert said_of(plain, one) == "one replaces the model, and with it what stands before it in 'plain + one'"
    assert said_of(one, plain) == ""


def test_a_part_stands_once_and_trains() -> None:
    plain, still = approach("plain"), approach("still", TRAINS=False)
    assert said_of(plain, approach("between"), plain) == "plain stands twice in 'plain + between + plain'"
    assert said_of(plain, still) == "still trains nothing, so nothing can be added to it"
    assert said_of(still) == ""


@pytest.mark.parametrize("name", plugins.names("approaches"))
def test_approaches_state_what_there_are_words_for(name: str) -> None:
    constants = plugins.find("approaches", name).constants
    assert set(constants.get("DECIDES", ())) <= DECISIONS.keys()
    assert set(constants.get("NEEDS", ())) <= OFFERS.keys()
    assert isinstance(constants.get("DECIDES", ()), tuple), "a name alone would be read as letters"
    assert isinstance(constants.get("NEEDS", ()), tuple)
