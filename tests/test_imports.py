"""Who may import whom (ARCHITECTURE.md), and how long a file may get."""

import ast
import json
import statistics
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import bench
from bench.plugins import KINDS
from tests.tiny import environment

ROOT = Path(bench.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))

CONTRACTS = {
    "bench.batches",
    "bench.cache",
    "bench.dataset",
    "bench.device",
    "bench.errors",
    "bench.evaluation",
    "bench.extent",
    "bench.memory",
    "bench.model",
    "bench.options",
    "bench.plugins",
    "bench.training",
    "bench.transfer",
    "bench.vocabulary",
    "bench.validation",
    "bench.weights",
}
"""What plugins may import of ours, beside their own folder."""

HEAVY = {"torch", "transformers", "diffusers", "accelerate", "peft", "torchvision", "torch_fidelity", "tokenizers"}

LIGHT = {"suite", "matrix", "overrides", "planning", "record", "results", "ledger", "statistics", "report"}
LIGHT |= {"installed", "runner", "preparation", "pool", "worker", "progress", "words", "cli", "api"}
LIGHT |= {"inspection", "kinds", "extent", "vocabulary", "tensor_files", "libraries", "weights"}
"""Never import torch, nor does anything they import."""

REPORT_READS = {"bench.results", "bench.statistics", "bench.errors"}


def module_of(path: Path) -> str:
    parts = ("bench", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_of(path): path for path in FILES}


@cache
def imported(module: str, *, later: bool = True) -> frozenset[str]:
    """What a module of ours imports, and if ``later`` what its functions do; what is only for types is left out."""
    found: set[str] = set()

    def visit(node: ast.AST) -> None:
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            return
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) and not later:
            return
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                found.add(inner if inner in MODULES else str(node.module))
        for child in ast.iter_child_nodes(node):
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


def kind_of(module: str) -> str:
    """The plugin folder a module lies in; empty where in none."""
    parts = module.split(".")
    return parts[1] if len(parts) > 1 and parts[1] in KINDS else ""


@pytest.mark.parametrize("module", [module for module in MODULES if kind_of(module)])
def test_plugins_import_contracts_and_third_parties(module: str) -> None:
    ours = {name for name in imported(module) if name.split(".")[0] == "bench"} - CONTRACTS
    folder = f"bench.{kind_of(module)}"  # helpers, and what a plugin is a kind of
    assert {name for name in ours if name != folder and not name.startswith(f"{folder}.")} == set()


@pytest.mark.parametrize("module", [module for module in MODULES if not kind_of(module)])
def test_plugins_are_reached_by_name_only(module: str) -> None:
    assert {name for name in imported(module) if kind_of(name)} == set()


@pytest.mark.parametrize("module", sorted(name for name in MODULES if name.split(".")[:2] == ["bench", "report"]))
def test_the_report_reads_results_and_statistics(module: str) -> None:
    ours = {name for name in imported(module) if name.split(".")[0] == "bench"}
    assert {name for name in ours if not name.startswith("bench.report")} <= REPORT_READS
    assert not {name.split(".")[0] for name in reached(module, later=True)} & HEAVY


@pytest.mark.parametrize("name", sorted(LIGHT))
def test_what_never_imports_torch(name: str) -> None:
    found = reached(f"bench.{name}", later=False)
    assert not {module.split(".")[0] for module in found} & HEAVY
    assert "bench.execution" not in found


def test_nor_does_it_when_it_is_imported() -> None:
    modules = [name for name in MODULES if name.split(".")[1:2] and name.split(".")[1] in LIGHT]
    code = f"import {', '.join(modules)}, json, sys; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], env=environment(), capture_output=True, text=True, check=True)
    assert set(json.loads(done.stdout)) & HEAVY == set()
    assert len(modules) > len(LIGHT)


@pytest.mark.parametrize(
    "arguments", [["--help"], ["list"], ["plan", "quickstart"], ["plan", "no_such_suite"]], ids=str
)
def test_nor_do_commands_that_train_nothing(arguments: list[str], tmp_path: Path) -> None:
    """Nor pandas, which is a second of its own."""
    code = f"""
import json, sys
from bench import cli
try:
    cli.main({arguments!r})
except SystemExit:
    pass
print(json.dumps(sorted(sys.modules)))
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True, check=True, cwd=tmp_path)
    assert set(json.loads(done.stdout.splitlines()[-1])) & (HEAVY | {"pandas", "matplotlib", "sklearn"}) == set()


def test_contracts_do_not_know_the_machinery() -> None:
    machinery = {f"bench.{name}" for name in ("runner", "execution", "pool", "worker", "cli", "api", "suite", "matrix")}
    for contract in CONTRACTS:
        assert reached(contract, later=True) & machinery == set()


def test_files_are_short() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in FILES}
    assert {name: length for name, length in lengths.items() if length > 300} == {}
    assert statistics.median(length for length in lengths.values() if length) <= 110


def test_one_name_everywhere() -> None:
    """A plugin's file defines one public function or class, of the file's own name."""
    for path in FILES:
        if not kind_of(module_of(path)) or path.stem.startswith("_"):
            continue
        names = [n.name for n in ast.parse(path.read_text()).body if isinstance(n, ast.FunctionDef | ast.ClassDef)]
        assert path.stem.replace("_", "") in [name.replace("_", "").lower() for name in names]
