"""What `bench compare` and `bench rerun` show alike of two sides held against each other."""

from typing import TYPE_CHECKING, Any

from bench.commands import _saying
from bench.words import cut

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
        console.print(Text(f"and {len(rows) - MOST} more, see --json", style="dim"))
    console.print()


def show_around(console: "Console", findings: "Findings | None", changes: "list[Change]") -> None:
    """What stands below the table: cells that ended otherwise, what cannot be told, what changed around the numbers."""
    from bench.comparison import told
    from bench.comparison.verdicts import UNKNOWN

    if findings:
        show_lines(console, "ended   ", [f"{one.cell}: {one.reason}" for one in findings.ended])
        why = findings.rows.loc[findings.rows["verdict"] == UNKNOWN, "reason"].value_counts()
        show_lines(console, "cannot tell ", [f"{count}: {reason}" for reason, count in why.items()])
    show_lines(console, "changed ", [told.fact(one) for one in changes])


def show_lines(console: "Console", head: str, said: list[str]) -> None:
    """As many as somebody reads."""
    for line in said[:MOST]:
        console.print(f"{head}{_saying.plain(cut(line, 400))}", markup=False, highlight=False)
    if len(said) > MOST:
        console.print(f"{head}and {len(said) - MOST} more, see --json", markup=False, highlight=False)
