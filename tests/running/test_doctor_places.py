"""What the doctor finds in folders, on the network, and of what a suite needs; no network is there."""

import shutil
import tempfile
import time
from collections import namedtuple
from pathlib import Path

import httpx
import pytest
from filelock import FileLock
from huggingface_hub import constants

from bench.running.doctor import Finding, folders, needs
from bench.suite import loading
from tests import tiny
from tests.illness import alone, faults, only, versions

GIB = 2**30


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


# Folders


def looked(**where: Path) -> dict[str, Finding]:
    given = {"results": Path("results"), "reports": Path("reports")} | where
    return {finding.what.split()[0]: finding for finding in folders.disks(**given)}


def test_folders_are_tried_and_left_as_they_were(tmp_path: Path) -> None:
    found = looked()
    assert list(found) == ["results", "reports", "cache", "temp"]
    assert {finding.level for finding in found.values()} <= {"ok", "note"}
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("free", "level"), [(0.1, "fault"), (2, "note"), (50, "ok")])
def test_a_full_disk(free: float, level: str, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(100 * GIB, 0, int(free * GIB)))
    assert {finding.level for finding in looked().values()} == {level}


def test_a_folder_that_nothing_can_be_written_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    found = looked(results=tmp_path / "file" / "results")
    assert found["results"].level == "fault"
    assert found["results"].remedy == "name another with --results"

    def refuse(**_: object) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", refuse)
    assert next(iter(needs.hub_cache())).remedy == "set HF_HOME to a folder that is"
    assert looked()["cache"] == Finding(
        "fault",
        "disk",
        f"cache {tmp_path / 'cache'}: not writable (Read-only file system)",
        "set TRANSFERBENCH_CACHE to a folder that is",
    )


def test_what_a_killed_process_left_in_the_cache(tmp_path: Path) -> None:
    assert "nothing yet" in only(folders.cached()).what
    entry = tmp_path / "cache" / "models" / "0123456789abcdef"
    entry.mkdir(parents=True)
    (entry / "key.json").write_text("{}")
    (lock := Path(f"{entry}.lock")).touch()
    assert only(folders.cached()).what.startswith(f"{tmp_path / 'cache'}: 1 entry, ")
    partial = entry.parent / ".0123456789abcdef-abc"
    partial.mkdir()
    assert [finding.remedy for finding in folders.cached()] == ["", f"rm -r {partial}"]
    with FileLock(lock):
        assert list(folders.cached())[1].what.startswith("1 build under way")


# The network, and suites


def hub_suite(folder: Path) -> loading.Suite:
    """A suite of a checkpoint that is not here."""
    models = {"theirs": {"family": "causal_lm", "checkpoint": "somebody/something", "options": {"context": 32}}}
    return loading.load(tiny.write(folder, models=models))


def test_no_network_is_a_fault_only_where_a_suite_lacks_something(tmp_path: Path) -> None:
    assert only(needs.network(None)).level == "note"
    assert only(needs.network(loading.load(tiny.write(tmp_path)))).level == "note"
    assert faults(needs.network(suite := hub_suite(tmp_path))) == [
        ("model somebody/something is not here, and cannot be had", "run `bench fetch SUITE` where there is a network")
    ]
    snapshot = tmp_path / "hub" / "models--somebody--something" / "snapshots" / "main"
    snapshot.mkdir(parents=True)
    (snapshot / "model.safetensors").touch()
    assert faults(needs.network(suite)) == []
    (blobs := snapshot.parents[1] / "blobs").mkdir()
    (blobs / "00.incomplete").touch()
    assert [finding.level for finding in needs.hub_cache()] == ["ok", "ok", "note"]


def test_with_a_network_it_can_be_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = httpx.Response(200, headers={"date": "Thu, 01 Jan 1970 00:00:00 GMT"})
    monkeypatch.setattr(httpx, "head", lambda *_, **__: answer)
    found = list(needs.network(hub_suite(tmp_path)))
    assert [(finding.level, finding.area) for finding in found] == [
        ("ok", "network"),
        ("note", "clock"),
        ("note", "suite"),
    ]
    assert found[2].remedy == "bench fetch tiny"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    assert next(iter(needs.network(None))).what == "offline: HF_HUB_OFFLINE is set"


def test_a_name_that_takes_long_to_look_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(needs, "_PATIENCE", 0.1)
    monkeypatch.setattr(httpx, "head", lambda *_, **__: time.sleep(2))
    assert only(needs.network(None)).what.endswith("does not answer within 0.1 seconds")


def test_a_suite_whose_extra_or_model_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = loading.load(tiny.write(tmp_path))
    assert only(needs.of_suite(suite)).level == "ok"
    versions(monkeypatch, rdkit=None)
    assert faults(needs.of_suite(suite)) == []
    assert ("it lacks rdkit", "pip install 'transferbench[molecules]'") in faults(
        needs.of_suite(loading.load("modalities"))
    )
    models = {"mine": {"family": "causal_lm", "checkpoint": "./nowhere", "options": {"context": 32}}}
    assert len(faults(needs.of_suite(loading.load(tiny.write(tmp_path, models=models))))) == 1
