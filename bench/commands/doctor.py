"""Show what this machine can do, and what is wrong with it, with the remedy; before a run, not after it.

Python and packages, extras, plugins, devices, memory, disks, caches, limits and the network. Nothing is downloaded, and
nothing is kept of what is written to try a folder. The exit code is 0 where there is no fault, 1 where there is one.
"""

import argparse
import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

from bench.commands import _arguments, _saying
from bench.words import counted

if TYPE_CHECKING:
    from bench.running.doctor import Finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What is to run, and where to."""
    suite = parser.add_argument("--suite", metavar="NAME", help="check, too, whether what this suite needs is here")
    _arguments.complete_suites(suite)
    _arguments.add_folder(parser, "results")
    _arguments.add_folder(parser, "reports")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where something will not do."""
    from bench.running import doctor

    suite = None
    if chosen.suite:
        from bench.suite import loading  # not needed else, and what it imports may be what is missing

        suite = loading.load(chosen.suite)
    found = doctor.examine(chosen.results, chosen.reports, suite)
    number = {level: sum(finding.level == level for finding in found) for level in ("fault", "note", "ok")}
    if chosen.json:
        print(json.dumps({"faults": number["fault"], "findings": [finding._asdict() for finding in found]}))
    else:
        print(*_lines(found), sep="\n")
        print(f"{counted(number['fault'], 'fault')}, {counted(number['note'], 'note')}, {number['ok']} ok")
    return int(number["fault"] > 0)


def _lines(found: "list[Finding]") -> Iterator[str]:
    for finding in found:
        head = f"{finding.level:5}  {finding.area:9}  "
        yield _saying.folded(finding.what, head, len(head))
        if finding.remedy:
            yield _saying.folded(finding.remedy, f"{'':{len(head)}}→ ", len(head) + 2)
