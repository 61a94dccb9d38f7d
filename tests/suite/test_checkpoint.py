"""Checkpoints a suite names: found beside it, refused where they cannot be loaded, and told apart by what they hold."""

import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from bench.suite import checkpoint
from tests.plans import Changes, cells, refused, write


def named(checkpoint: str) -> Changes:
    """The suite's model as a checkpoint."""
    return {"models/tiny": {"family": "causal_lm", "checkpoint": checkpoint}}


def make(folder: Path, value: float = 0.0) -> Path:
    """A folder that looks like a checkpoint."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text("{}")
    save_file({"weight": np.full((3, 2), value, dtype=np.float32)}, folder / "model.safetensors")
    return folder


def planned(capsys: pytest.CaptureFixture[str], path: Path) -> str:
    """What a plan says to the suite, without the file's name."""
    return refused(capsys, "plan", path).removeprefix(f"bench: {path}: ")


def key(folder: Path, name: str) -> str:
    (cell,) = cells(folder, named(name), approach="lora")
    return cell.key


@pytest.mark.parametrize("name", ["model", "./model", "inner/../model"])
def test_a_path_starts_at_the_suite_s_folder(name: str, tmp_path: Path) -> None:
    make(tmp_path / "model")
    (tmp_path / "inner").mkdir()
    (cell,) = cells(tmp_path, named(name), approach="lora")
    assert cell.model.checkpoint == str(tmp_path / "model")
    assert cell.model.fingerprint


def test_then_at_the_current_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "suites").mkdir()
    make(tmp_path / "model", 1)
    monkeypatch.chdir(tmp_path)
    (cell,) = cells(tmp_path / "suites", named("model"), approach="lora")
    assert cell.model.checkpoint == str(tmp_path / "model")
    make(tmp_path / "suites" / "model", 2)
    (cell,) = cells(tmp_path / "suites", named("model"), approach="lora")
    assert cell.model.checkpoint == str(tmp_path / "suites" / "model")


@pytest.mark.parametrize("name", ["gpt2", "openai-community/gpt2", "EleutherAI/pythia-70m-deduped.v0"])
def test_anything_else_is_a_hub_id(name: str, tmp_path: Path) -> None:
    assert checkpoint.resolve(name, tmp_path) == (name, None)
    (cell,) = cells(tmp_path, named(name), approach="lora")
    assert (cell.model.checkpoint, cell.model.fingerprint) == (name, None)


