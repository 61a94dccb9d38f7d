"""`bench doctor`: its lines, its exit codes, and that it works where little else does."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import __main__
from bench.running import doctor
from bench.running.doctor import Finding, machine, processes
from tests import tiny
from tests.illness import alone, faults, versions


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone(tmp_path, monkeypatch)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Processes that find a CPU and nothing wrong."""
    about: dict[str, Any] = {"torch": "2.14.1+cpu", "cuda": None, "devices": [], "mps": False, "warnings": []}
    monkeypatch.setattr(processes, "_python", lambda code: (0, [json.dumps(about), "{}"], ""))


@pytest.mark.usefixtures("quick")
def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert __main__.main(["doctor", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["faults"] == 0
    assert {"level", "area", "what", "remedy"} == set(said["findings"][0])
    assert __main__.main(["doctor", "--suite", str(tiny.write(tmp_path))]) == 0
    assert "all that workers import can be imported" in capsys.readouterr().out
    versions(monkeypatch, torch="2.3.0")
    assert __main__.main(["doctor"]) == 1
    lines = capsys.readouterr().out.splitlines()
    at = lines.index("fault  packages   torch is 2.3.0; asked for: <2.16,>=2.9")
    assert lines[at + 1] == f"{'':18}→ pip install 'torch<2.16,>=2.9'"
    assert __main__.main(["doctor", "--suite", "no_such_suite"]) == 2


@pytest.mark.usefixtures("quick")
def test_long_lines_are_folded_below_what_they_say(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    said, todo = "it is as it is " * 12, "do as it says " * 12
    monkeypatch.setattr(doctor, "examine", lambda *_: [Finding("note", "memory", said.strip(), todo.strip())])
    assert __main__.main(["doctor"]) == 0
    *lines, _counts = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 60
    assert " ".join(" ".join(lines).split()) == f"note memory {said}→ {todo}".strip()
    first, *rest = lines
    assert first.startswith("note   memory     it is")
    assert all(line.startswith(" " * 18) and not line.endswith(" ") for line in rest)


@pytest.mark.usefixtures("quick")
def test_a_check_that_raises_is_a_fault_and_ends_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> list[Finding]:
        raise RuntimeError("what\nnobody thought of")

    monkeypatch.setattr(machine, "memory", broken)
    found = doctor.examine(Path("results"), Path("reports"))
    assert [what for what, _ in faults(found)] == ["cannot be checked (RuntimeError: what nobody thought of)"]
    assert {"python", "network"} <= {finding.area for finding in found}


BLOCKED = """
import sys
sys.modules[sys.argv[1]] = None
from bench import __main__
from bench.running.doctor import processes
processes._python = lambda code: (0, [], "")
raise SystemExit(__main__.main(["doctor"]))
"""


@pytest.mark.parametrize("module", ["pydantic", "yaml", "platformdirs", "packaging", "psutil", "huggingface_hub"])
def test_it_works_where_a_package_does_not(module: str) -> None:
    command = [sys.executable, "-c", BLOCKED, module]
    done = subprocess.run(command, capture_output=True, text=True, env=tiny.environment())
    assert (done.returncode, done.stderr) == (1, "")
    assert "cannot be checked" in done.stdout or module == "yaml"  # which is for suites alone
    assert "limits" in done.stdout
