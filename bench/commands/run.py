"""Run a suite, or go on with its latest run."""

import argparse
import json
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.commands import _arguments, _saying, _tracking
from bench.words import counted

if TYPE_CHECKING:
    from bench.results.runs import Found


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The suite, which of its runs, and how."""
    _arguments.add_suite(parser)
    parser.add_argument("--new", action="store_true", help="start another run; the earlier one stays as it is")
    parser.add_argument(
        "--run", metavar="NAME", help="name of the run to start or go on with (default: the time it began)"
    )
    _arguments.add_workers(parser, "cells that train at a time (default: cores, or 1 on a GPU)")
    parser.add_argument(
        "--keep",
        choices=("best", "all", "none"),
        help="weights that stay: of the best cell of each model and target, of all, of none (default: the suite's)",
    )
    _arguments.add_retry(parser)
    parser.add_argument("--fail-fast", action="store_true", help="stop at the first cell that does not end well")
    _arguments.add_folder(parser, "results")
    _arguments.add_folder(parser, "reports")
    _arguments.add_track(parser, "--track")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where a cell did not end well."""
    from rich.console import Console

    from bench import plugins
    from bench.results.statuses import ENDED_WELL
    from bench.running import progress, runner
    from bench.suite import loading
    from bench.trackers import sending, targets

    suite, trackers = loading.load(chosen.suite), targets.chosen(chosen.track)
    _saying.tell(plugins.faults())
    _saying.tell(targets.doubts(trackers))
    folder = runner.start(suite, chosen.results, new=chosen.new, name=chosen.run)
    with progress.show(Console(stderr=chosen.json)) as shown:
        counts = runner.run(
            suite,
            folder,
            shown,
            workers=chosen.workers,
            retry=chosen.retry,
            fail_fast=chosen.fail_fast,
            keep=chosen.keep,
        )
    aside = [f"{path}: what it held was made anew where it could not be read" for path in folder.glob("damaged-*")]
    _saying.tell(sorted(aside))
    from bench import report
    from bench.publication import overview
    from bench.report import circumstances, terminal

    with sending.beside(folder, trackers) as sendings:
        page, found, sections = report.build(folder, chosen.reports)
        _saying.tell(overview.renew(chosen.reports, chosen.results))
        left_out, unmeasured = circumstances.left_out(found.records), circumstances.unmeasured(found.records)
        statuses = dict(Counter(record["happened"]["status"] for record in found.records).most_common())
        if not chosen.json:
            terminal.summary(sections, Console())
            were = "was" if counts["kept"] == 1 else "were"
            already = f", {counts['kept']} {were} there already" if counts["kept"] else ""
            ends = ", ".join(f"{number} {status}" for status, number in statuses.items())
            print(f"{counted(counts['trained'], 'cell')} trained now{already}: {ends}")
            for line in left_out:
                print(f"left out or changed: {_saying.printable(line)}")
            for line in unmeasured:
                print(f"not measured: {_saying.printable(line)}")
            print(f"results  {folder}\nreport   {page}", flush=True)
        tracked = sending.outcomes(sendings, sending.bearable(found.info["seconds"]))
    if chosen.json:
        said = {"cells": statuses, "left_out": left_out, "not_measured": unmeasured}
        paths = {"results": str(folder), "report": str(page)}
        sent = {"tracked": {str(one.target): one.as_json() for one in tracked}} if tracked else {}
        print(json.dumps(counts | said | paths | sent))
    else:
        for line in _weights(found, chosen.keep):
            print(line)
    _tracking.show(tracked, folder, "tracked  ", quiet=chosen.json)
    return int(bool(set(statuses).difference(ENDED_WELL)))


def _weights(found: "Found", keep: str | None) -> Iterator[str]:
    """Which weights are there, and which were asked for and are not."""
    from bench.results import weights

    trained = [one["cell"] for one in found.records if one["happened"].get("training", {}).get("checkpoint_bytes")]
    there = [cell for cell in trained if weights.path(found.folder, cell).exists()]
    if there:
        size = sum(weights.path(found.folder, cell).stat().st_size for cell in there)
        yield f"weights  {found.folder / weights.FOLDER} ({counted(len(there), 'cell')}, {size / 2**20:,.1f} MiB)"
    if keep == "all" and len(there) < len(trained):
        some = f"{len(trained) - len(there)} of {counted(len(trained), 'cell')}"
        yield f"weights of {some} were not kept when these were trained; train them again with --new --keep all"
