"""Checkpoints that want more than to be weights: none of their code runs, and no file outside of them is read."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from bench.errors import CheckpointError
from bench.families.causal_lm import CausalLM
from bench.suite.cell import ModelSpec
from bench.training import pretrained
from tests.models import language_model, saved


def spec(folder: Path) -> ModelSpec:
    return ModelSpec(family="causal_lm", checkpoint=str(folder))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return saved(language_model(), tmp_path / "checkpoint")


def samples(model: CausalLM) -> list[str]:
    return list(model.decode(model.sample(model.encode(["a text of some length"] * 2), torch.Generator())))


def ran(folder: Path) -> Path:
    return folder.parent / "ran"


def touching(folder: Path) -> str:
    """Code that shows that it ran."""
    return f"import pathlib\npathlib.Path({str(ran(folder))!r}).touch()\ndef generate(*_, **__):\n    pass\n"


def test_a_way_to_generate_that_a_checkpoint_brings_is_not_used(folder: Path) -> None:
    (folder / "custom_generate").mkdir()
    (folder / "custom_generate" / "generate.py").write_text(touching(folder))
    (folder / "generation_config.json").write_text(json.dumps({"custom_generate": str(folder)}))
    model = pretrained.load(spec(folder))
    assert isinstance(model, CausalLM)
    assert samples(model)
    assert not ran(folder).exists()


def test_a_chat_template_is_not_asked(folder: Path) -> None:
    wanted = "{{ cycler.__init__.__globals__.os.system('touch " + str(ran(folder)) + "') }}"
    (folder / "chat_template.jinja").write_text(wanted)
    model = pretrained.load(spec(folder))
    assert isinstance(model, CausalLM)
    assert samples(model)
    assert not ran(folder).exists()


@pytest.mark.parametrize("absolute", [False, True])
def test_shards_are_looked_for_in_the_checkpoint_alone(absolute: bool, folder: Path) -> None:
    """What the index names is there, and is somebody else's."""
    outside = folder.parent / "outside.safetensors"
    (folder / "model.safetensors").rename(outside)
    name = str(outside) if absolute else "../outside.safetensors"
    index = {"metadata": {}, "weight_map": {"transformer.wte.weight": name}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    shutil.copy(outside, folder)  # one of the same name, which is whole
    with pytest.raises(CheckpointError, match=r"names '.*outside.safetensors', which is not beside it; download"):
        pretrained.load(spec(folder))
