"""What an installation holds: the dependencies that are imported, the command, and the suites we ship."""

import ast
import itertools
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

import bench
from bench.suite import loading
from tests import tiny

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SOURCE = Path(bench.__file__).parent

DISTRIBUTIONS = {
    **{"PIL": "pillow", "markdown_it": "markdown-it-py", "mlflow": "mlflow-skinny", "sklearn": "scikit-learn"},
    "yaml": "pyyaml",
}
"""Of modules with another name than their distribution."""


OPTIONAL = ("audio", "hub", "mlflow", "molecules", "tensorboard", "trackio", "wandb")

APART = {"trackio"}
"""Does not go with the known-good versions; `tox -e trackio` tests it with others."""

BEHIND = {"pyarrow", "tensorboard", "torchvision"}
"""Required and not imported here: pandas writes Parquet with the first, torch and torch-fidelity import the others."""


def imported() -> set[str]:
    """Top-level names of the modules that the package imports, the standard library's left out."""
    found: set[str] = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found.update(alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.split(".")[0])
    return found - set(sys.stdlib_module_names) - {"bench", "IPython"}  # which is there in a notebook, and only there


def test_what_is_imported_is_what_is_required() -> None:
    """Extras too: what only some plugins import."""
    extras = PROJECT["project"]["optional-dependencies"]
    lines = [*PROJECT["project"]["dependencies"], *(line for name in OPTIONAL for line in extras[name])]
    required = {line.split(">=")[0] for line in lines}
    assert {DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in imported()} | BEHIND == required


def test_every_requirement_has_a_known_good_version_that_is_allowed() -> None:
    """What README's commands install: names and exact versions, no hosts and no hashes."""
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[a-z0-9.]+", line) for line in lines)
    known = dict(line.split("==") for line in lines)
    extras = PROJECT["project"]["optional-dependencies"].values()
    wanted = [Requirement(line) for line in [*PROJECT["project"]["dependencies"], *itertools.chain(*extras)]]
    for requirement in wanted:
        if requirement.name not in {"transferbench", *APART}:
            version = known[requirement.name.lower()]
            assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_libraries_that_move_fast_have_an_upper_bound() -> None:
    wanted = [Requirement(line) for line in PROJECT["project"]["dependencies"]]
    bounded = {part.name for part in wanted if any(one.operator == "<" for one in part.specifier)}
    assert bounded >= {"torch", "torchvision", "transformers", "tokenizers", "diffusers", "peft", "accelerate"}


def test_the_command_and_the_version() -> None:
    assert PROJECT["project"]["scripts"] == {"bench": "bench.__main__:main"}
    assert PROJECT["tool"]["hatch"]["version"]["path"] == "bench/__init__.py"
    assert bench.__version__.count(".") == 2


def test_a_wheel_brings_the_suites_along(tmp_path: Path) -> None:
    """Its layout is built by hand: the package, and the suites inside it."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert (wheel["packages"], wheel["force-include"]) == (["bench"], {"suites": "bench/suites"})
    site, empty = tmp_path / "site", tmp_path / "empty"
    shutil.copytree(SOURCE, site / "bench", ignore=shutil.ignore_patterns("__pycache__", "suites"))
    shutil.copytree(loading.shipped(), site / "bench" / "suites")
    empty.mkdir()
    variables = {**tiny.environment(), "PYTHONPATH": str(site)}
    command = [sys.executable, "-m", "bench", "plan", "quickstart"]
    done = subprocess.run(command, cwd=empty, env=variables, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "docstring_gpt2 → python_reference" in done.stdout
    assert list(empty.iterdir()) == []
