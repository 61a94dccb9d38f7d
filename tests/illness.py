"""Machines that are made ill, and what the doctor finds there."""

from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

import pytest
from huggingface_hub import constants

from bench.running.doctor import Finding


def alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty folder, with a cache and a hub of its own and no network."""
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TRANSFERBENCH_CACHE", str(folder / "cache"))
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder / "hub"))
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")


def only(found: Iterable[Finding]) -> Finding:
    (finding,) = found
    return finding


def faults(found: Iterable[Finding]) -> list[tuple[str, str]]:
    return [(finding.what, finding.remedy) for finding in found if finding.level == "fault"]


def versions(monkeypatch: pytest.MonkeyPatch, **others: str | None) -> None:
    """Some packages are of other versions than they are, or not there."""
    real = metadata.version

    def version(name: str) -> str:
        found = others.get(name.replace("-", "_"), "as it is")
        if found is None:
            raise metadata.PackageNotFoundError(name)
        return real(name) if found == "as it is" else found

    monkeypatch.setattr(metadata, "version", version)
