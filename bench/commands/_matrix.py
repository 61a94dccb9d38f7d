"""What ``bench list --matrix`` shows: which approach has a meaning for which family."""


def found() -> dict[str, dict[str, str]]:
    """Approach to family to why it has no meaning there; empty where it has one."""
    from bench.suite import composition

    return composition.matrix()


def show(found: dict[str, dict[str, str]]) -> None:
    """A table of marks, and below it what is lacking where."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    families = list(next(iter(found.values())))
    grid = Table(box=None, pad_edge=False)
    grid.add_column("approach", no_wrap=True, style="cyan")
    for family in families:  # upright, one letter to a line: a dozen of them fit beside each other
        grid.add_column("\n".join(family), justify="center", vertical="bottom")
    for approach, reasons in found.items():
        grid.add_row(approach, *("—" if reasons[family] else "✓" for family in families))
    console = Console()
    console.print(grid, Text())
    without: dict[tuple[str, str], list[str]] = {}  # (who lacks it, what is needed) to the approaches that need it
    for approach, reasons in found.items():
        lacking: dict[str, list[str]] = {}
        for family, reason in reasons.items():
            if reason:
                lacking.setdefault(reason.partition(" needs ")[2].partition(";")[0], []).append(family)
        for needed, whom in lacking.items():
            without.setdefault((", ".join(whom), needed), []).append(approach)
    for (families_, needed), approaches in without.items():
        need, have = "needs" if len(approaches) == 1 else "need", "have" if "," in families_ else "has"
        console.print(Text(f"— {', '.join(approaches)} {need} {needed}; {families_} {have} none"))
