"""Download what a suite needs, to run it without a network afterwards."""

import argparse
import json
import sys

from bench.commands import _arguments, _saying


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The suite."""
    _arguments.add_suite(parser)
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """2 where something could not be had."""
    from bench.running import fetching
    from bench.suite import loading

    items = []
    for item in fetching.fetch(loading.load(chosen.suite)):
        items.append(item._asdict())
        if item.fault:
            print(_saying.line(item.fault), file=sys.stderr)
        elif not chosen.json:
            print(f"{item.name}: {'fetched' if item.fetched else 'there already'}", flush=True)
    if chosen.json:
        print(json.dumps(items))
    elif not items:
        print("nothing to fetch: all it needs is made here")
    return 2 if any(item["fault"] for item in items) else 0
