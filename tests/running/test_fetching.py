"""What a suite needs of the hub: chosen, fetched from a hub on loopback, and used without a network afterwards."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from huggingface_hub import constants

from bench import __main__
from bench.checkpoints import hub
from bench.errors import CheckpointError
from bench.model import Model
from bench.suite import loading
from bench.suite.cell import ModelSpec
from bench.training import pretrained
from tests import fake_hub, tiny
from tests.models import language_model, saved, unet

MODELS: dict[str, Callable[[], Model]] = {"causal_lm": language_model, "diffusion": unet}

LISTINGS = {
    "gpt2": """
        README.md pytorch_model.bin onnx/decoder_model.onnx flax_model.msgpack
        + config.json merges.txt model.safetensors tokenizer.json vocab.json""",
    "in parts": """
        model.fp16.safetensors tokenization_mine.py
        + config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors model.safetensors.index.json
        spiece.model""",
    "a pipeline": """
        v1-5-pruned.safetensors v1-5-pruned.ckpt unet/diffusion_pytorch_model.fp16.safetensors
        unet/diffusion_pytorch_model.bin safety_checker/model.safetensors
        + model_index.json text_encoder/model.safetensors unet/config.json unet/diffusion_pytorch_model.safetensors""",
    "names of its own": "+ config.json generator.safetensors",
    "pickles alone": "config.json pytorch_model.bin model.pt +",
}
"""Files that a model is not loaded from, and those it is."""


@pytest.mark.parametrize("name", LISTINGS)
def test_what_a_model_is_loaded_from_is_chosen(name: str) -> None:
    others, wanted = (part.split() for part in LISTINGS[name].split("+"))
    assert hub.chosen([*others, *wanted]) == sorted(wanted)


def test_code_is_chosen_where_it_is_asked_for() -> None:
    assert hub.chosen(["mine.py", "model.safetensors"], code=True) == ["mine.py", "model.safetensors"]


# Without a network ----------------------------------------------------------------------------------------------------


@pytest.fixture
def offline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Hugging Face home of a machine that has no network."""
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    return tmp_path


@pytest.mark.parametrize("family", MODELS)
@pytest.mark.parametrize("revision", [None, "main", fake_hub.COMMIT])
def test_a_fetched_model_is_loaded(family: str, revision: str | None, offline: Path, tmp_path: Path) -> None:
    model = MODELS[family]()
    fake_hub.cached(offline, "models", "org/model", fake_hub.in_folder(saved(model, tmp_path / "model")))
    loaded = pretrained.load(ModelSpec(family=family, checkpoint="org/model", revision=revision)).network.state_dict()
    assert all((loaded[name] == value).all() for name, value in model.network.state_dict().items())


@pytest.mark.parametrize("family", MODELS)
def test_what_is_missing_says_what_to_do(family: str, offline: Path, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError) as raised:
        pretrained.load(ModelSpec(family=family, checkpoint="org/model"))
    cache, remedy = tmp_path / "hub", "run `bench fetch SUITE` where there is a network"
    assert str(raised.value) == f"checkpoint org/model: not in the hub's cache {cache}; {remedy}"
    files = fake_hub.in_folder(saved(MODELS[family](), tmp_path / "model"))
    fake_hub.cached(
        offline, "models", "org/model", {name: made for name, made in files.items() if "config" not in name}
    )
    with pytest.raises(CheckpointError, match=r"^checkpoint org/model: .*; if something .*, run `bench fetch SUITE`"):
        pretrained.load(ModelSpec(family=family, checkpoint="org/model"))


def test_a_hosted_model_and_a_folder_are_nothing_to_fetch(tmp_path: Path) -> None:
    assert not hub.is_hub(ModelSpec(family="hosted_lm", checkpoint="org/model"))
    assert not hub.is_hub(ModelSpec(family="causal_lm", checkpoint=str(tmp_path)))
    assert hub.is_hub(ModelSpec(family="causal_lm", checkpoint="org/model"))


def of_the_hub(folder: Path, **changes: Any) -> Path:
    """A suite of a model and a dataset of the hub."""
    model = {"family": "causal_lm", "checkpoint": "org/model", "options": {"context": 12, "max_new_tokens": 4}}
    mine = {"name": "mine", "dataset": "hub_dataset", "options": {"id": "org/texts", "columns": ["text"]}}
    return tiny.write(
        folder, **{"models": {"m": model}, "datasets": [mine], "approaches": ["full_finetuning"]} | changes
    )


