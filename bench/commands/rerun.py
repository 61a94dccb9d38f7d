"""Train cells of an earlier run once more in today's environment, and hold them against their old records.

For who reads that something is worse than it was: is it the code and its packages, the machine, or what
was asked? The cells are trained exactly as that run asked for them (seed, options, data size, budget,
tuning), whatever its suite's file says today, into RUN.reruns/ beside the run, which stays as it is. Equal to
the last digit: what changed since is not the reason. Else it is named from where on they differ, and what
is other around them. Cells are named by their names, with `*` for parts of them, or by model, target and
approach:

`bench rerun results/nightly/2026-11-12_031500 --approach lora`
`bench rerun results/nightly/2026-11-12_031500 'docs-lora-n100-*'`
`bench rerun results/nightly/2026-11-12_031500/cells/docs-lora-n100-s0-0123456789abcdef`

Exit codes: 0 no regression; 1 a regression; 2 for bad input, also where a cell cannot be trained any more
or would learn from other data than then.
"""

import argparse
import json
import shlex
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.commands import _arguments, _saying, _verdicts
from bench.errors import ResultsError
from bench.words import counted, cut, suggest

if TYPE_CHECKING:
    from bench.comparison.reruns import Rerun
    from bench.results import runs

_NAMES = ("model", "target", "approach")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, which of its cells, and how."""
    _arguments.add_run(parser)
    cells: Any = parser.add_argument(
        "cells", nargs="*", metavar="CELL", help="names of cells, with * for parts of them; or paths of their records"
    )
    cells.completer = _completed
    for name in _NAMES:
        parser.add_argument(f"--{name}", help=f"cells of this {name} alone")
    parser.add_argument(
        "--changed", action="store_true", help="train also where data or a checkpoint are others than they were"
    )
    _arguments.add_workers(parser, "cells that train at a time (default: cores, or 1 on a GPU)")
    parser.add_argument(
        "--results", dest="into", type=Path, metavar="DIR", help="where the rerun goes (default: beside the run)"
    )
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where something is worse now."""
    from rich.console import Console

    from bench import plugins
    from bench.comparison import reruns
    from bench.results import runs
    from bench.running import again, progress, runner

    run = _run(chosen)
    before = runs.read(run)
    cells = _cells(before, chosen)
    suite = again.load(before, cells, _command(run, cells, chosen), changed=chosen.changed)
    _saying.tell(plugins.faults())
    folder = again.start(suite, chosen.into)
    with progress.show(Console(stderr=chosen.json)) as shown:
        runner.run(suite, folder, shown, workers=chosen.workers, way=suite.command, ready=suite.check)
    now = runs.read(folder)
    found = reruns.hold(before, now, [(record, name) for name, record in suite.before.items()])
    _saying.tell([*before.told(), *now.told()])
    if chosen.json:
        print(json.dumps(_plain(found)))
    else:
        _show(found)
        print(f"results  {folder}")
    return int(bool(found.findings and found.findings.worse))


def _run(chosen: argparse.Namespace) -> Path:
    """The run that was named, or whose record was: that is then the first cell."""
    path = chosen.results
    if path.parent.name == "cells" and (path.parent.parent / "run.json").exists():
        chosen.results, chosen.cells = path.parent.parent, [str(path), *chosen.cells]
    folder = _arguments.run_folder(chosen)
    return folder if folder.name not in ("", "..") else folder.resolve()


