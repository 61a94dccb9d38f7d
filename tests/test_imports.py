"""Who may import whom (ARCHITECTURE.md), and how long a file may get."""

import ast
import json
import statistics
import subprocess
import sys
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

import bench
from bench.plugins import KINDS
from tests.tiny import environment

ROOT = Path(bench.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

WINGS = {
    "statistics": set[str](),
    "results": set[str](),
    "suite": {"results"},
    "checkpoints": {"suite"},
    "training": {"results", "suite", "checkpoints"},
    "report": {"results", "statistics"},
    "comparison": {"results", "statistics", "report"},
    "publication": {"results", "report", "comparison"},
    "running": {"results", "suite", "checkpoints", "training"},
    "trackers": {"results", "report"},
    "commands": {
        "results",
        "statistics",
        "suite",
        "checkpoints",
        "report",
        "comparison",
        "publication",
        "running",
        "trackers",
    },
}
"""Each wing, and the other wings that it may import from; all import what lies at the root, which imports no wing."""

DOORS = {"bench", "bench.api", "bench.__main__"}
"""What may import all of ours, and is imported by nothing."""

HELPERS = {
    "bench.checkpoints.extent",
    "bench.checkpoints.vocabulary",
    "bench.checkpoints.weights",
    "bench.training.fitting",
    "bench.training.memory",
    "bench.training.validation",
}
"""What plugins may import of ours, beside the contracts at the root and their own folder."""

HEAVY = {"torch", "transformers", "diffusers", "accelerate", "peft", "torchvision", "torch_fidelity", "tokenizers"}

BY_NAME = {
    "bench.__main__",
    "bench.dataset_cache",
    "bench.features.digit_classifier",
    "bench.features.sound_classifier",
    "bench.plugins.plugin",
    "bench.results.importing",
    "bench.running.execution",
    "bench.running.export.writing",
    "bench.running.fetching",
}
"""What imports plugins, commands, or sources of results, by their names."""

WITH_TORCH = {
    "bench.running.execution",
    "bench.running.exhibit",
    "bench.running.export.adapters",
    "bench.running.export.writing",
}
"""In wings that otherwise import none: what runs in workers."""


def module_of(path: Path) -> str:
    parts = ("bench", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def imported(module: str, *, later: bool = True) -> frozenset[str]:
    """What a module of ours imports, and if ``later`` what its functions do; what is only for types is left out."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        children = list(ast.iter_child_nodes(node))
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            children = list(node.orelse)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not later:
            children = [node.args, *getattr(node, "decorator_list", [])]  # which are run where it is defined
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else str(node.module))
        for child in children:
            visit(child)

    visit(ast.parse(MODULES[module].read_text(encoding="utf-8")))
    return frozenset(found)


def reached(module: str, *, later: bool) -> set[str]:
    """All a module imports, by way of others of ours too."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        for name in imported(waiting.pop(), later=later) - found:
            found.add(name)
            waiting += [name] if name in MODULES else []
    return found


def folder_of(module: str) -> str:
    """The wing or the plugin folder that a module lies in; empty for what lies at the root."""
    part = [*module.split("."), ""][1]
    return part if part in WINGS or part in KINDS else ""


def ours(module: str) -> set[str]:
    return {name for name in imported(module) if name.split(".")[0] == "bench"}


CONTRACTS = {module for module in MODULES if not folder_of(module)} - DOORS
LIGHT = [module for module in MODULES if folder_of(module) in WINGS.keys() - {"training"}]
LIGHT = sorted({*LIGHT, *DOORS, "bench.words", "bench.plugins"} - WITH_TORCH)


def test_every_folder_is_a_wing_or_holds_plugins() -> None:
    folders = {path.parent.name for path in ROOT.glob("*/*.py")}
    assert folders == WINGS.keys() | set(KINDS) | {"plugins"}


@pytest.mark.parametrize("module", [module for module in MODULES if folder_of(module) in WINGS])
def test_a_wing_imports_from_those_before_it(module: str) -> None:
    wing = folder_of(module)
    assert {name for name in ours(module) if folder_of(name) not in {wing, *WINGS[wing]}} <= CONTRACTS
    assert ours(module) & DOORS <= {"bench"}


@pytest.mark.parametrize("module", sorted(CONTRACTS))
def test_what_lies_at_the_root_imports_no_wing(module: str) -> None:
    assert ours(module) <= CONTRACTS


@pytest.mark.parametrize("module", [module for module in MODULES if folder_of(module) in KINDS])
def test_plugins_import_contracts_and_third_parties(module: str) -> None:
    folder = f"bench.{folder_of(module)}"  # helpers, and what a plugin is a kind of
    assert {name for name in ours(module) - CONTRACTS - HELPERS if not f"{name}.".startswith(f"{folder}.")} == set()


def test_nothing_imports_what_imports_it() -> None:
    """Whenever it does, at the head of a module or in a function: wings cannot hide a circle in one."""
    order: TopologicalSorter[str] = TopologicalSorter({module: ours(module) & MODULES.keys() for module in MODULES})
    order.prepare()  # raises CycleError, which names the circle


def test_by_name_only_plugins_and_commands_are_imported() -> None:
    """What is imported by a name that is made at run time, the tests above do not see."""
    found = {
        module
        for module, path in MODULES.items()
        if any(word in path.read_text(encoding="utf-8") for word in ("import_module(", "__import__("))
    }
    assert found == BY_NAME


@pytest.mark.parametrize("module", LIGHT)
def test_what_never_imports_torch(module: str) -> None:
    assert not {name.split(".")[0] for name in reached(module, later=False)} & HEAVY


def test_the_report_imports_no_torch_either_when_it_is_made() -> None:
    for module in MODULES:
        if folder_of(module) == "report":
            assert not {name.split(".")[0] for name in reached(module, later=True)} & HEAVY


def test_nor_does_it_when_it_is_imported() -> None:
    code = f"""
import importlib, json, sys
for module in {LIGHT}:
    importlib.import_module(module)
print(json.dumps(sorted(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) & HEAVY == set()


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["list"], ["list", "lora"], ["plan", "quickstart"], ["plan", "no_such_suite"], ["doctor"]],
    ids=str,
)
def test_nor_do_commands_that_train_nothing(arguments: list[str], tmp_path: Path) -> None:
    """Nor pandas, which is a second of its own."""
    code = f"""
import json, sys
from bench import __main__
try:
    __main__.main({arguments!r})
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(json.loads(done.stdout.splitlines()[-1])) & (HEAVY | {"pandas", "matplotlib", "sklearn"}) == set()


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert statistics.median(length for length in lengths.values() if length) <= 110


def test_one_name_everywhere() -> None:
    """A plugin's file defines one public function or class, of the file's own name."""
    for path in FILES:
        if folder_of(module_of(path)) not in KINDS or path.stem.startswith("_"):
            continue
        names = [n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert path.stem.replace("_", "") in [name.replace("_", "").lower() for name in names]
