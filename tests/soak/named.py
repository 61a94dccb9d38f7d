"""Attempts that are tests of the ordinary suite: each fault by its name, and the tests that inject it."""

import os
import random
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
Named = Mapping[str, tuple[str, ...]]
"""What is done, to the tests that do it: ``running/test_pool.py::test_x``, below ``tests``."""


@contextmanager
def each(named: Named, folder: Path) -> Iterator[Callable[[int, random.Random, Path], str]]:
    """One attempt is all tests of one name; one that is skipped here has not been made, and is wrong."""
    names = list(named)

    def attempt(number: int, chance: random.Random, into: Path) -> str:
        name, log = names[number], into / "tests.xml"
        tests = [str(ROOT / "tests" / test) for test in named[name]]
        options = ["-q", "-p", "no:cacheprovider", f"--junitxml={log}", f"--basetemp={into / 'tests'}"]
        cache = os.environ.get("TRANSFERBENCH_TEST_CACHE") or str(folder / "cache")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests], cwd=ROOT, capture_output=True, text=True,
            env=dict(os.environ) | {"TRANSFERBENCH_TEST_CACHE": cache},
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
        cases = list(ElementTree.parse(log).iter("testcase"))
        skipped = [case.get("name") for case in cases if case.find("skipped") is not None]
        assert not skipped, f"could not be done here: {skipped}"
        return f"{name} ({len(cases)} case{'s' * (len(cases) != 1)})"

    yield attempt
