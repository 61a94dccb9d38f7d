"""Write the versions that are installed here into ``constraints.txt``: ``python -m tests.constraints``."""

import re
from importlib.metadata import distributions
from pathlib import Path

from packaging.utils import canonicalize_name

FILE = Path(__file__).parents[1] / "constraints.txt"

_HEAD = """\
# Known-good versions: with these the tests passed. `tox -e upgrade` raises them all, if the tests pass with the newest.
"""
_NOT_OURS = re.compile(r"transferbench|pip|setuptools|wheel|(nvidia|cuda)-.*|triton")
"""Ourselves, what installs, and what a build of torch pins by itself, each for its own kind of machine."""


def write() -> None:
    """Names and exact versions, in the order of names."""
    found = {str(canonicalize_name(part.name)): part.version for part in distributions()}
    kept = sorted((name, version) for name, version in found.items() if not _NOT_OURS.fullmatch(name))
    FILE.write_text(_HEAD + "".join(f"{name}=={version.partition('+')[0]}\n" for name, version in kept))


if __name__ == "__main__":
    write()
