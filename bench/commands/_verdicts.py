"""What `bench compare` and `bench rerun` show alike of two sides held against each other."""

from typing import TYPE_CHECKING, Any

from bench.commands import _saying
from bench.words import cut, few, more

if TYPE_CHECKING:
    from rich.console import Console

    from bench.comparison.environments import Change
    from bench.comparison.verdicts import Findings

MOST = 20  # lines of one kind on a terminal


def show_rows(console: "Console", rows: list[dict[str, Any]]) -> None:
    """A table of each model and target."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    from bench.comparison import told
    from bench.comparison.verdicts import BETTER, WORSE

    styles = {WORSE: "red", BETTER: "green"}
    for title in dict.fromkeys(told.title(one) for one in rows[:MOST]):
        console.print(Text(f"\n{_saying.plain(title)}", style="bold"))
        table = Table(box=SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=0)
        for place, head in enumerate(told.HEAD):
            table.add_column(head, justify="right" if place > 2 else "left", overflow="fold")
        for one in (one for one in rows[:MOST] if told.title(one) == title):
            style = styles.get(one["verdict"], "")
            table.add_row(*(Text(_saying.plain(entry), style=style) for entry in told.row(one)))
        console.print(table)
    if len(rows) > MOST:
        console.print(Text(_saying.plain(more(len(rows) - MOST, "--json")), style="dim"))
    console.print()


def show_around(console: "Console", findings: "Findings | None", changes: "list[Change]") -> None:
    """What stands below the table: cells that ended otherwise, what cannot be told, what changed around the numbers."""
    from bench.comparison import told

    if findings:
        show_lines(console, "ended   ", [f"{one.cell}: {one.reason}" for one in findings.ended])
        show_lines(console, "cannot tell ", told.unknown(findings))
        show_lines(console, "", told.paces(findings))
    show_lines(console, "changed ", [told.fact(one) for one in changes])


def show_lines(console: "Console", head: str, said: list[str]) -> None:
    """As many as somebody reads."""
    for line in few(said, MOST, "--json"):
        console.print(f"{head}{_saying.plain(cut(line, 400))}", markup=False, highlight=False)
