"""Check every file of a run, or of a publication, against its checksum, and its table against its records.

A line for each fault says what is wrong with which file, and what to do about it; what belongs to no run is named, too.
The exit code is 0 where nothing is wrong, 1 where something is.
"""

import argparse
import json

from bench.commands import _arguments, _saying
from bench.words import counted, few

_MOST = 100  # lines of one kind; --json has all


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run."""
    _arguments.add_run(parser)
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where a file is damaged, gone, or another than it was."""
    from bench.results import manifest, verification
    from bench.running import status

    folder = chosen.results if manifest.is_published(chosen.results) else _arguments.run_folder(chosen)
    at_work = status.is_held(folder)
    found = verification.verify(folder)
    if at_work:
        found.unchecked.append("what a process that works on it is writing; verify it again when that has ended")
    if chosen.json:
        said = {"run": str(found.folder), "faults": [fault._asdict() for fault in found.faults]}
        print(json.dumps(said | {"strange": found.strange, "checked": found.checked, "unchecked": found.unchecked}))
        return int(bool(found.faults))
    _print([f"{found.folder / fault.file}: {fault.what}; {fault.remedy}" for fault in found.faults])
    _print([f"strange: {found.folder / name}: {why}" for name, why in found.strange.items()])
    _print([f"not checked: {line}" for line in found.unchecked])
    checked = ", ".join(counted(number, noun) for noun, number in found.checked.items() if number)
    verdict = counted(len(found.faults), "fault") if found.faults else "all is as it was"
    print(f"{found.folder}: {verdict}; checked {checked or 'nothing'}")
    return int(bool(found.faults))


def _print(lines: list[str]) -> None:
    for line in few(lines, _MOST, "--json"):
        print(_saying.plain(line))
