"""``python -m tests.soak [PART …]``: make what is left of a soak, and write the table of all that its log holds."""

import argparse
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from tests.soak import attempts, faults, kills, malicious, results, suites

PAGE = """# What was done to it, and what came of it

Made by `python -m tests.soak --table docs/reliability.md` (`tox -e soak -- --table docs/reliability.md`) from the log
of a soak, and from nothing else: what is not in the table was not done. Each attempt follows from the soak's seed and
its number alone, so that `python -m tests.soak PART --only NUMBER` makes it again. An attempt went wrong where

- a run that was killed and gone on with is not, to the last digit of its tidy table, what it is when nobody kills it
  (but for times and memory), trained a finished cell again, left a process or a half-written file, or has a fault that
  `bench verify` finds;
- a damaged suite or run ended a command in a traceback, with another exit code than 0, 1 or 2, after more than ten
  seconds of the processor (beyond what the command takes with the run as it was), or, of a suite, wrote anything;
- a test that injects the fault, or hands the input in, failed or could not be made where the soak ran.

"""

PARTS = {"kills": kills, "suites": suites, "results": results, "faults": faults, "malicious": malicious}


def main(arguments: list[str] | None = None) -> int:
    """1 where something in the log went wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)} (default: all)")
    parser.add_argument("--count", type=int, help="attempts of each part (default: those of a whole soak)")
    parser.add_argument("--seed", type=int, default=0, help="of the attempts (default: 0)")
    parser.add_argument("--only", type=int, help="make this one attempt, whether or not the log has it")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin no attempt after so many")
    parser.add_argument("--log", type=Path, default=Path("soak.jsonl"), help="what came of each attempt")
    parser.add_argument("--table", type=Path, help="write a page with the table of the log there")
    chosen = parser.parse_args(arguments)
    for part in chosen.parts:
        if part not in PARTS:
            parser.error(f"no part {part!r}; there are {', '.join(PARTS)}")
    os.environ |= {"HF_HUB_OFFLINE": "1"}  # what is asked of the hub is refused at once
    end = time.monotonic() + 60 * chosen.minutes
    for part in chosen.parts or PARTS:
        _soak(part, chosen, end)
    came = attempts.read(chosen.log)
    text = attempts.table(came, {name: module.DONE for name, module in PARTS.items()})
    if chosen.table:
        chosen.table.write_text(PAGE + text, encoding="utf-8")
    print(text, end="")
    return int(any(one.wrong for one in came))


def _soak(part: str, chosen: argparse.Namespace, end: float) -> None:
    """Make the attempts of a part that its log has not."""
    module = PARTS[part]
    known = {one.number for one in attempts.read(chosen.log) if (one.part, one.seed) == (part, chosen.seed)}
    whole = module.WHOLE if chosen.count is None else min(chosen.count, module.WHOLE)
    numbers = [n for n in range(whole) if n not in known] if chosen.only is None else [chosen.only]
    if not numbers:
        return
    with tempfile.TemporaryDirectory(prefix="soak-") as shared, module.prepared(Path(shared)) as attempt:
        for number in numbers:
            if time.monotonic() > end:
                print(f"{part}: stopped before number {number}; the same command goes on", file=sys.stderr)
                return
            with tempfile.TemporaryDirectory(prefix="soak-") as folder:
                came = attempts.make(part, partial(attempt, number), chosen.seed, number, Path(folder))
            attempts.write(chosen.log, came)
            if came.wrong:
                print(f"{part} {number} of seed {chosen.seed}: {came.wrong}", file=sys.stderr)


if __name__ == "__main__":
    raise SystemExit(main())
