"""Where a number came from: enough to compare, nothing that names the machine."""

import json
import platform
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import bench
from bench import plugins
from bench.running import environment

FOLDER = Path(bench.__file__).parent


def test_versions_are_those_that_are_installed() -> None:
    packages = environment.describe()["packages"]
    assert set(packages) <= set(environment.PACKAGES)
    for name, found in packages.items():
        assert found == version(name)
    assert {"torch", "transformers", "diffusers", "peft", "accelerate", "numpy"} <= set(packages)


def test_the_machine_is_told_apart_without_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    here = environment.describe()["machine"]
    assert set(here) == {"id", "processor", "cores", "memory_gib", "system"}
    assert platform.node() not in json.dumps(here)
    monkeypatch.setattr(platform, "node", lambda: "another-machine")
    environment.describe.cache_clear()
    there = environment.describe()["machine"]
    environment.describe.cache_clear()
    assert there["id"] != here["id"]
    assert "another-machine" not in json.dumps(there)


def test_the_commit_is_the_checkouts_own() -> None:
    commit = environment.describe()["commit"]
    try:
        head = subprocess.run(["git", "-C", FOLDER, "rev-parse", "HEAD"], capture_output=True, text=True, check=True)
        top = subprocess.run(
            ["git", "-C", FOLDER, "rev-parse", "--show-toplevel"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        assert commit is None
        return
    inside = Path(top.stdout.strip()) == FOLDER.parent
    assert (commit or "").removesuffix("+") == (head.stdout.strip() if inside else "")


def test_a_package_inside_another_projects_checkout_does_not_take_its_commit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "env" / "bench"
    site.mkdir(parents=True)
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    monkeypatch.setattr(plugins, "FOLDER", site)
    assert environment._commit() is None


def test_the_driver_of_a_gpu_is_recorded(monkeypatch, tmp_path):
    monkeypatch.setattr(environment, "_DRIVER", place := tmp_path / "version")
    assert environment.driver() == ""
    place.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri\nGCC version: 13.2\n")
    assert environment.driver() == "570.86.15"
    place.write_text("something else\n")
    assert environment.driver() == "unknown"
