"""What is exported says the same where nothing of ours is: families × approaches, loaded by a process without bench."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AutoencoderKL
from huggingface_hub import constants
from torch import Tensor, nn

from bench.dataset import Columns
from bench.errors import BenchError
from bench.families.audio import Audio
from bench.model import Model
from bench.running.export import writing
from bench.suite.cell import DatasetSpec, ModelSpec, Recipe
from bench.training import pretrained
from bench.transfer import Transfer
from tests import fake_hub
from tests.models import (
    TRAINED,
    batch_of,
    data_of,
    model_of,
    outputs,
    pool_of,
    prepare,
    saved,
    small,
    source_of,
    transfer_of,
)
from tests.running.export import outside

ALONE = {"cyclegan", "gan", "vae"}
"""Families whose small model no other library has a network of."""

CASES = [
    *((family, "full_finetuning", "whole") for family in TRAINED),
    *((family, "lora", "adapter") for family in ("causal_lm", "masked_lm", "molecules", "seq2seq")),
    *((family, "lora", "merged") for family in ("diffusion", "text_to_image", "audio", "vae")),
    *((family, "ia3", "adapter") for family in ("causal_lm", "seq2seq")),
    *((family, "distillation", "whole") for family in ("causal_lm", "seq2seq", "diffusion", "text_to_image")),
    ("causal_lm", "dora + augmentation", "adapter"),
    ("causal_lm", "prompt_tuning", "adapter"),
    ("seq2seq", "prompt_tuning", "adapter"),
    ("causal_lm", "bitfit", "whole"),
    ("masked_lm", "from_scratch", "whole"),
    ("diffusion", "ia3", "merged"),
]
REFUSED = {
    ("causal_lm", "adapter"): "it puts weights of its own into the network (network.transformer.h.0.adapter.down.",
    ("diffusion", "adapter"): "it puts weights of its own into the network (network.",
    ("causal_lm", "progressive_networks"): "another network runs beside it whenever it does",
    ("text_to_image", "textual_inversion"): "it puts weights of its own into the network (network.text_encoder.",
    ("gan", "lora"): "what was written says something else when it is loaded",  # its layers scale their weights
    ("gan", "minegan"): "which the family's own format has no place for",
}


@dataclass
class Made:
    """What became of an export.

    Attributes:
        said: what it says of itself.
        folder: where it is.
        effect: how far training moved the outputs, as a share of the largest.
    """

    said: dict[str, Any]
    folder: Path
    effect: float
    outside: dict[str, Any] = field(default_factory=dict)


def trained(spec: ModelSpec, approach: str) -> Transfer:
    """A transfer whose weights have other values than they began with, as if it had learned."""
    source, pool = source_of(spec.family), pool_of(spec.family)
    transfer = transfer_of(pretrained.load(spec), data_of(spec.family), steps=8, source=source, pool=pool)
    prepare(transfer, approach)
    torch.manual_seed(1)
    stored = transfer.stored()
    with torch.no_grad():
        for name, weight in transfer.model.named_parameters():
            if name in stored:
                weight.add_(torch.randn_like(weight), alpha=0.05)
    transfer.model.eval()
    return transfer


def doors(model: Model) -> dict[str, nn.Module]:
    """Where a library's own user enters the network: path in what its ``from_pretrained`` returns, to the module."""
    network: Any = model.network
    if isinstance(getattr(network, "body", None), AutoencoderKL):
        return {"encoder": network.body.encoder, "decoder": network.body.decoder}
    assert model.read_by
    pipeline = model.read_by.name.endswith("Pipeline")
    if pipeline and hasattr(network, "text_encoder"):
        return {"unet": network.unet, "text_encoder": network.text_encoder}
    return {"unet" if pipeline else "": network}


