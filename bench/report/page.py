"""The page: one HTML file that needs nothing beside it, no network and no script."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from bench.report import aggregate, circumstances, costs, curves, headlines, samples, tables, wording, worth_tables
from bench.report.sections import Section
from bench.report.worth import Found
from bench.results import runs

_UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TITLES = {
    "quality_and_data": "Quality against data",
    "quality_and_cost": "Quality against cost",
    "training_curves": "Training curves",
}


@dataclass(frozen=True)
class Part:
    """All that the page shows of one section."""

    section: Section
    answers: list[headlines.Answer]
    primary: tables.Table
    against: list[tuple[str, str, list[tables.Gap]]]
    others: list[tables.Table]
    costs: list[costs.CostTable]
    plots: list[tuple[str, str, str]]
    galleries: list[samples.Gallery]
    chosen: dict[tuple[str, int], list[str]]
    failures: list[circumstances.Failure]
    skipped: list[tuple[str, str, list[str]]]
    worth: worth_tables.Shown | None = None


def part(
    run: runs.Found,
    section: Section,
    records: list[dict[str, Any]],
    plots: dict[str, dict[str, bytes]],
    worth: Found | None = None,
) -> Part:
    """Collect a section.

    Args:
        run: what the run's folder holds, for samples.
        section: its numbers.
        records: its records.
        plots: figure name to bytes by format, as :func:`bench.report.plots.draw` returns them.
        worth: what its approaches are worth, where that can be told.
    """
    return Part(
        section=section,
        answers=headlines.answers(section),
        primary=tables.side_by_side(section, section.primary),
        against=tables.against_baseline(section),
        others=[tables.side_by_side(section, metric) for metric in section.qualities()[1:]],
        costs=costs.cost_tables(section),
        plots=[
            (name, _TITLES[name], samples.data_address(made["svg"], "image/svg+xml")) for name, made in plots.items()
        ],
        galleries=samples.galleries(run, section, records),
        chosen=curves.chosen_values(records),
        failures=circumstances.failures(section),
        skipped=circumstances.skipped(records),
        worth=worth_tables.show(worth) if worth else None,
    )


def environment(*folders: Path) -> Environment:
    """Templates, ours and those of further folders, in which whatever comes from a suite or a model is escaped."""
    found = Environment(
        loader=FileSystemLoader([*folders, Path(__file__).parent]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=printable,
    )
    found.filters["soft"] = soft
    found.filters["tag"] = lambda control: aggregate.REAL.get(control, "control")
    found.filters["worse_sign"] = {"zero_shot": "▼", "from_scratch": "▽"}.__getitem__
    found.tests["real"] = aggregate.REAL.__contains__
    return found


def render(run: runs.Found, parts: list[Part], *, across: bool = False, baseline: str | None = None) -> str:
    """The page as HTML.

    Args:
        run: what the run's folder holds.
        parts: the sections, in order.
        across: whether there is a page that ranks approaches across them.
        baseline: what all approaches were held against beside the controls.
    """
    info, records = run.info, run.records
    statuses = Counter(record["happened"]["status"] for record in records)
    return (
        environment()
        .get_template("page.html.jinja")
        .render(
            info=info,
            parts=parts,
            across=across,
            finished=len(records),
            statuses=[(tables.STATUS_WORDS.get(name, name), count) for name, count in statuses.items() if name != "ok"],
            asked=circumstances.asked(records),
            environment=circumstances.environment(info, records),
            damaged=circumstances.damaged(run.damaged),
            words=wording,
            marks={"best": "★", "tied": "≈", "outdone": "☆", "ahead": "▲", tables.UNCOMPARED: "?"},
            baseline=baseline,
            baseline_covers=tables.baseline_covers,
        )
    )


def printable(value: Any) -> Any:
    """Text without characters that HTML or UTF-8 cannot hold: each becomes ``�``."""
    return _UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", value) if type(value) is str else value


def soft(name: str) -> Markup:
    """A long name that may be broken after ``_`` and before ``[``."""
    parts = re.split(r"(?<=_)|(?=\[)", printable(name))
    return Markup("<wbr>").join(parts)  # which escapes the parts
