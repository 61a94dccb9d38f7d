"""What is done when a GPU is at hand, on what is here: all of it runs, small, and says what it found and where."""

import json
import math
import multiprocessing
import subprocess
import sys
import tarfile
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench.suite import loading
from tests.gpu import apart, embedded, quickstart, report, wheels
from tests.gpu.__main__ import PARTS, _measured
from tests.gpu.box import Box
from tests.tiny import environment


def test_everything_runs_small_here(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.gpu", "--small", "--seconds", "500", "--into", str(tmp_path / "found")]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    found = {path.stem: json.loads(path.read_text()) for path in (tmp_path / "found").glob("*.json")}
    assert found.keys() == set(PARTS)
    page = (tmp_path / "found" / "README.md").read_text()
    for name, part in found.items():
        assert (part["ended"], part["why"]) == ("ok", "")
        assert all(part["tables"].values()), "a part without a figure shows nothing"
        assert part["machine"]["packages"]["torch"]
        assert f"\n## {name}\n" in page
        assert all(title in page for title in part["tables"])
    assert ("has no GPU" in page) == (found["steps"]["machine"]["device"] == "cpu")
    [pairs] = found["contract"]["tables"]["Pairs of approach and family"]
    assert pairs["tried"] == pairs["of"] > 0
    claims = [row for part in found.values() for row in part["tables"].get("What must hold", [])]
    assert len(claims) >= 9
    assert {row["holds"] for row in claims} == {"yes"}


def test_what_a_gpu_gets_can_be_planned(tmp_path: Path) -> None:
    """Sizes that are never tried here are those of suites, with less of all that takes time."""
    for module, name, most in ((embedded, "gpu_embedded", 20), (quickstart, "quickstart", 60)):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump(module.shortened(small=False)))
        short, long = loading.load(path), loading.load(name)
        assert len(short.cells) <= most < len(long.cells)
        assert short.file.models.keys() == long.file.models.keys()
        assert {cell.seed for cell in short.cells} == {0}
        architectures = [
            {key: model.recipe and model.recipe.architecture for key, model in suite.file.models.items()}
            for suite in (short, long)
        ]
        assert architectures[0] == architectures[1]


def part(monkeypatch: pytest.MonkeyPatch, folder: Path, measure: Callable[[Box], None], seconds: float = 60) -> Any:
    """What becomes of a part that does this."""
    module = types.ModuleType("tests.gpu.this")
    module.__dict__.update(measure=measure, __doc__="What it\nis.")
    monkeypatch.setitem(sys.modules, "tests.gpu.this", module)
    return _measured("this", Box(seconds, True, "cpu", 1, folder, folder / "found.json"))


def test_a_part_that_fails_is_written_down_with_what_it_had(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(box: Box) -> None:
        box.row("Figures", N=3)
        raise RuntimeError("a wheel is loose")

    found, stopped = part(monkeypatch, tmp_path, measure)
    assert (found["ended"], found["about"], found["tables"]) == ("failed", "What it is.", {"Figures": [{"N": 3}]})
    assert "a wheel is loose" in found["why"]
    assert not stopped


def test_a_part_whose_claim_does_not_hold_goes_on_and_has_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def measure(box: Box) -> None:
        box.must("memory is given back", False, "12 MiB")
        box.must("no process is left", True)

    found, _ = part(monkeypatch, tmp_path, measure)
    assert (found["ended"], found["why"]) == ("failed", "memory is given back: 12 MiB")
    assert [row["holds"] for row in found["tables"]["What must hold"]] == ["NO", "yes"]


def test_a_part_ends_with_its_time_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(box: Box) -> None:
        box.say("begun")
        time.sleep(60)

    found, stopped = part(monkeypatch, tmp_path, measure, seconds=2.1)
    assert (found["ended"], found["said"], stopped) == ("cut", ["begun"], False)
    assert found["seconds"] < 10


def test_a_part_without_time_is_not_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found, stopped = part(monkeypatch, tmp_path, lambda box: box.say("begun"), seconds=0.1)
    assert (found["ended"], found.get("said"), stopped) == ("not begun", None, False)


def test_ctrl_c_is_no_end_of_a_time_box(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def measure(box: Box) -> None:
        raise KeyboardInterrupt

    found, stopped = part(monkeypatch, tmp_path, measure)
    assert stopped
    assert found["why"] == "stopped by hand"


def test_a_call_that_does_not_come_back_ends_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(apart, "_INSIDE", "tests")
    multiprocessing.set_forkserver_preload(["tests.endings"])  # unless a server is there already
    for name, said in (
        ("raising", "RuntimeError: a fault in two lines"),
        ("leaving", "Expired"),
        ("hanging", "Timeout"),
    ):
        with pytest.raises(apart.Ended, match=said) as end:
            apart.call(f"endings.{name}", None, seconds=5)
        assert ("in raising" in end.value.trace) == (name == "raising")


def test_a_table_has_four_digits_and_one_line_a_row() -> None:
    rows: list[dict[str, Any]] = [
        {"ms": 1234.5678, "what": "a|b\nc"},
        {"ms": 0.00123456, "what": None},
        {"ms": math.nan},
    ]
    assert report._table(rows) == [
        "| ms | what |",
        "| ---: | --- |",
        "| 1235 | a\\|b c |",
        "| 0.001235 | – |",
        "| nan |  |",
    ]


def test_what_is_carried_is_what_lacks() -> None:
    """With known-good versions, and with what parts need themselves."""
    bare, stocked = wheels.wanted([]), wheels.wanted(["Torch", "pandas", "pyarrow", "scikit_learn"])
    names = {line.partition("==")[0] for line in bare}
    assert {"diffusers", "peft", "pebble", "pandas", "scipy", "pytest", "fastparquet"} <= names
    assert not names & {"torch", "transformers", "accelerate", "numpy", "tokenizers", "pyarrow", "torchvision"}
    assert f"pebble=={_constrained('pebble')}" in bare
    assert not {"torch", "pandas", "pyarrow", "scikit-learn", "fastparquet"} & {s.partition("==")[0] for s in stocked}
    assert {"transformers", "numpy"} <= {line.partition("==")[0] for line in stocked}


def _constrained(name: str) -> str:
    lines = (Path(__file__).parents[2] / "constraints.txt").read_text().splitlines()
    return next(line.partition("==")[2] for line in lines if line.startswith(f"{name}=="))


def test_an_archive_holds_what_programs_read(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a-1-py3-none-any.whl", "w") as wheel:
        for name in ("a/__init__.py", "a/tests/test_a.py", "a-1.dist-info/METADATA", "a-1.data/purelib/b.py"):
            wheel.writestr(name, f"# {name}")
    archive = wheels.pack([tmp_path / "a-1-py3-none-any.whl"], tmp_path / "site.tar.xz")
    with tarfile.open(archive) as packed:
        assert packed.getnames() == ["site/a/__init__.py", "site/a-1.dist-info/METADATA", "site/b.py"]
        packed.extractall(tmp_path, filter="data")
    assert (tmp_path / "site" / "b.py").read_text() == "# a-1.data/purelib/b.py"
