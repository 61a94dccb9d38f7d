"""Files of runs that are damaged: whatever reads them names the file, shows the cell as damaged, or refuses."""

import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from bench.results import packed
from tests import mutations
from tests.report.runs import make_run
from tests.soak.commands import LONGEST, bench

WHOLE = 2_000
DONE = "a file of a run damaged, and the run read by a command"
_COMMANDS = ("report", "compare", "history", "status", "verify", "recommend", "export")


@contextmanager
def prepared(folder: Path) -> Iterator[Callable[[int, random.Random, Path], str]]:
    """A run with a file for each cell, and the same one packed; how long each command takes with it as it is."""
    loose = make_run(folder / "loose", sizes=(50, 200), seeds=(0, 1))
    whole = folder / "whole" / loose.parent.name / loose.name
    shutil.copytree(loose, whole)
    packed.pack(whole)
    usual: dict[str, float] = {}

    def attempt(number: int, chance: random.Random, into: Path) -> str:
        command = _COMMANDS[number % len(_COMMANDS)]
        if command not in usual:
            usual[command] = _ask(command, whole, whole, into / "usual", longest=60.0)
        run = into / "results" / loose.parent.name / "damaged"
        shutil.copytree(chance.choice([loose, whole]), run)
        for _ in range(chance.choice((1, 1, 1, 3))):
            mutations.damage(chance.choice(_files(run, chance)), chance)
        _ask(command, run, whole, into / "after", longest=LONGEST + usual[command])
        return f"bench {command}"

    yield attempt


def _files(run: Path, chance: random.Random) -> list[Path]:
    """Those of the run itself as often as those of its cells."""
    own = [path for path in run.iterdir() if path.is_file()]
    cells = [path for path in run.glob("cells/**/*") if path.is_file()]
    return sorted(cells if cells and chance.random() < 0.6 else own or cells)


def _ask(command: str, run: Path, base: Path, into: Path, *, longest: float) -> float:
    """One command of a run; the processor's seconds it took."""
    arguments: dict[str, list[object]] = {
        "report": [run, "--reports", into],
        "compare": [base, run, "--json"],
        "history": [run.parent.name, "--results", run.parents[1], "--reports", into],
        "recommend": [run, "--data-size", 100],
    }
    into.mkdir()
    arguments["status"] = [run, "--reports", into]
    return bench(command, *arguments.get(command, [run]), longest=longest).seconds
