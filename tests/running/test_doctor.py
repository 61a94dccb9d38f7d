"""What the doctor finds in packages, processes and limits of machines that are made ill in one way each."""

import json
import os
import resource
import shutil
import time
import tomllib
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from bench import plugins
from bench.running import environment
from bench.running.doctor import Finding, machine, packages, processes
from tests.illness import faults, only, versions

GIB = 2**30


# Packages


def test_this_installation_is_as_asked_for() -> None:
    """Else the tests would not run: no fault is made up."""
    assert faults([*packages.python(), *packages.required(), *packages.extras()]) == []


@pytest.mark.parametrize(
    ("version", "said"),
    [("2.3.0", "torch is 2.3.0; asked for: <2.16,>=2.9"), ("9.0", "torch is 9.0"), (None, "torch is not installed")],
)
def test_a_package_that_is_too_old_too_new_or_missing(
    version: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(monkeypatch, torch=version)
    found = dict(faults(packages.required()))
    what = next(what for what in found if what.startswith(said))
    assert found[what] == "pip install 'torch<2.16,>=2.9'"


def test_packages_that_do_not_go_together(monkeypatch: pytest.MonkeyPatch) -> None:
    """A torchvision may be made for a single version of torch; our own bounds allow both."""
    real, torch = metadata.requires, metadata.version("torch").partition("+")[0]
    asked = [f"torch=={torch}", "odd; extra == 'never'", "not ! a requirement"]
    monkeypatch.setattr(metadata, "requires", lambda name: asked if name == "torchvision" else real(name))
    assert faults(packages.required()) == []
    versions(monkeypatch, torch="2.13.0", torchvision="0.28.0")
    what = f"torchvision 0.28.0 asks for torch =={torch}; 2.13.0 is installed"
    remedy = f"pip install 'torchvision<0.31,>=0.24' torch=={torch}"
    assert (what, remedy) in faults(packages.required())


def test_a_local_build_is_the_version_it_is_built_of(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, torch=f"{metadata.version('torch').partition('+')[0]}+cpu")
    assert faults(packages.required()) == []


def test_versions_that_are_known_to_get_something_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are allowed, so it is a note."""
    versions(monkeypatch, torch="2.13.1")
    (note,) = (finding for finding in packages.required() if finding.level == "note")
    assert note.what.startswith("torch 2.13.1 crashes in the backward pass of a group norm")
    versions(monkeypatch, torch="2.14.0")
    assert [finding for finding in packages.required() if finding.level == "note"] == []


def test_damaged_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, rich="")
    assert faults(packages.required())[0] == (
        "rich is damaged: it does not know its version",
        "pip install --force-reinstall 'rich>=13.7'",
    )


def test_an_extra_that_is_incomplete_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    versions(monkeypatch, rdkit=None)
    found = list(packages.extras())
    assert Finding("note", "extras", "molecules lacks rdkit", "pip install 'transferbench[molecules]'") in found
    assert found[-1].what.startswith("complete: audio, hub")
    assert "molecules" not in found[-1].what


def test_bounds_of_an_installation_are_those_of_its_checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Metadata and pyproject.toml say the same; the first is all there is in a wheel."""
    of_checkout = packages.asked()
    monkeypatch.setattr(packages, "_ROOT", tmp_path)
    project = plugins.FOLDER.parent / "pyproject.toml"
    lines = tomllib.loads(project.read_text())["project"]
    beside = [(line.partition(";"), name) for name, of in lines["optional-dependencies"].items() for line in of]
    about = [f"{what};{f'({marker}) and' if marker else ''} extra == '{name}'" for (what, _, marker), name in beside]
    monkeypatch.setattr(metadata, "requires", lambda name: [*lines["dependencies"], *about])
    extras = list(lines["optional-dependencies"])
    of_wheel = SimpleNamespace(get_all=lambda key: extras)
    monkeypatch.setattr(metadata, "metadata", lambda name: _Metadata(of_wheel, {"Requires-Python": ">=3.11"}))
    wanted, by_extra = packages.asked()
    assert wanted == of_checkout[0]
    names = {extra: [part.name for part in parts] for extra, parts in by_extra.items()}
    assert names == {extra: [part.name for part in parts] for extra, parts in of_checkout[1].items()}
    assert list(names) == ["", "audio", "hub", "mlflow", "molecules", "tensorboard", "wandb"]


class _Metadata(dict[str, str]):
    def __init__(self, about: Any, fields: dict[str, str]) -> None:
        super().__init__(fields)
        self.get_all = about.get_all


def test_a_broken_plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    what = "distribution odd: '7' is no place of it of its approaches; it should be module:name"
    monkeypatch.setattr(plugins, "faults", lambda: [f"{what}; mend or uninstall it"])
    assert only(packages.broken_plugins()) == Finding("fault", "plugins", what, "mend or uninstall it")


# Processes


def sees(monkeypatch: pytest.MonkeyPatch, *lines: dict[str, Any], ended: int = 0, said: str = "") -> list[Finding]:
    """What is found where a process ended like this."""
    monkeypatch.setattr(processes, "_python", lambda code: (ended, [json.dumps(line) for line in lines], said))
    return list(processes.devices())


CPU: dict[str, Any] = {"torch": "2.14.1+cpu", "cuda": None, "devices": [], "mps": False, "warnings": []}


def test_torch_and_torchvision_that_do_not_import_together(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "RuntimeError: operator torchvision::nms does not exist"
    found = sees(monkeypatch, CPU, ended=1, said=said)
    assert [finding.level for finding in found] == ["ok", "fault"]
    assert said in found[1].what
    assert "--index-url" in found[1].remedy
    assert only(sees(monkeypatch, ended=-11, said="signal 11")).what == "torch cannot be imported (signal 11)"


def test_devices(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(environment, "_DRIVER", driver := tmp_path / "version")
    assert only(sees(monkeypatch, CPU, {})) == Finding("ok", "devices", "cpu; torch 2.14.1+cpu")
    assert only(sees(monkeypatch, CPU | {"mps": True}, {})).level == "note"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  570.86.15  Fri\nGCC version: 13.2\n")
    fault = only(sees(monkeypatch, CPU, {}))
    assert (fault.level, "570.86.15" in fault.what) == ("fault", True)
    fault = only(sees(monkeypatch, CPU | {"cuda": "13.0", "warnings": ["The driver is too old"]}, {}))
    assert (fault.level, "The driver is too old" in fault.what) == ("fault", True)
    card = ["H200", 140 * GIB, 130 * GIB]
    gpu = CPU | {"cuda": "13.0", "devices": [card, [*card[:2], 9 * GIB], [*card[:2], "out of memory"]]}
    levels = [finding.level for finding in sees(monkeypatch, gpu, {})]
    assert levels == ["ok", "note", "fault"]


def test_a_process_that_hangs_and_one_that_prints(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_PATIENCE", 2)
    code = "import time\nprint('{\"a\": 1}', flush=True)\nprint('hello', flush=True)\ntime.sleep(60)"
    assert processes._python(code) == (1, ['{"a": 1}'], "it takes more than 2 seconds")
    assert processes._python("raise KeyError('a  b')") == (1, [], "KeyError: 'a b'")


def test_a_process_is_forked_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(processes.fork_server()).level == "ok"
    monkeypatch.setattr(processes, "_FORK", "raise BlockingIOError('Resource temporarily unavailable')")
    assert "Resource temporarily unavailable" in only(processes.fork_server()).what


# The machine


@pytest.mark.parametrize(("free", "level"), [(0.5, "fault"), (3, "note"), (30, "ok")])
def test_memory(free: float, level: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    about = SimpleNamespace(total=64 * GIB, available=int(free * GIB))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: about)
    found = only(machine.memory())
    assert (found.level, found.what) == (level, f"{free:.1f} of 64.0 GiB free")


def test_the_limits_of_a_container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(machine, "_CGROUP", tmp_path)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(total=64 * GIB, available=60 * GIB))
    (tmp_path / "memory.max").write_text(f"{2 * GIB}\n")
    (tmp_path / "memory.current").write_text(f"{GIB // 2}\n")
    assert only(machine.memory()).what == "1.5 of 2.0 GiB free"
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)))
    assert only(machine.cores()).level == "ok"
    (tmp_path / "cpu.max").write_text("200000 100000\n")
    assert only(machine.cores()) == Finding("note", "cores", "2 of 8 are for us", "bench run --workers 2")


def test_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (256, 256))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=2**20))
    assert [finding.remedy for finding in machine.limits()][-2:] == [
        "in a container: docker run --shm-size=1g",
        "ulimit -n 1024 before a run",
    ]


def test_a_clock_that_is_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(machine.clock()).level == "ok"
    monkeypatch.setattr(time, "time", lambda: 0.0)
    assert only(machine.clock()).what.startswith("it says 1970-01-01 00:00 UTC")