@contextmanager
def overheard(model: Model) -> Iterator[list[Any]]:
    """What the network is told meanwhile, and what it says."""
    heard: list[Any] = []

    def hook(path: str) -> Any:
        def hear(_: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
            plain = {name: value for name, value in kwargs.items() if isinstance(value, Tensor | bool)}
            heard.append((path, args, plain, outside.first(output)))

        return hear

    hooks = [module.register_forward_hook(hook(path), with_kwargs=True) for path, module in doors(model).items()]
    yield heard
    for one in hooks:
        one.remove()


def export(transfer: Transfer, spec: ModelSpec, folder: Path, *, merged: bool = False) -> Made:
    model, data = transfer.model, transfer.data
    made = Made({}, folder / "model", effect=0.0)
    before, after = outputs(pretrained.load(spec), data), outputs(model, data)
    made.effect = 1.0 if before.shape != after.shape else float((after - before).abs().max() / before.abs().max())
    if model.read_by:
        with overheard(model) as heard, torch.no_grad():
            model(batch_of(model, data))
        folder.mkdir()
        torch.save(heard, folder / "calls.pt")
        if model.read_by.tokenizer:
            items = data.validation["target"] if isinstance(data.validation, Columns) else data.validation
            texts = [*map(str, items[:3]), "Ünïcode, 12 + 3", " two  spaces"]
            tokenizer: Any = model.tokenizer
            made.outside = {"texts": texts}
            made.outside["tokens"] = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    made.folder.mkdir(parents=True)
    made.said = writing.written(transfer, spec, "this", made.folder, merged=merged)
    made.outside |= made.said | {"folder": str(made.folder), "calls": str(folder / "calls.pt")}
    return made


def spec_of(family: str, model: Model, folder: Path, **options: Any) -> ModelSpec:
    return ModelSpec(family=family, checkpoint=str(saved(model, folder)), options=options)


@pytest.fixture(scope="module")
def checkpoints(tmp_path_factory: pytest.TempPathFactory) -> dict[str, ModelSpec]:
    folder = tmp_path_factory.mktemp("pretrained")
    return {family: spec_of(family, model_of(family), folder / family, **small(family).OPTIONS) for family in TRAINED}


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory, checkpoints: dict[str, ModelSpec]) -> dict[str, Made]:
    folder = tmp_path_factory.mktemp("exported")
    made: dict[str, Made] = {}
    for family, approach, kind in CASES:
        spec = checkpoints[family]
        name = f"{family} {approach} {kind}"
        made[name] = export(trained(spec, approach), spec, folder / name)
    spec = checkpoints["causal_lm"]
    made["causal_lm lora merged"] = export(trained(spec, "lora"), spec, folder / "merged", merged=True)
    audio = small("audio")
    for kind in ("WAVEFORM", "MEL"):
        spec = spec_of("audio", audio.model(getattr(audio, kind)), folder / f"audio-{kind}", **audio.OPTIONS)
        made[f"audio {kind}"] = export(trained(spec, "lora"), spec, folder / kind)
    return made


