"""One attempt after the other, what came of each, and the table of all."""

import json
import random
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

Attempt = Callable[[random.Random, Path], str]
"""Given its chance and an empty folder; says in a few words what it was, so that kinds can be counted."""


class Came(NamedTuple):
    """What came of an attempt.

    Attributes:
        part: of the soak.
        seed, number: which attempt it was.
        kind: what was done, in a few words.
        wrong: what was not as it should be; empty where all was well.
        seconds: it took.
    """

    part: str
    seed: int
    number: int
    kind: str
    wrong: str
    seconds: float


def chance(part: str, seed: int, number: int) -> random.Random:
    """The same for an attempt whichever were made before it."""
    return random.Random(f"{part} {seed} {number}")


def make(part: str, attempt: Attempt, seed: int, number: int, folder: Path) -> Came:
    """Make one attempt; whatever it raises is what went wrong."""
    began, kind, wrong = time.perf_counter(), "", ""
    try:
        kind = attempt(chance(part, seed, number), folder)
    except Exception as error:
        kind, wrong = "went wrong", "".join(traceback.format_exception(error))
    return Came(part, seed, number, kind, wrong, round(time.perf_counter() - began, 3))


def read(log: Path) -> list[Came]:
    """What a log holds; a line that was cut off when its writer was killed is left out."""
    found: list[Came] = []
    for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else ():
        try:
            found.append(Came(**json.loads(line)))
        except (ValueError, TypeError):
            continue
    return found


def write(log: Path, came: Came) -> None:
    """Add what came of an attempt to a log."""
    log.parent.mkdir(parents=True, exist_ok=True)
    whole = not log.exists() or log.read_bytes()[-1:] in (b"", b"\n")
    with log.open("a", encoding="utf-8") as file:
        file.write(("" if whole else "\n") + json.dumps(came._asdict()) + "\n")


def table(came: Iterable[Came], done: dict[str, str]) -> str:
    """All attempts of a log in Markdown: a row for each part, and one for each kind of it."""
    lines = ["| part | what was done | times | went wrong | longest |", "|---|---|---:|---:|---:|"]
    by_part: dict[str, list[Came]] = {}
    for one in came:
        by_part.setdefault(one.part, []).append(one)
    for part in sorted(by_part, key=list(done).index):
        its = by_part[part]
        lines.append(_row(part, done[part], its))
        kinds = Counter(one.kind for one in its)
        lines += [_row("", kind, [one for one in its if one.kind == kind]) for kind, _ in sorted(kinds.items())]
    return "\n".join(lines) + "\n"


def _row(part: str, what: str, came: list[Any]) -> str:
    wrong, longest = sum(bool(one.wrong) for one in came), max(one.seconds for one in came)
    return f"| {part} | {what.replace('|', '/')} | {len(came)} | {wrong} | {longest:.1f} s |"
