"""Each embedded domain, built when it is first asked for, and a second time in another process."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping

import pytest

from bench import plugins
from bench.dataset import Dataset

GENERATED = ("copying", "fractals", "nested_brackets", "shapes")
AUDIO = ("plucks", "tones", "vowels", "rain_and_wind")
IMAGES = ("drawn_digits", "glyphs", "handwritten_digits")
NAMES = (*AUDIO, *IMAGES, "python_code", "python_docstrings", "python_reference", *GENERATED)

BUILD = """
import json, sys
from bench import plugins
made = {name: plugins.find("datasets", name).load()().fingerprint for name in sys.argv[1:]}
print(json.dumps({"fingerprints": made, "torch": "torch" in sys.modules}))
"""


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[subprocess.Popen[str]]:
    """A process with another hash seed that builds all domains and prints their fingerprints."""
    command = [sys.executable, "-c", BUILD, *NAMES]
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


class Domains(Mapping[str, Dataset]):
    """Name to domain, built when it is first asked for."""

    def __init__(self) -> None:
        self.made: dict[str, Dataset] = {}

    def __getitem__(self, name: str) -> Dataset:
        if name not in self.made:
            self.made[name] = plugins.find("datasets", name).load()()
        return self.made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(NAMES)

    def __len__(self) -> int:
        return len(NAMES)


@pytest.fixture(scope="session")
def domains() -> Domains:
    return Domains()
