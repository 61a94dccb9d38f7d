"""Hold a run against an earlier one: better, worse, no change, or cannot tell.

Every score of a cell that both have is compared with its noise: over seeds, test items and timed
repetitions. At most one comparison in twenty of runs that differ by chance alone calls anything
worse, over the whole suite; what is too small to show in any cell, but goes one way in all of them,
is found, too. What changed around the numbers stands below: packages, machine, commit, data, options.
What is no change is for the suite to say, `tolerances: {quality: 0.01, drift: 0.001, speed: 0.15,
memory: 0.05, energy: 0.15, size: 0.01}` being the default, or a metric's name. Figures of two machines
are not compared, and where whole nights on one lie further apart by themselves, as the runs before tell,
less cannot be told. With --against last-ok the baseline is the newest earlier run that is complete and
no regression, and the verdict is kept beside the run and told in the reports/index.html beside results/.
--page writes it all into one HTML file, with the samples and learning curves of both runs side by side.

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
        "--first", action="store_true", help="with last-ok: a run before which none was all right is no fault"
    )
    parser.add_argument(
        "--tolerance", type=_tolerance, action="append", default=[], metavar="NAME=SHARE", help="over the suite's own"
    )
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write it for a pull request")
    parser.add_argument("--junit", type=Path, metavar="FILE", help="write it for continuous integration")
    parser.add_argument(
        "--page", type=Path, metavar="FILE", help="write it as HTML: every row, samples and curves of both side by side"
    )
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """0, 1 or 3."""
    from bench.comparison import baselines, environments, junit, markdown, paces, sides, told, verdict_page, verdicts
    from bench.publication import overview
    from bench.results import disk

    try:
        base_path, new_path = _paths(chosen)
    except baselines.NoBaseline:
        if not chosen.first:
            raise
        return _first(chosen)
    try:
        base, new = sides.read(base_path), sides.read(new_path)
        findings = verdicts.compare(base, new, dict(chosen.tolerance), paces.paces(new, verdicts.LEVEL / 4))
    except ResultsError as error:
        if chosen.against == baselines.LAST_OK:
            baselines.keep_unusable(new_path, base_path, str(error))
        raise
    changes = environments.changes(base, new)
    for path, make in (
        (chosen.markdown, lambda: markdown.markdown(findings, changes, base, new)),
        (chosen.junit, lambda: junit.junit(findings, base, new)),
        (chosen.page, lambda: verdict_page.render(findings, changes, base, new)),
    ):
        if path:
            with disk.clear_errors(path, "file"):
                path.write_text(make(), encoding="utf-8")
    _saying.tell([line for side in (base, new) if side.found for line in side.found.told()])
    _saying.tell(_remarks(base, new))
    if chosen.json:
        page = {"page": str(chosen.page)} if chosen.page else {}
        print(json.dumps(told.plain(findings, changes, base, new) | page))
    else:
        _show(findings, changes, base, new)
        if chosen.page:
            print(f"page     {_saying.plain(str(chosen.page))}")
    if chosen.against == baselines.LAST_OK and not findings.unfinished:
        baselines.keep(new, base, findings)
        if results := overview.results_of(new_path):
            _saying.tell(overview.renew(results.parent / "reports", results))
    if findings.unfinished:
        _saying.tell([f"{_left(new)}, then compare again"])
    return REGRESSION if findings.worse else INCOMPLETE if findings.unfinished else 0


def _left(side: "Side") -> str:
    from bench.running import status

    go_on = f"go on by {status.command(side.info, side.path)}"
    how = "a process still works on it" if status.is_held(side.path) else go_on
    return f"{side.path}: {counted(len(side.unfinished), 'cell')} of {len(side.info['cells'])} not finished; {how}"


def _remarks(base: "Side", new: "Side") -> list[str]:
    """What may not be meant about two sides that can be compared."""
    if base.path.resolve() == new.path.resolve():
        return [f"{new.path}: stands on both sides, so that nothing can differ; name an earlier run first"]
    lines = [f"{_left(base)}, or name another: what it lacks is not compared"] if base.unfinished else []
    began = [str(side.info.get("started") or "") for side in (base, new)]
    if all(began) and began[1] < began[0]:
        lines.append(f"{new.path}: began before {base.path}, which is named first as the earlier one; is that meant?")
    return lines


def _first(chosen: argparse.Namespace) -> int:
    """Of a run that nothing can be held against: 0 where all ended well, 1 where not, 3 where it is not complete."""
    from bench.comparison import sides
    from bench.results import disk
    from bench.results.statuses import ENDED_WELL

    new = sides.read(_path(chosen.sides[-1]))
    ended = new.frame.drop_duplicates("cell")["status"].value_counts().to_dict()
    badly = sum(count for status, count in ended.items() if status not in ENDED_WELL)
    parts = [f"{counted(badly, 'cell')} did not end well"] if badly else []
    parts += [f"{counted(len(new.unfinished), 'cell')} not finished"] if new.unfinished else []
    said = f"{new.name}: the first run, with which later ones are compared{''.join(f'; {part}' for part in parts)}"
    if chosen.markdown:
        with disk.clear_errors(chosen.markdown, "file"):
            chosen.markdown.write_text(f"{said}\n", encoding="utf-8")
    print(json.dumps({"first": True, "said": said, "complete": not new.unfinished}) if chosen.json else said)
    return REGRESSION if badly else INCOMPLETE if new.unfinished else 0


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
    _verdicts.show_lines(console, "only in the earlier one ", findings.gone)
    _verdicts.show_lines(console, "only in the later one ", findings.added)


def _tolerance(text: str) -> tuple[str, float]:
    name, _, value = text.rpartition("=")
    try:
        share = float(value)
    except ValueError:
        share = math.nan
    if not name or not 0 <= share < math.inf:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not a name and a share such as speed=0.2")
    return name, share
