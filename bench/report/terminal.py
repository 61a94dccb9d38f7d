"""The table that ``bench run`` ends with: the primary metric, approach × data size, as wide as the terminal."""

from rich.box import SIMPLE_HEAD
from rich.console import Console, ConsoleOptions, RenderResult
from rich.table import Table as RichTable
from rich.text import Text

from bench.report import comparisons, headlines, sections, tables, wording

_MARKS = {
    "": "",
    comparisons.BEST: "*",
    comparisons.TIED: "~",
    comparisons.OUTDONE: "o",
    comparisons.AHEAD: "^",
    tables.UNCOMPARED: "?",
}
_STYLES = {
    comparisons.BEST: "bold green",
    comparisons.TIED: "green",
    comparisons.AHEAD: "bold yellow",
    tables.UNCOMPARED: "yellow",
}
_WORSE_THAN = {"zero_shot": "!", "from_scratch": "<"}
_GAP = 3  # what rich puts between two columns
_LEGEND = (
    f"* {wording.MARKS[comparisons.BEST]}  ~ {wording.MARKS[comparisons.TIED]}\n"
    "o may be the best approach, but zero_shot's mean is better\n"
    "^ control ahead of the best  ! worse than zero_shot  < worse than from_scratch\n"
    f"? {wording.MARKS[tables.UNCOMPARED]}\n"
    "± 95 % interval; * ~ o of a column hold the best approach with 95 % confidence"
)


def summary(found: list[sections.Section], console: Console) -> None:
    """Print a table per section, each as wide as the console: that decides how many data sizes stand side by side."""
    for section in found:
        console.print(_Fitted(section))
    console.print(_LEGEND, style="dim", highlight=False)


class _Fitted:
    """One section's table, in as many parts as the width asks for."""

    def __init__(self, section: sections.Section) -> None:
        self.section = section
        self.table = tables.side_by_side(section, section.primary)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        table, section = self.table, self.section
        direction = wording.DIRECTIONS.get(table.better, "")
        unit = f" [{table.unit}]" if table.unit else ""
        facts = ", ".join(part for part in (direction, table.seeds, f"each on n = {table.n}") if part)
        yield Text(f"{section.title}: {table.name}{unit}" if table.metric else section.title, style="bold")
        entries = [entry for row in table.rows for entry in row.entries]
        if any(entry.has_value for entry in entries):
            yield Text(f"{facts}\n{_covers(table)}", style="dim")
        if table.remark:
            yield Text(table.remark, style="yellow")
        widths = tuple(max((len(of(entry)) for entry in entries), default=0) for of in (_half_width, _signs))
        texts = [[_text(entry, *widths) for entry in row.entries] for row in table.rows]
        names = max((len(row.approach) for row in table.rows), default=0)
        widest = max(len("10 000 examples"), *(len(text) for line in texts for text in line))
        fitting = max(1, (options.max_width - max(names, len("approach"))) // (widest + _GAP))
        for start in range(0, len(table.sizes), fitting):
            yield self._part(texts, slice(start, start + fitting))
        for line in self._better_by_mean():
            yield Text(line, style="yellow")
        yield Text("".join(f"† {line}\n" for line in self._short_of_seeds()), style="dim")

    def _better_by_mean(self) -> list[str]:
        """What the page's sentences name: ``? lora with 50 examples: a better mean, but …``."""
        return [
            f"? {wording.listed(list(answer.uncompared))} with {wording.examples(answer.size)}: {wording.UNCOMPARED}"
            for answer in headlines.answers(self.section)
            if answer.uncompared
        ]

    def _short_of_seeds(self) -> list[str]:
        """Where some seeds have no value: ``lora with 50 examples: 2 of 3 seeds``."""
        return [
            f"{row.approach} with {wording.examples(size)}: {entry.note}"
            for row in self.table.rows
            for size, entry in zip(self.table.sizes, row.entries, strict=True)
            if _short(entry)
        ]

    def _part(self, texts: list[list[str]], columns: slice) -> RichTable:
        shown = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
        shown.add_column("approach", overflow="fold")  # a long composition takes two lines, and loses no letter
        for size in self.table.sizes[columns]:
            shown.add_column(wording.examples(size), justify="right", no_wrap=True)
        for index, (row, line) in enumerate(zip(self.table.rows, texts, strict=True)):
            following = self.table.rows[index + 1 : index + 2]
            marks = [entry.mark for entry in row.entries[columns]]
            cells = [Text(text, style=_STYLES.get(mark, "")) for text, mark in zip(line[columns], marks, strict=True)]
            ends_controls = bool(row.control and following and not following[0].control)
            name = Text(row.approach, style="dim" if row.control else "")
            shown.add_row(name, *cells, end_section=ends_controls)
        return shown


def _covers(table: tables.Table) -> str:
    """What ± and marks cover: ``± and marks over seeds and test items``."""
    if not table.covers:
        return "no interval, no marks"
    if table.covers == table.marks:
        return f"± and marks over {table.marks}"
    marks = f", marks over {table.marks}" if table.marks else f", {wording.NO_MARKS}"
    return f"± over {table.covers}{marks if table.better != 'none' else ''}"


def _short(entry: tables.Entry) -> bool:
    """Whether seeds are missing behind a value."""
    return bool(entry.has_value and entry.note)


def _half_width(entry: tables.Entry) -> str:
    return entry.half_width


def _signs(entry: tables.Entry) -> str:
    """``~<†``."""
    if not entry.has_value:
        return ""
    return _MARKS[entry.mark] + "".join(_WORSE_THAN[name] for name in entry.worse_than) + "†" * bool(entry.note)


def _text(entry: tables.Entry, interval: int, marks: int) -> str:
    """``2.254 ±0.033 *``, or ``— diverged``: interval and marks as wide as told, so that numbers stand in line."""
    if not entry.has_value:
        return f"— {entry.note}".removesuffix(" not measured")
    return f"{entry.mean} {entry.half_width:<{interval}} {_signs(entry):<{marks}}"
