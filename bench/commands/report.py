"""Make the report of a run again."""

import argparse
import json

from bench.commands import _arguments, _saying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, and where its report goes."""
    _arguments.add_run(parser)
    _arguments.add_folder(parser, "reports")
    parser.add_argument(
        "--baseline", metavar="NAME", help="an approach that all others are held against, beside the controls"
    )
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where a file of the run is damaged."""
    from bench import report
    from bench.publication import overview

    folder = _arguments.run_folder(chosen)
    damaged: list[str] = []
    page = report.build(folder, chosen.reports, damaged.append, baseline=chosen.baseline).page
    _saying.tell([*damaged, *overview.renew(chosen.reports, overview.results_of(folder))])
    print(json.dumps({"results": str(folder), "report": str(page)}) if chosen.json else page)
    return int(bool(damaged))