@pytest.mark.parametrize(
    "name", ["", "./model", "../model", "/no/such/model", "a/b/c", "~/no/such/model", "a b", "a/../b", "-x", "a/", "é"]
)
def test_what_is_neither(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = planned(capsys, write(tmp_path, named(name)))
    remedy = "name a folder or a hub id such as openai-community/gpt2"
    assert said == f"models.tiny.checkpoint: no folder {name!r}; {remedy}"


@pytest.mark.parametrize("name", ["~nobody-of-this-name/model", "a\0b", "x" * 9999])
def test_what_no_system_can_look_up(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = planned(capsys, write(tmp_path, named(name)))
    assert said.startswith("models.tiny.checkpoint: ")
    assert said.endswith("; name a folder you may read, or a hub id")


def test_a_folder_without_weights(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make(tmp_path / "model")
    (model / "model.safetensors").unlink()
    said = refused(capsys, "plan", write(tmp_path, named("model")))
    assert said.endswith(
        f"models.tiny.checkpoint: {model}: it holds no weights; it needs config.json and *.safetensors"
    )


@pytest.mark.parametrize("name", ["pytorch_model.bin", "unet/model.pt", "weights.ckpt"])
def test_a_folder_with_pickles_only(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = make(tmp_path / "model")
    (model / "model.safetensors").unlink()
    (model / name).parent.mkdir(exist_ok=True)
    (model / name).touch()
    said = refused(capsys, "plan", write(tmp_path, named("model")))
    problem = f"it holds pickle weights only ({Path(name).name}), which can run code"
    remedy = "save the model again with save_pretrained, as safetensors"
    assert said.endswith(f"models.tiny.checkpoint: {model}: {problem}; {remedy}")


def test_what_is_not_there_has_a_key_of_its_own_until_it_is(tmp_path: Path) -> None:
    missing = key(tmp_path, "./model")
    assert key(tmp_path, "./model") == missing
    assert key(tmp_path, "./other") != missing
    hub = key(tmp_path, "gpt2")
    (tmp_path / "gpt2").touch()
    assert key(tmp_path, "gpt2") != hub, "a file is not the hub's model of that name"
    make(tmp_path / "model")
    assert key(tmp_path, "./model") != missing


def test_two_folders_without_weights_are_two_models(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (make(tmp_path / name) / "model.safetensors").unlink()
    assert key(tmp_path, "one") != key(tmp_path, "two")


def test_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = make(tmp_path / "model") / "model.safetensors"
    said = planned(capsys, write(tmp_path, named("model/model.safetensors")))
    assert said == f"models.tiny.checkpoint: {weights} is a file; name the folder that holds it"


def test_a_folder_one_may_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def forbidden(path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(path))

    make(tmp_path / "model")
    path = write(tmp_path, named("model"))
    monkeypatch.setattr(Path, "read_bytes", forbidden)
    assert "Permission denied" in planned(capsys, path)


# What it holds ------------------------------------------------------------------------------------------------------


def test_the_key_is_of_the_content_wherever_it_lies(tmp_path: Path) -> None:
    make(tmp_path / "one")
    make(tmp_path / "elsewhere" / "other")
    assert key(tmp_path, "one") == key(tmp_path, "elsewhere/other")


def test_below_a_cache_folder_the_content_counts_too(tmp_path: Path) -> None:
    make(tmp_path / ".cache" / "one", value=1.0)
    make(tmp_path / ".cache" / "two", value=2.0)
    assert key(tmp_path, "./.cache/one") != key(tmp_path, "./.cache/two")


@pytest.mark.parametrize("file", ["model.safetensors", "config.json", "tokenizer.json", "sub/new.txt"])
def test_the_key_changes_with_every_file(file: str, tmp_path: Path) -> None:
    model = make(tmp_path / "model")
    before = key(tmp_path, "model")
    (model / file).parent.mkdir(exist_ok=True)
    (model / file).write_bytes(b"changed")
    assert key(tmp_path, "model") != before


def test_downloads_of_a_hub_client_do_not_count(tmp_path: Path) -> None:
    model = make(tmp_path / "model")
    before = key(tmp_path, "model")
    (model / ".cache").mkdir()
    (model / ".cache" / "lock").touch()
    assert key(tmp_path, "model") == before


def test_one_byte_in_the_middle_of_a_large_file_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint, "_LARGE", 16)
    weights = make(tmp_path / "model") / "model.safetensors"
    before = key(tmp_path, "model")
    assert key(tmp_path, "model") == before
    content = bytearray(weights.read_bytes())
    content[len(content) // 2] ^= 1
    weights.write_bytes(content)
    assert key(tmp_path, "model") != before


def test_a_large_file_is_hashed_once_until_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(checkpoint, "_LARGE", 16)
    weights = make(tmp_path / "model") / "model.safetensors"
    found = [checkpoint.resolve("model", tmp_path) for _ in range(2)]
    made = list((tmp_path / "cache" / "checkpoints").glob("*/sha256"))
    assert found[0] == found[1]
    assert len(made) == 1
    os.utime(weights, ns=(0, 0))
    assert checkpoint.resolve("model", tmp_path) == found[0]
    assert len(list((tmp_path / "cache" / "checkpoints").glob("*/sha256"))) == 2


def test_a_checkpoint_s_source_is_a_name_that_tables_show(tmp_path: Path) -> None:
    model = named("gpt2")
    assert {c.model.source_name for c in cells(tmp_path, model)} == {""}
    model["models/tiny"]["source"] = "openai/webtext"
    assert {c.asked("run")["source"] for c in cells(tmp_path, model)} == {"openai/webtext"}
    assert {c.model.source_name for c in cells(tmp_path)} == {"python_reference"}  # a recipe's own
