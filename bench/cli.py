"""``bench run | plan | fetch | report | list``: thin, and imports no torch.

Exit codes: 0 all cells are ok or not applicable; 1 some cells failed (also where their model or data cannot be had),
diverged, or ran out of time or memory; 2 bad input, said in one line; 130 interrupted.
"""

import argparse
import errno
import io
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench import __version__
from bench.errors import BenchError
from bench.words import counted, cut

_LEAST_TEXT = 20  # columns beside the names of a list
_MOST_LINES = 10  # said of one kind of thing
_OF_FOLDERS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.ENOTDIR, errno.EIO)
_LISTS = ("approaches", "families", "datasets", "metrics", "features", "suites")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no arrow gets a question mark
    # pydantic would read the entry points of all that is installed: one that is broken would end every command
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    chosen = _parser().parse_args(arguments)
    logging.captureWarnings(True)  # those of other libraries: nobody here can mend them
    try:
        return int(chosen.call(chosen))
    except BrokenPipeError:  # such as `bench list | head`
        sys.stderr.close()
        return 0
    except BenchError as error:
        print(_line(error), file=sys.stderr)
        return 130 if type(error).__name__ == "Interrupted" else 2
    except OSError as error:
        if error.errno not in _OF_FOLDERS or not error.filename:
            raise
        print(_line(f"{error.filename}: cannot be used ({error.strerror}); name another"), file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("bench: stopped", file=sys.stderr)
        return 130
    finally:
        logging.captureWarnings(False)


class _Parser(argparse.ArgumentParser):
    """Says what is wrong with the arguments in one line, as everything else is said."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, _line(f"{message}; see `{self.prog} --help`") + "\n")


def _line(said: object) -> str:
    """One line for a terminal, whatever names from files are quoted in it."""
    return f"bench: {_printable(cut(str(said), 2000))}"


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def _tell(lines: list[str]) -> None:
    """Lines beside what was asked for, as many as somebody reads."""
    for line in lines[:_MOST_LINES]:
        print(_line(line), file=sys.stderr)
    if len(lines) > _MOST_LINES:
        print(_line(f"and {len(lines) - _MOST_LINES} more of these"), file=sys.stderr)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="bench",
        description="Compare ways of transferring pretrained generative models to new domains.",
        epilog="Start with: bench run quickstart",
    )
    parser.add_argument("--version", action="version", version=f"transferbench {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    json_flag: dict[str, Any] = {"action": "store_true", "help": "print JSON for scripts"}

    run = commands.add_parser("run", help="run a suite, or go on with its latest run")
    run.add_argument("suite", help="a YAML file, or the name of a suite (see `bench list suites`)")
    run.add_argument("--new", action="store_true", help="start another run; the earlier one stays as it is")
    run.add_argument(
        "--run", metavar="NAME", help="name of the run to start or go on with (default: the time it began)"
    )
    run.add_argument(
        "--workers", type=_count, metavar="N", help="cells that train at a time (default: cores, or 1 on a GPU)"
    )
    run.add_argument("--retry", action="store_true", help="train cells again that failed, diverged or ran out")
    run.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    run.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    run.add_argument("--json", **json_flag)
    run.set_defaults(call=_run)

    plan = commands.add_parser("plan", help="show what a suite would do; trains nothing")
    plan.add_argument("suite", help="a YAML file, or the name of a suite")
    plan.add_argument("--workers", type=_count, metavar="N", help="for the estimate of time")
    plan.add_argument("--results", type=Path, default=Path("results"), metavar="DIR", help="default: results")
    plan.add_argument("--json", **json_flag)
    plan.set_defaults(call=_plan)

    fetch = commands.add_parser("fetch", help="download what a suite needs, to run it without a network afterwards")
    fetch.add_argument("suite", help="a YAML file, or the name of a suite")
    fetch.add_argument("--json", **json_flag)
    fetch.set_defaults(call=_fetch)

    report = commands.add_parser("report", help="make the report of a run again")
    report.add_argument("results", type=Path, help="a run's folder, or a suite's (its latest run)")
    report.add_argument("--reports", type=Path, default=Path("reports"), metavar="DIR", help="default: reports")
    report.add_argument("--json", **json_flag)
    report.set_defaults(call=_report)

    listing = commands.add_parser("list", help="what there is to choose from")
    listing.add_argument("kind", nargs="?", choices=_LISTS, metavar="KIND", help=f"one of: {', '.join(_LISTS)}")
    listing.add_argument("--matrix", action="store_true", help="which approach has a meaning for which family")
    listing.add_argument("--json", **json_flag)
    listing.set_defaults(call=_list)
    return parser


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not a number of one or more")
    return int(text)


def _run(chosen: argparse.Namespace) -> int:
    from rich.console import Console

    from bench import plugins, progress, results, runner, suite

    checked = suite.load(chosen.suite)
    _tell(plugins.faults())
    folder = runner.start(checked, chosen.results, new=chosen.new, name=chosen.run)
    with progress.show(Console(stderr=chosen.json)) as shown:
        counts = runner.run(checked, folder, shown, workers=chosen.workers, retry=chosen.retry)
    from bench import report
    from bench.report import circumstances, terminal

    page = report.build(folder, chosen.reports)
    frame = results.read_table(folder)
    left_out = circumstances.left_out(results.records(folder))
    statuses = frame.drop_duplicates("cell")["status"].value_counts().to_dict()
    if chosen.json:
        said = {"cells": statuses, "left_out": left_out, "results": str(folder), "report": str(page)}
        print(json.dumps(counts | said))
    else:
        console = Console()
        terminal.summary(frame, checked.primary(), console)
        were = "was" if counts["kept"] == 1 else "were"
        already = f", {counts['kept']} {were} there already" if counts["kept"] else ""
        ends = ", ".join(f"{number} {status}" for status, number in statuses.items())
        print(f"{counted(counts['trained'], 'cell')} trained now{already}: {ends}")
        for line in left_out:
            print(f"left out or changed: {_printable(line)}")
        print(f"results  {folder}\nreport   {page}")
    return int(bool(set(statuses) - {"ok", "not_applicable"}))


def _plan(chosen: argparse.Namespace) -> int:
    from bench import planning, plugins, suite

    checked = suite.load(chosen.suite)
    _tell(plugins.faults())
    plan = planning.plan(checked, chosen.results, chosen.workers)
    if chosen.json:
        print(json.dumps(plan.as_json()))
    elif not plan.faults:
        from rich.console import Console

        Console().print(plan)
    for fault in plan.faults:
        print(_line(fault), file=sys.stderr)
    return 2 if plan.faults else 0


def _fetch(chosen: argparse.Namespace) -> int:
    from bench import fetching, suite

    items = []
    for item in fetching.fetch(suite.load(chosen.suite)):
        items.append(item._asdict())
        if item.fault:
            print(_line(item.fault), file=sys.stderr)
        elif not chosen.json:
            print(f"{item.name}: {'fetched' if item.fetched else 'there already'}", flush=True)
    if chosen.json:
        print(json.dumps(items))
    elif not items:
        print("nothing to fetch: all it needs is made here")
    return 2 if any(item["fault"] for item in items) else 0


def _report(chosen: argparse.Namespace) -> int:
    from bench import report, results

    folder = results.latest(chosen.results) or chosen.results
    damaged: list[str] = []
    page = report.build(folder, chosen.reports, damaged.append)
    _tell(damaged)
    print(json.dumps({"results": str(folder), "report": str(page)}) if chosen.json else page)
    return int(bool(damaged))


def _list(chosen: argparse.Namespace) -> int:
    from bench import plugins, suite, yaml_file

    _tell(plugins.faults())
    if chosen.matrix:
        return _matrix(chosen)
    kinds = [chosen.kind] if chosen.kind else list(_LISTS)
    found: dict[str, list[dict[str, str]]] = {}
    for kind in kinds:
        if kind == "suites":
            paths = suite.available()
            entries = [{"name": path.stem, "summary": yaml_file.read(path).get("description", "")} for path in paths]
        else:
            listed = plugins.available(kind)
            entries = [{"name": plugin.name, "summary": plugin.summary, "paper": plugin.paper} for plugin in listed]
        found[kind] = entries
    if chosen.json:
        print(json.dumps(found))
        return 0
    _print_lists(found)
    return 0


def _matrix(chosen: argparse.Namespace) -> int:
    from bench import composition

    found = composition.matrix()
    if chosen.json:
        print(json.dumps(found))
        return 0
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    families = list(next(iter(found.values())))
    grid = Table(box=None, pad_edge=False)
    grid.add_column("approach", no_wrap=True, style="cyan")
    for family in families:  # upright, one letter to a line: a dozen of them fit beside each other
        grid.add_column("\n".join(family), justify="center", vertical="bottom")
    for approach, reasons in found.items():
        grid.add_row(approach, *("—" if reasons[family] else "✓" for family in families))
    console = Console()
    console.print(grid, Text())
    without: dict[tuple[str, str], list[str]] = {}  # (who lacks it, what is needed) to the approaches that need it
    for approach, reasons in found.items():
        lacking: dict[str, list[str]] = {}
        for family, reason in reasons.items():
            if reason:
                lacking.setdefault(reason.partition(" needs ")[2].partition(";")[0], []).append(family)
        for needed, whom in lacking.items():
            without.setdefault((", ".join(whom), needed), []).append(approach)
    for (families_, needed), approaches in without.items():
        need, have = "needs" if len(approaches) == 1 else "need", "have" if "," in families_ else "has"
        console.print(Text(f"— {', '.join(approaches)} {need} {needed}; {families_} {have} none"))
    return 0


def _print_lists(found: dict[str, list[dict[str, str]]]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    longest = max((len(entry["name"]) for entries in found.values() for entry in entries), default=0)
    console.width = max(console.width, longest + _LEAST_TEXT)  # a terminal may break a line, but no name is cut off
    for kind, entries in found.items():
        grid = Table(title=kind, title_justify="left", title_style="bold", box=None, show_header=False, pad_edge=False)
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for entry in entries:
            about = Text(" ".join(entry["summary"].split()))
            if entry.get("paper"):
                about.append(f"\n{entry['paper']}", style="dim")
            grid.add_row(Text(entry["name"], style="cyan"), about)
        console.print(grid, Text())