def test_what_a_suite_needs_is_listed_once(offline: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("datasets")
    path = of_the_hub(tmp_path, seeds=[0, 1])
    assert len(loading.load(path).cells) > 2
    assert __main__.main(["fetch", str(path)]) == 2
    assert capsys.readouterr().err.count("\n") == 2, "a line for each"
    fake_hub.cached(offline, "models", "org/model", {"model.safetensors": b""})
    assert __main__.main(["fetch", str(path)]) == 2
    said = capsys.readouterr()
    assert (said.out, said.err.count("\n")) == ("model org/model: there already\n", 1), (
        "what there is comes all the same"
    )
    fake_hub.cached(offline, "datasets", "org/texts", {"data/train.parquet": fake_hub.parquet({"text": ["a"]})})
    assert __main__.main(["fetch", str(path)]) == 0
    of = "(id: org/texts, columns: ['text'])"
    listed = ["model org/model: there already", f"dataset hub_dataset {of}: there already"]
    assert capsys.readouterr().out.splitlines() == listed
    assert __main__.main(["fetch", str(path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0] == {"name": "model org/model", "fetched": False, "fault": ""}


def test_weights_of_metrics_are_needed_too(
    offline: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = {"architecture": {}, "source": "captioned_glyphs", "steps": 1}
    models = {"m": {"family": "text_to_image", "recipe": recipe}}
    metrics = [{"caption_match": {"clip": "org/clip"}}, {"fidelity": {"space": "inception_v3"}}]
    path = tiny.write(tmp_path, models=models, datasets=["captioned_digits"], metrics=metrics)
    fake_hub.cached(offline, "models", "org/clip", {"model.safetensors": b""})
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "torch"))
    kept = tmp_path / "torch" / "checkpoints" / "weights-inception-2015-12-05-6726825d.pth"
    kept.parent.mkdir(parents=True)
    kept.touch()
    assert __main__.main(["fetch", str(path)]) == 0
    said = ["model org/clip: there already", "feature space inception_v3: there already"]
    assert capsys.readouterr().out.splitlines() == said


def test_most_suites_need_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert __main__.main(["fetch", "quickstart"]) == 0
    assert capsys.readouterr().out == "nothing to fetch: all it needs is made here\n"


# From a hub ----------------------------------------------------------------------------------------------------------


def bench(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own: the hub's client reads its variables when it is imported."""
    kept = {name: value for name, value in tiny.environment().items() if not name.startswith("HF_")}
    environment = kept | {"HF_HOME": str(cwd / "home"), "HF_HUB_DISABLE_TELEMETRY": "1"} | variables
    command = [sys.executable, "-m", "bench", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


def test_fetched_once_and_run_without_a_network(tmp_path: Path) -> None:
    pytest.importorskip("datasets")
    made = fake_hub.in_folder(saved(language_model(), tmp_path / "model"))
    texts = fake_hub.parquet({"text": [f"The number {number} and so on." for number in range(60)]})
    repositories = {
        ("models", "org/model"): made | {"pytorch_model.bin": b"a pickle"},
        ("datasets", "org/texts"): {"data/train-00000-of-00001.parquet": texts, "other/notes.bin": b"not needed"},
    }
    path = of_the_hub(tmp_path)
    with fake_hub.served(repositories) as (address, downloaded):
        first = bench("fetch", str(path), cwd=tmp_path, HF_ENDPOINT=address)
        assert first.returncode == 0, first.stderr
        assert [line.rpartition(": ")[2] for line in first.stdout.splitlines()] == ["fetched", "fetched"]
        wanted = {f"org/model/{name}" for name in made} | {"org/texts/data/train-00000-of-00001.parquet"}
        assert set(downloaded) == wanted
    ran = bench("run", str(path), "--workers", "1", cwd=tmp_path, HF_HUB_OFFLINE="1", HF_ENDPOINT=address)
    assert ran.returncode == 0, ran.stderr
    statuses = {record["happened"]["status"] for record in tiny.records(tiny.latest(path)).values()}
    assert statuses == {"ok"}


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"checkpoint": "org/nobody"},
            "checkpoint org/nobody: the hub has no such model; check the id, or set HF_TOKEN",
        ),
        (
            {"checkpoint": "org/pickle"},
            "checkpoint org/pickle: it holds no safetensors; name a revision or a repository",
        ),
    ],
    ids=str,
)
def test_what_cannot_be_fetched_is_one_line(changes: dict[str, Any], wanted: str, tmp_path: Path) -> None:
    path = of_the_hub(tmp_path, models={"m": {"family": "causal_lm"} | changes}, datasets=["python_reference"])
    with fake_hub.served({("models", "org/pickle"): {"config.json": b"{}", "pytorch_model.bin": b""}}) as (address, _):
        done = bench("fetch", str(path), cwd=tmp_path, HF_ENDPOINT=address)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert done.stderr.startswith(f"bench: {wanted}")


def test_no_network_is_one_line(tmp_path: Path) -> None:
    path = of_the_hub(tmp_path, datasets=["python_reference"])
    done = bench("fetch", str(path), cwd=tmp_path, HF_ENDPOINT="http://127.0.0.1:9")
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert "checkpoint org/model: cannot be fetched from http://127.0.0.1:9" in done.stderr
