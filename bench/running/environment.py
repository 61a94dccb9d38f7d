"""The third part of a record: machine, versions and commit a number came from. Imports no torch."""

import hashlib
import os
import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench import plugins

PACKAGES = (
    "transferbench",
    "torch",
    "transformers",
    "diffusers",
    "peft",
    "accelerate",
    "torch-fidelity",
    "numpy",
    "tokenizers",
    "sacrebleu",
    "scikit-learn",
    "matplotlib",
    "pillow",
)

_DRIVER = Path("/proc/driver/nvidia/version")


@cache
def describe() -> dict[str, Any]:
    """Machine, Python, package versions and commit; what only torch knows is added by the process that has it."""
    import psutil  # which is asked of nothing but this

    return {
        "machine": {
            "id": _machine_id(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
            "system": f"{platform.system()} {platform.machine()}",
        },
        "driver": driver() or None,
        "python": platform.python_version(),
        "packages": {name: found for name in PACKAGES if (found := _version(name))},
        "commit": _commit(),
    }


def driver() -> str:
    """Version of NVIDIA's kernel module; empty where there is none."""
    try:
        words = _DRIVER.read_text().split("\n")[0].split()
    except OSError:
        return ""
    return next((word for word in words if word[:1].isdigit() and "." in word), "unknown")


def _machine_id() -> str:
    """A hash that tells this machine from others without naming it."""
    return hashlib.sha256(f"{platform.node()}/{_processor()}/{os.cpu_count()}".encode()).hexdigest()[:12]


def _processor() -> str:
    """The processor's name as Linux gives it, else as Python does."""
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of the checkout this package runs from, ``+`` behind it where files have changed since."""
    here = plugins.FOLDER

    def git(*arguments: str) -> str:
        return subprocess.run(
            ["git", "--no-optional-locks", "-C", here, *arguments], capture_output=True, text=True, timeout=10
        ).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel") or "/") != here.parent:
            return None  # installed into some other project's checkout
        commit = git("rev-parse", "HEAD")
        return commit + ("+" if git("status", "--porcelain", "--untracked-files=no", "--", "bench") else "") or None
    except (OSError, subprocess.SubprocessError):
        return None
