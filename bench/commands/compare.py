"""Hold a run against an earlier one: better, worse, no change, or cannot tell.

Every score of a cell that both have is compared with its noise: over seeds, test items and timed
repetitions. At most one comparison in twenty of runs that differ by chance alone calls anything
worse, over the whole suite; what is too small to show in any cell, but goes one way in all of them,
is found, too. What changed around the numbers stands below: packages, machine, commit, data, options.
What is no change is for the suite to say, `tolerances: {quality: 0.01, drift: 0.001, speed: 0.15,
memory: 0.05, energy: 0.15, size: 0.01}` being the default, or a metric's name; figures of two machines
are not compared. With --against last-ok the baseline is the newest earlier run that is complete and
no regression, and the verdict is kept beside the run.

Exit codes: 0 no regression; 1 a regression; 2 for bad input; 3 where cells have not finished.
"""

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands import _arguments, _saying, _verdicts
from bench.errors import ResultsError
from bench.words import counted, cut

if TYPE_CHECKING:
    from bench.comparison.environments import Change
    from bench.comparison.sides import Side
    from bench.comparison.verdicts import Findings

REGRESSION, INCOMPLETE = 1, 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Both sides, what is tolerated, and where it is written."""
    about = "a run's folder, its suite's folder or name (the latest run), or a tidy table as CSV or Parquet"
    parser.add_argument("sides", type=Path, nargs="+", metavar="RUN", help=f"BASE and NEW, each {about}")
    parser.add_argument("--against", metavar="BASE", help="of one RUN, what to hold it against: last-ok, or a run")
    parser.add_argument(
        "--tolerance", type=_tolerance, action="append", default=[], metavar="NAME=SHARE", help="over the suite's own"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it for a pull request")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write it for continuous integration")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """0, 1 or 3."""
    from bench.comparison import baselines, environments, junit, markdown, sides, told, verdicts
    from bench.results import disk
    from bench.running import status

    base_path, new_path = _paths(chosen)
    base, new = sides.read(base_path), sides.read(new_path)
    findings = verdicts.compare(base, new, dict(chosen.tolerance))
    changes = environments.changes(base, new)
    _saying.tell([line for side in (base, new) if side.found for line in side.found.told()])
    if chosen.markdown:
        with disk.clear_errors(chosen.markdown):
            chosen.markdown.write_text(markdown.markdown(findings, changes, base, new), encoding="utf-8")
    if chosen.junit:
        with disk.clear_errors(chosen.junit):
            chosen.junit.write_text(junit.junit(findings, base, new), encoding="utf-8")
    if chosen.json:
        print(json.dumps(told.plain(findings, changes, base, new)))
    else:
        _show(findings, changes, base, new)
    if chosen.against == baselines.LAST_OK and not findings.unfinished:
        baselines.keep(new, base, findings)
    if findings.unfinished:
        go_on = f"go on by {status.command(new.info, new_path)}"
        how = "a process still works on it" if status.is_held(new_path) else go_on
        left = counted(findings.unfinished, "cell")
        _saying.tell([f"{new_path}: {left} of {len(new.info['cells'])} not finished; {how}, then compare again"])
    return REGRESSION if findings.worse else INCOMPLETE if findings.unfinished else 0


def _paths(chosen: argparse.Namespace) -> tuple[Path, Path]:
    from bench.comparison import baselines

    if len(chosen.sides) != (1 if chosen.against else 2):
        raise ResultsError("name two runs, BASE and NEW, or one and --against last-ok")
    new = _path(chosen.sides[-1])
    if chosen.against == baselines.LAST_OK:
        if new.is_file():
            raise ResultsError(f"{new}: a table, beside which no earlier run lies; name the table to compare with")
        return baselines.last_ok(new), new
    return _path(Path(chosen.against) if chosen.against else chosen.sides[0]), new


def _path(path: Path) -> Path:
    return path if path.is_file() else _arguments.run_folder(argparse.Namespace(results=path))


def _show(findings: "Findings", changes: "list[Change]", base: "Side", new: "Side") -> None:
    from rich.console import Console
    from rich.text import Text

    from bench.comparison import told
    from bench.comparison.verdicts import SAME

    console = Console()
    console.print(Text(_saying.plain(f"{new.name} against {base.name}"), style="bold"))
    style = "bold red" if findings.worse else "bold yellow" if findings.unfinished else "bold green"
    console.print(Text(told.verdict(findings), style=style))
    _verdicts.show_rows(console, told.shown(findings))
    _verdicts.show_lines(console, "", [told.drift(one) for one in findings.drifts if one.verdict != SAME])
    _verdicts.show_around(console, findings, changes)
    for said, count in (("only in the earlier", findings.gone), ("only in the later", findings.added)):
        if count:
            console.print(Text(f"{counted(count, 'cell')} {said} one", style="dim"))


def _tolerance(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not name or not 0 <= share < math.inf:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not a name and a share such as speed=0.2")
    return name, share
