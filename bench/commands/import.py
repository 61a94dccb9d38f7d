"""Make a run of results that others measured: PEFT's method comparison, or a table of yours.

`bench report` and all else then work on it as on a run of ours. It goes into a new run, named by the time; with
--run NAME into that one, in the place of what an earlier import put there, never of what was trained here.
"""

import argparse
import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import _arguments, _saying
from bench.results import importing
from bench.words import counted

if TYPE_CHECKING:
    from bench.results.imported import Imported


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The source, what it asks, and where it goes: a file in ``results/importing`` is a source."""
    kinds = parser.add_subparsers(required=True, metavar="SOURCE")
    for name in importing.sources():
        module = importing.find(name)
        source = _arguments.add_parser(kinds, name, str(module.__doc__).replace("``", ""))
        module.add_arguments(source)
        source.add_argument("--suite", default=module.SUITE, metavar="NAME", help=f"default: {module.SUITE}")
        source.add_argument("--run", metavar="NAME", help="name of the run (default: the time)")
        _arguments.add_folder(source, "results")
        _arguments.add_json(source)
        source.set_defaults(source=name)


def call(chosen: argparse.Namespace) -> int:
    """1 where a file could not be read."""
    from bench.results import imported
    from bench.running import holding

    found = importing.find(chosen.source).read(chosen)
    folder = imported.folder(chosen.results, chosen.suite, chosen.run)
    with holding.alone(folder):
        replaced = imported.write(found, folder, chosen.source, _typed(chosen))
    _saying.tell([*found.unreadable, *found.told])
    if chosen.json:
        said = {"cells": found.ends(), "missing": found.missing(), "left_out": found.left_out}
        print(json.dumps(said | {"unreadable": found.unreadable, "results": str(folder)}))
    else:
        _say(found, folder, replaced)
    return int(bool(found.unreadable))


def _say(found: "Imported", folder: Path, replaced: bool) -> None:
    ends = ", ".join(f"{number} {status}" for status, number in found.ends().items())
    print(f"{counted(len(found.cells), 'result')} imported: {ends}")
    if missing := found.missing():
        names = ", ".join(f"{name} {count}" for name, count in missing.items())
        print(f"missing: {counted(sum(missing.values()), 'value')} ({_saying.printable(names)})")
    for line in found.left_out:
        print(f"left out: {_saying.printable(line)}")
    print(f"results  {folder}{' (in the place of the earlier import)' if replaced else ''}")
    print(f"next     bench report {shlex.quote(str(folder))}")


def _typed(chosen: argparse.Namespace) -> str:
    """The command, for the page; of a path its last part, as the page is for others."""
    words = ["bench", "import", chosen.source, chosen.path.name or str(chosen.path)]
    given: dict[str, Any] = {name: getattr(chosen, name, None) or [] for name in ("map", "set", "metric")}
    words += [word for name, values in given.items() for value in values for word in (f"--{name}", value)]
    return shlex.join(words)