@pytest.fixture(scope="module")
def differences(exported: dict[str, Made], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What a process that has no bench finds."""
    cases = {name: made.outside for name, made in exported.items() if made.said["reader"]}
    file = tmp_path_factory.mktemp("outside") / "cases.json"
    file.write_text(json.dumps(cases))
    known = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | {"HF_HUB_OFFLINE": "1"}
    command = [sys.executable, outside.__file__, str(file)]
    ran = subprocess.run(command, cwd=file.parent, env=known, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    found: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert found.keys() == cases.keys()
    return found


NAMES = [" ".join(case) for case in CASES]
MORE = ["causal_lm lora merged", "audio WAVEFORM", "audio MEL"]


@pytest.mark.parametrize("name", [*(name for name in NAMES if name.split()[0] not in ALONE), *MORE])
def test_what_is_loaded_without_bench_says_the_same(
    name: str, exported: dict[str, Made], differences: dict[str, Any]
) -> None:
    assert exported[name].effect > 1e-2, "training made a difference, so that the pretrained model would not pass"
    assert isinstance(differences[name], float), differences[name]
    assert differences[name] < 1e-4


@pytest.mark.parametrize("case", CASES, ids=NAMES)
def test_each_is_what_its_approach_allows(case: tuple[str, str, str], exported: dict[str, Made]) -> None:
    family, _, kind = case
    said, folder = exported[" ".join(case)].said, exported[" ".join(case)].folder
    assert said["kind"] == kind, said["instead"]
    assert bool(said["reader"]) == (family not in ALONE)
    assert (
        (folder / "adapter_config.json").exists()
        == (folder / "adapter_model.safetensors").exists()
        == (kind == "adapter")
    )
    assert any(folder.rglob("*.safetensors"))
    assert not [path for path in folder.rglob("*") if path.suffix in (".bin", ".pt", ".pkl", ".ckpt")]
    assert said["difference"] < 1e-4
    assert said["bytes"] == sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def test_what_our_families_alone_read_is_read_by_them(
    exported: dict[str, Made], checkpoints: dict[str, ModelSpec]
) -> None:
    for family in ALONE:
        made = exported[f"{family} full_finetuning whole"]
        again = pretrained.load(checkpoints[family].model_copy(update={"checkpoint": str(made.folder)}))
        told = outputs(trained(checkpoints[family], "full_finetuning").model, data_of(family))
        assert torch.allclose(outputs(again, data_of(family)), told)


@pytest.mark.parametrize(("family", "approach"), REFUSED)
def test_what_no_library_can_hold_is_refused(
    family: str, approach: str, checkpoints: dict[str, ModelSpec], tmp_path: Path
) -> None:
    transfer = trained(checkpoints[family], approach)
    with pytest.raises(BenchError) as error:
        writing.written(transfer, checkpoints[family], "this", tmp_path, merged=False)
    assert REFUSED[family, approach] in str(error.value)
    assert "\n" not in str(error.value)


def test_what_hooks_do_is_in_no_file_and_is_found_out(checkpoints: dict[str, ModelSpec], tmp_path: Path) -> None:
    for number, approach in enumerate(("full_finetuning", "lora")):
        transfer = trained(checkpoints["causal_lm"], approach)
        network: Any = transfer.model.network
        network.transformer.h[1].register_forward_hook(lambda module, given, output: output * 1.01)
        (into := tmp_path / str(number)).mkdir()
        with pytest.raises(BenchError, match="what was written says something else when it is loaded"):
            writing.written(transfer, checkpoints["causal_lm"], "this", into, merged=False)


def test_weights_that_were_trained_beside_an_adapter_are_merged_with_it(
    checkpoints: dict[str, ModelSpec], tmp_path: Path
) -> None:
    transfer = trained(checkpoints["causal_lm"], "lora")
    network: Any = transfer.model.network
    network.transformer.ln_f.weight.requires_grad_(True)
    with torch.no_grad():
        network.transformer.ln_f.weight *= 1.5
    said = writing.written(transfer, checkpoints["causal_lm"], "this", tmp_path, merged=False)
    assert said["kind"] == "merged"
    assert "network.transformer.ln_f.weight trains" in said["instead"]


def test_an_adapter_of_a_hub_s_model_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    kept = saved(model_of("causal_lm"), tmp_path / "kept")
    fake_hub.cached(tmp_path, "models", "org/model", fake_hub.in_folder(kept))
    spec = ModelSpec(family="causal_lm", checkpoint="org/model", revision="main", options=small("causal_lm").OPTIONS)
    (into := tmp_path / "model").mkdir()
    said = writing.written(trained(spec, "lora"), spec, "this", into, merged=False)
    assert (said["kind"], said["base"], said["difference"]) == ("adapter", "org/model", 0.0)
    told = json.loads((into / "adapter_config.json").read_text())
    assert (told["base_model_name_or_path"], told["revision"]) == ("org/model", "main")
    assert not (into / "base").exists()
    assert all(str(tmp_path).encode() not in path.read_bytes() for path in into.iterdir())


def test_an_adapter_of_a_model_that_was_made_here_brings_it_along(tmp_path: Path) -> None:
    architecture = {"model_type": "gpt2", "n_layer": 2, "n_embd": 16, "n_head": 2, "vocab_size": 300}
    recipe = Recipe(architecture=architecture, source=DatasetSpec(name="python_reference"), steps=2, batch_size=4)
    spec = ModelSpec(family="causal_lm", recipe=recipe, options=small("causal_lm").OPTIONS)
    (into := tmp_path / "model").mkdir()
    said = writing.written(trained(spec, "lora"), spec, "this", into, merged=False)
    assert (said["kind"], said["base"]) == ("adapter", "base")
    assert {"config.json", "model.safetensors"} <= {path.name for path in (into / "base").iterdir()}


def test_a_model_of_sound_says_whose_pipeline_it_is(exported: dict[str, Made]) -> None:
    assert exported["audio WAVEFORM"].said["reader"] == "diffusers.DanceDiffusionPipeline"
    assert exported["audio MEL"].said["reader"] == "diffusers.UNet2DModel"
    assert isinstance(model_of("audio"), Audio)
