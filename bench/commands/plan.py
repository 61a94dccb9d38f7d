"""Show what a suite would do; trains nothing."""

import argparse
import json
import sys

from bench.commands import _arguments, _saying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The suite, and where its latest run may be."""
    _arguments.add_suite(parser)
    _arguments.add_workers(parser, "for the estimate of time")
    _arguments.add_folder(parser, "results")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """2 where a model or a dataset will certainly not do."""
    from bench import plugins
    from bench.running import planning
    from bench.suite import loading

    suite = loading.load(chosen.suite)
    _saying.tell(plugins.faults())
    plan = planning.plan(suite, chosen.results, chosen.workers)
    if chosen.json:
        print(json.dumps(plan.as_json()))
    elif not plan.faults:
        print(*map(_saying.printable, str(plan).split("\n")), sep="\n")
    for fault in plan.faults:
        print(_saying.line(fault), file=sys.stderr)
    return 2 if plan.faults else 0