def _cells(found: "runs.Found", chosen: argparse.Namespace) -> list[str]:
    """Ids of the cells that were chosen, in the run's order."""
    run, asked = found.folder, {record["cell"]: record["asked"] for record in found.records}
    wanted = {name: getattr(chosen, name) for name in _NAMES if getattr(chosen, name) is not None}
    if not (chosen.cells or wanted):
        which = f"which of its {counted(len(found.info['cells']), 'cell')}"
        raise ResultsError(f"{run}: {which}? Name some, such as 'docs-lora-*', or by --model, --target and --approach")
    for name, value in wanted.items():
        known = list(dict.fromkeys(str(one[name]) for one in asked.values()))
        if value not in known:
            hint = f"{suggest(value, known)}it has {', '.join(known)}"
            raise ResultsError(f"{run}: --{name} {cut(value, 100)!r}: no {name} of this run; {hint}")
    mine = [
        cell
        for cell in found.info["cells"]
        if not wanted or (cell in asked and all(asked[cell][name] == value for name, value in wanted.items()))
    ]
    named = set[str]()
    for text in chosen.cells:
        matching = {cell for cell in mine if _is_named(cell, _name(text, run))}
        if not matching:
            near = suggest(_name(text, run), mine) or "`bench export` lists them, and * stands for a part of a name"
            raise ResultsError(f"{run}: no cell {cut(text, 200)!r}{' of those' * bool(wanted)}; {near.strip()}")
        named |= matching
    picked = [cell for cell in mine if cell in named or not chosen.cells]
    ends = {record["cell"]: record["happened"]["status"] for record in found.records}
    trained = [cell for cell in picked if ends.get(cell) != "not_applicable"]
    if trained and (more := len(picked) - len(trained)):
        _saying.tell([f"{counted(more, 'cell')} left out that did not apply"])
    return trained or picked


def _name(text: str, run: Path) -> str:
    """Of a cell, as it was named, or of its record's path."""
    path = Path(text)
    if path.parent.name == "cells" and path.parent.parent.resolve() != run.resolve():
        raise ResultsError(f"{cut(text, 200)}: a cell of another run than {run}; rerun it by itself")
    return path.name.removesuffix(".json") if "/" in text else text


def _is_named(cell: str, pattern: str) -> bool:
    """By its whole name, or by that without its hash."""
    return fnmatchcase(cell, pattern) or fnmatchcase(cell.rpartition("-")[0], pattern)


def _command(run: Path, cells: list[str], chosen: argparse.Namespace) -> str:
    """What makes this rerun, whatever was typed."""
    into = ["--results", str(chosen.into)] if chosen.into else []
    return shlex.join(["bench", "rerun", str(run), *cells, *["--changed"] * chosen.changed, *into])


def _completed(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    """For a shell: the run's cells."""
    from bench.results import files

    run = _arguments.run_folder(parsed_args)
    found = files.parsed(run / "run.json")
    return [cell for cell in found["cells"] if isinstance(cell, str)]


def _show(found: "Rerun") -> None:
    from rich.console import Console
    from rich.text import Text

    from bench.comparison import told
    from bench.comparison.kinds import SIZE
    from bench.comparison.verdicts import SAME

    console = Console()
    console.print(
        Text(_saying.plain(f"{counted(len(found.cells), 'cell')} of {found.base.name} once more"), style="bold")
    )
    equal = found.equal == len(found.cells)
    worse = found.findings and found.findings.worse
    style = "bold red" if worse else "bold green" if equal else "bold yellow"
    console.print(Text(_saying.plain(found.conclusion()), style=style))
    _verdicts.show_lines(console, "", [f"{one.now['cell']}: {one.apart}" for one in found.cells if one.apart])
    if found.findings:
        rows = told.records(found.findings.rows)
        _verdicts.show_rows(console, [row for row in rows if row["verdict"] != SAME or row["kind"] != SIZE])
    _verdicts.show_around(console, found.findings, found.changes)


def _plain(found: "Rerun") -> dict[str, Any]:
    from bench.comparison import told

    cells = [{"before": one.before["cell"], "now": one.now["cell"], "apart": one.apart or None} for one in found.cells]
    said = {"conclusion": found.conclusion(), "equal": found.equal, "cells": cells}
    if found.findings:
        return said | told.plain(found.findings, found.changes, found.base, found.new)
    return said | {"changed": [one._asdict() for one in found.changes]}
