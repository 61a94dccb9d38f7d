"""Say which approach to take.

For so many target examples, and with so much memory, time and storage: the approach to take, how
sure that is, and what cannot be told from it and is cheaper. Rests on what was measured alone:
between two measured data sizes scores and costs are taken as straight in the logarithm of the size,
and an approach is in the running where it may be the best at either of the two; outside of them,
with one seed, or where nothing fits it says that nothing can be said, and which cells would answer
it. zero_shot and from_scratch are candidates, too. An approach with seeds that ended badly is taken
only where no other fits. Costs are those of the machine that measured them.

Exit codes: 0 with an answer for each model and target; 1 where nothing can be said of one; 2 for bad input.
"""

import argparse
import json
import math
import re
from typing import TYPE_CHECKING, Any

from bench.commands import _arguments, _saying
from bench.errors import ResultsError
from bench.words import cut, suggest

if TYPE_CHECKING:
    from bench.report.advice import Advice

_BYTES = {
    "": 1,
    "b": 1,
    **{p + b: 1000**n for n, p in enumerate("kmgt", 1) for b in ("", "b")},
    **{p + "ib": 1024**n for n, p in enumerate("kmgt", 1)},
}
_MACHINES = 3  # that are named
_SECONDS = {"": 1, "s": 1, "min": 60, "h": 3600}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The run, what is asked, and what it may cost."""
    _arguments.add_run(parser)
    parser.add_argument("--data-size", type=_arguments.count, required=True, metavar="N", help="target examples")
    parser.add_argument("--memory", type=_bytes, metavar="BYTES", help="peak of training and sampling, such as 8GB")
    parser.add_argument("--seconds", type=_seconds, metavar="TIME", help="training, all trials; such as 90, 5min or 2h")
    parser.add_argument("--storage", type=_bytes, metavar="BYTES", help="beside the pretrained model, such as 20MB")
    parser.add_argument(
        "--optimise",
        choices=("quality", "cost"),
        default="quality",
        help="of those that may be the best: the best mean (default), or the least seconds",
    )
    parser.add_argument("--model", help="of several, this one")
    parser.add_argument("--target", help="of several, this one")
    _arguments.add_json(parser)


def call(chosen: argparse.Namespace) -> int:
    """1 where nothing can be said."""
    from bench.report import advice, aggregate, candidates, items, recommendation, sections
    from bench.results import runs, tidy

    folder = _arguments.run_folder(chosen)
    run = runs.read(folder)
    if not run.records:
        raise ResultsError(f"{folder}: no cell has finished; run the suite first")
    frame = aggregate.in_every_quality(tidy.table(run.records))
    for name in ("model", "target"):
        frame = _only(frame, name, getattr(chosen, name), str(folder))
    limits = {name: value for name in candidates.MEASURES if (value := getattr(chosen, name)) is not None}
    wish = recommendation.Wish(chosen.data_size, limits, chosen.optimise)
    rows, over_items = aggregate.spread(frame), items.of_run(run)
    found = [
        (section, recommendation.recommend(candidates.Measured(section, rows, over_items, run.info["primary"]), wish))
        for section in sections.split(frame, aggregate.summarise(frame, items=over_items), run.info["primary"])
    ]
    _saying.tell(run.told())
    machine = _machines(run.info, run.records)
    if chosen.json:
        asked = {"data_size": wish.data_size, **{name: limits.get(name) for name in candidates.MEASURES}}
        about = {"results": str(folder), "asked": asked | {"optimise": wish.optimise}, "machine": machine}
        print(json.dumps(about | {"answers": [advice.as_json(*one) for one in found]}))
    else:
        _show([advice.advise(*one, wish) for one in found], machine)
    return int(any(answer.take is None for _, answer in found))


def _show(told: "list[Advice]", machine: str) -> None:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from bench.report import advice

    console = Console()
    for one in told:
        console.print(Text(_saying.plain(one.title), style="bold"))
        console.print(Text(_saying.plain(one.verdict), style="bold green" if one.rows else "bold yellow"))
        for line in one.evidence:
            console.print(Text(_saying.plain(line)))
        if one.rows:
            table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
            rows = [[_saying.plain(entry) for entry in row] for row in one.rows]
            for head, width in zip(advice.HEAD, _widths([list(advice.HEAD), *rows], console.width), strict=True):
                table.add_column(head, justify="right" if head else "left", width=width, overflow="fold")
            for place, row in enumerate(rows):
                table.add_row(*(Text(entry, style="green" if not place else "") for entry in row))
            console.print(table)
        for line in one.out:
            console.print(Text(f"out: {_saying.plain(line)}", style="dim"))
        for line in one.open:
            console.print(Text(_saying.plain(line)))
        console.print()
    console.print(Text(f"Times and memory were measured on {machine}.", style="dim"))


def _widths(rows: list[list[str]], width: int) -> list[int]:
    """Of each column, one space apart: numbers as they are; names, then remarks, what is left, and a word at least."""
    columns = list(zip(*rows, strict=True))
    widths = [max(map(len, column)) for column in columns]
    word = [max(len(word) for entry in column for word in entry.split() or [""]) for column in columns]
    left = width - sum(widths[1:-1]) - (len(widths) - 1)
    widths[0] = max(word[0], min(widths[0], left - word[-1]))
    widths[-1] = max(word[-1], min(widths[-1], left - widths[0]))
    return widths


def _machines(info: dict[str, Any], records: list[dict[str, Any]]) -> str:
    """What measured the costs, in words: of an imported run its records say."""
    named = [_machine(info["environment"])]
    if not any(named):
        named = [name for name in dict.fromkeys(_machine(record["environment"]) for record in records) if name]
    more = [f"{len(named) - _MACHINES} more"] if len(named) > _MACHINES else []
    return "; ".join([*named[:_MACHINES], *more]) or "a machine that is not known"


def _machine(environment: dict[str, Any]) -> str:
    machine = environment.get("machine") or {}
    first = environment.get("accelerator") or machine.get("accelerator") or machine.get("processor")
    cores, memory = machine.get("cores"), machine.get("memory_gib")
    parts = [first, cores and f"{cores} cores", memory and f"{memory:g} GiB"]
    return _saying.printable(", ".join(str(part) for part in parts if part))


def _only(frame: Any, column: str, wanted: str | None, folder: str) -> Any:
    if wanted is None:
        return frame
    known = [str(name) for name in frame[column].unique()]
    if wanted not in known:
        near = suggest(wanted, known)
        raise ResultsError(f"{folder}: no {column} {cut(wanted, 60)!r}; {near}it has {', '.join(known)}")
    return frame[frame[column] == wanted]


def _bytes(text: str) -> float:
    return _quantity(text, _BYTES, "a size such as 8GB, 500MB or 1.5GiB")


def _seconds(text: str) -> float:
    return _quantity(text, _SECONDS, "a time such as 90, 5min or 2h")


def _quantity(text: str, units: dict[str, int], wanted: str) -> float:
    found = re.fullmatch(r"(\d{1,15}(?:\.\d{1,15})?)\s*([a-z]*)", text.strip().lower())
    value = float(found[1]) * units.get(found[2], math.nan) if found else math.nan
    if not value > 0:
        raise argparse.ArgumentTypeError(f"{cut(text, 60)!r} is not {wanted}")
    return value
