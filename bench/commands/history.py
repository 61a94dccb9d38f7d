"""Show what became of a suite's figures from run to run, where they changed, and what changed there.

Every run that lies in the suite's folder is read. Where a figure (the mean over seeds of a metric at one
place) went to another level is told by a test over all of them at once, with what was other in that run:
packages, machine, commit, data, options; and where figures begin or end, as of an approach that was renamed.
A page with trends and a table of every figure are written to reports/<suite>/history.html and history.csv.
"""

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from bench.commands import _arguments, _saying
from bench.errors import ResultsError
from bench.words import counted, suggest

if TYPE_CHECKING:
    from bench.comparison.history import History

_MOST = 20  # runs, and changes, on a terminal


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The suite, what is drawn, and where to."""
    parser.add_argument("suite", type=Path, help="a suite's name, or the folder with its runs")
    parser.add_argument("--metric", action="append", default=[], metavar="NAME", help="draw it (default: the primary)")
    _arguments.add_folder(parser, "results")
    _arguments.add_folder(parser, "reports")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """0; 1 where a run could not be read."""
    from bench.comparison import history, history_page
    from bench.publication import overview
    from bench.results import files

    folder = chosen.suite if any(chosen.suite.glob("*/run.json")) else chosen.results / chosen.suite
    found = history.read(folder)
    known = found.rows["metric"].unique().tolist()
    for name in chosen.metric:
        if name not in known:
            raise ResultsError(f"{folder}: no metric {name!r}; {suggest(name, known)}it has {', '.join(known)}")
    metrics = chosen.metric or history_page.shown_metrics(found)
    suite = found.nights[-1].side.info["suite"]
    into = chosen.reports / suite
    nights = history_page.by_night(found)
    page, table = history_page.render(found, suite, metrics, nights), history_page.table(found)
    files.write_atomically(into / "history.html", lambda path: path.write_text(page, encoding="utf-8"))
    files.write_atomically(into / "history.csv", lambda path: path.write_text(table, encoding="utf-8"))
    _saying.tell([*found.unread, *overview.renew(chosen.reports, folder.parent)])
    if chosen.json:
        print(json.dumps(_plain(found) | {"page": str(into / "history.html")}))
    else:
        _show(found, nights)
        print(f"page     {into / 'history.html'}")
    return int(bool(found.unread))


def _show(found: "History", nights: list[tuple[int, list[str], list[str]]]) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bench.comparison import history_page
    from bench.report import wording

    console = Console()
    table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in ("run", "began", "took", "ends", "verdict"):
        table.add_column(head, overflow="fold")
    for night in found.nights[-_MOST:]:
        entries = [night.side.path.name, night.began[:16], wording.duration(night.seconds), history_page.ends(night)]
        table.add_row(*(Text(_saying.plain(entry)) for entry in (*entries, night.verdict)))
    if (more := len(found.nights) - _MOST) > 0:
        console.print(f"{counted(more, 'run')} before these, see the page", style="dim", highlight=False)
    with console.capture() as drawn:
        console.print(table)
    print(*(line.rstrip() for line in drawn.get().splitlines()), sep="\n")  # rich fills lines with blanks
    for place, facts, lines in nights[:_MOST]:
        console.print(Text(f"\n{_saying.plain(found.nights[place].side.path.name)}", style="bold"))
        for said in lines:
            console.print(Text(_saying.folded(said, "  ", 4)), soft_wrap=True)
        for fact in facts:
            console.print(Text(_saying.folded(fact, "  changed ", 4), style="dim"), soft_wrap=True)
    if not found.points:
        console.print("no figure changed its level", highlight=False)


def _plain(found: "History") -> dict[str, object]:
    from bench.comparison import appearances, told

    rows = told.records(found.rows)
    changed = {night: [one._asdict() for one in found.changed(night)] for night in {p.night for p in found.points}}
    return {
        "runs": [
            {
                "run": str(night.side.path),
                "began": night.began,
                "seconds": night.seconds,
                "ends": night.ends,
                "verdict": night.verdict or None,
            }
            for night in found.nights
        ],
        "changes": [
            rows[point.row]
            | {
                "run": found.nights[point.night].side.path.name,
                "before": point.before,
                "after": point.after,
                "worse": point.is_worse,
                "changed": changed[point.night],
            }
            for point in found.points
        ],
        "appearances": [
            one._asdict() | {"run": found.nights[one.night].side.path.name} for one in appearances.appearances(found)
        ],
        "unread": found.unread,
    }
