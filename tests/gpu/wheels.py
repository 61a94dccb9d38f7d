"""What a machine without network lacks, gathered to be carried there: ``python -m tests.gpu --wheels DIR``.

Wheels of the versions in ``constraints.txt``; and what is in them, without their tests, in one archive that is unpacked
there into a folder for ``PYTHONPATH``, and is much smaller.
"""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from collections.abc import Iterable
from importlib.metadata import PackageNotFoundError, distribution
from io import BytesIO
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_ROOT = Path(__file__).parents[2]
THERE = ("torch", "transformers", "accelerate")
"""What a machine with a GPU has at least, with all that they need."""

VARYING = ("pydantic", "rich")
"""Of what these need, what only some of their versions do: carried along."""

LEFT_OUT = {"pyarrow", "rouge-score", "torch-fidelity", "torchvision"}
"""Of our own dependencies, those that nothing here reaches: a metric, a feature space, and what reads parquet files."""

INSTEAD = ("fastparquet", "cramjam")
"""With these pandas writes the table of a run where there is no pyarrow, which is 52 MiB alone."""

TESTS = ("pytest",)
_PLATFORMS = [f"manylinux_2_{minor}_x86_64" for minor in (28, 27, 26, 24, 17, 12, 5)] + ["manylinux2014_x86_64"]
_IDLE = re.compile(r"(^|/)(tests|sample_data)/|\.(pyi|pxd|pyx|h|c|cpp)$|\.data/(scripts|headers)/")
"""What no program reads: tests, types and sources."""


def gather(into: Path, python: str, there: list[str]) -> int:
    """Download and pack; says what there is, and how large."""
    lacking = wanted(there)
    wheels = into / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:"]
    command += ["--python-version", python, "--implementation", "cp", "--dest", str(wheels)]
    command += [word for platform in _PLATFORMS for word in ("--platform", platform)]
    if (code := subprocess.run([*command, *lacking], check=False).returncode) != 0:
        return code
    found = sorted(wheels.glob("*.whl"), key=lambda path: -path.stat().st_size)
    for path in found:
        print(f"{path.stat().st_size / 2**20:6.1f} MiB  {path.name}")
    archive = pack(found, into / "site.tar.xz")
    total = sum(path.stat().st_size for path in found)
    print(f"{total / 2**20:6.1f} MiB  {len(found)} wheels in {wheels}")
    print(f"{archive.stat().st_size / 2**20:6.1f} MiB  {archive}: the same, unpacked below site/")
    return 0


def wanted(there: list[str]) -> list[str]:
    """``name==version`` of each distribution to carry.

    Args:
        there: names of all that the machine has; where there are none, :data:`THERE` and what these need here.
    """
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())["project"]
    ours = [Requirement(line).name for line in project["dependencies"]]
    had: set[str] = {canonicalize_name(name) for name in there} or _closure(THERE) - _closure(VARYING) | {
        "typing-extensions"
    }
    needed = _closure([*TESTS, *(name for name in map(canonicalize_name, ours) if name not in LEFT_OUT)])
    needed |= set() if "pyarrow" in had else set(INSTEAD)
    known = dict(line.split("==") for line in (_ROOT / "constraints.txt").read_text().splitlines() if "==" in line)
    return [f"{name}=={known[name]}" if name in known else name for name in sorted(needed - had)]


def _closure(names: Iterable[str]) -> set[str]:
    """These distributions and all that they need here, as far as they are installed."""
    found, waiting = set[str](), [canonicalize_name(name) for name in names]
    while waiting:
        if (name := waiting.pop()) in found:
            continue
        found.add(name)
        try:
            lines = distribution(name).requires or []
        except PackageNotFoundError:
            continue
        needs = map(Requirement, lines)
        waiting += [
            canonicalize_name(need.name) for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return found - {""}


def pack(wheels: list[Path], archive: Path) -> Path:
    """All files of wheels that programs read, below ``site/``."""
    with tarfile.open(archive, "w:xz", preset=3) as packed:
        for path in wheels:
            with zipfile.ZipFile(path) as wheel:
                for entry in wheel.infolist():
                    if entry.is_dir() or _IDLE.search(entry.filename):
                        continue
                    name = re.sub(r"^[^/]+\.data/(purelib|platlib)/", "", entry.filename)
                    member = tarfile.TarInfo(f"site/{name}")
                    member.size, member.mode = entry.file_size, 0o644
                    packed.addfile(member, BytesIO(wheel.read(entry)))
    return archive
