"""A comparison as Markdown: for a pull request's comment or a job's summary."""

import re

from bench.comparison import told
from bench.comparison.environments import Change
from bench.comparison.sides import Side
from bench.comparison.verdicts import SAME, Findings
from bench.words import few, more

_MOST = 50  # rows, and facts; a comment holds 65,536 characters
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#+!|~])")


def markdown(findings: Findings, changes: list[Change], base: Side, new: Side) -> str:
    """The whole of it; what is longer than a comment may be is counted."""
    sign = "❌" if findings.worse else "⏳" if findings.unfinished else "✅"
    lines = [f"## {sign} {safe(told.verdict(findings))}", ""]
    lines += [f"{safe(new.name)} against {safe(base.name)}", ""]
    rows = told.shown(findings)
    for title in dict.fromkeys(told.title(one) for one in rows[:_MOST]):
        lines += [f"### {safe(title)}", "", f"| {' | '.join(told.HEAD)} |", f"|{'---|' * len(told.HEAD)}"]
        mine = [told.row(one) for one in rows[:_MOST] if told.title(one) == title]
        lines += [*(f"| {' | '.join(map(safe, entries))} |" for entries in mine), ""]
    lines += [more(len(rows) - _MOST), ""] if len(rows) > _MOST else []
    drifts = [told.drift(one) for one in findings.drifts if one.verdict != SAME]
    ended = [f"{one.cell}: {one.reason}" for one in sorted(findings.ended, key=lambda one: one.better)]
    for title, said in (
        ("All cells together", drifts),
        ("Cells that ended otherwise", ended),
        ("Cells only in the earlier one", findings.gone),
        ("Cells only in the later one", findings.added),
        ("What cannot be told", told.unknown(findings)),
        ("How far nights lie apart", told.paces(findings)),
        ("What changed around them", [told.fact(one) for one in changes]),
    ):
        if said:
            lines += [f"### {title}", "", *(f"- {safe(line)}" for line in few(said, _MOST)), ""]
    return "\n".join(lines).rstrip() + "\n"


def safe(text: str) -> str:
    """A text in one line that Markdown shows as it is."""
    return _SPECIAL.sub(r"\\\1", " ".join(text.split()))
