"""Suites that are planned and not run: one that is right, changed in one place, loaded or refused."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml

from bench import __main__
from bench.suite import loading
from bench.suite.cell import Cell
from tests import tiny


class _Drop:
    """Says that a key is to go; always looks the same, so that every process names its tests alike."""

    def __repr__(self) -> str:
        return "DROP"


DROP = _Drop()
"""In place of a value: take the key out."""

SUITE: dict[str, Any] = tiny.SUITE | {
    "approaches": ["full_finetuning", "lora", "lora + augmentation"],
    "tuning": {"learning_rate": [1e-3]},
    "metrics": ["perplexity", "cost"],
}

IMAGES: dict[str, Any] = {
    "family": "diffusion",
    "recipe": {"architecture": {"block_out_channels": [8, 8]}, "source": "glyphs", "steps": 1},
}
"""A second model, of another modality."""

Changes = dict[str, Any]
"""Path to value: ``{"models/tiny/family": "gan"}``; a number is a place in a list."""


def changed(changes: Changes) -> dict[str, Any]:
    """The suite with some of its values changed, added or dropped."""
    content = copy.deepcopy(SUITE)
    for path, value in changes.items():
        *parents, last = (int(part) if part.isdecimal() else part for part in path.split("/"))
        place: Any = content
        for part in parents:
            place = place[part] if isinstance(part, int) else place.setdefault(part, {})
        if value is DROP:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return content


def write(folder: Path, changes: Changes | None = None, name: str = "suite") -> Path:
    """The changed suite as a file."""
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump(changed(changes or {}), sort_keys=False), encoding="utf-8")
    return path


def load(folder: Path, changes: Changes | None = None) -> loading.Suite:
    return loading.load(write(folder, changes))


def cells(folder: Path, changes: Changes | None = None, **wanted: Any) -> list[Cell]:
    """The cells of the changed suite whose fields have the wanted values."""
    found = load(folder, changes).cells
    return [cell for cell in found if all(getattr(cell, name) == value for name, value in wanted.items())]


def refused(capsys: pytest.CaptureFixture[str], *arguments: str | Path) -> str:
    """What ``bench`` says to bad input, which is one line; nothing else is said, and the exit code is 2."""
    try:
        code = __main__.main([str(argument) for argument in arguments])
    except SystemExit as end:  # as argparse ends
        code = end.code if isinstance(end.code, int) else 1
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert said.err.startswith("bench: ")
    assert said.err.endswith("\n")
    assert len(said.err.splitlines()) == 1
    assert "Traceback" not in said.err
    return said.err.strip()


def refused_run(capsys: pytest.CaptureFixture[str], path: Path) -> str:
    """What ``bench run`` says to a bad suite, without the file's name; it writes nothing beside it or anywhere else."""
    folder = path.parent
    before = sorted(folder.rglob("*"))
    said = refused(capsys, "run", path, "--results", folder / "results", "--reports", folder / "reports")
    assert sorted(folder.rglob("*")) == before
    assert said.startswith(f"bench: {path}: ")
    return said.removeprefix(f"bench: {path}: ")
