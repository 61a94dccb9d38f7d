"""A comparison in words and as plain values: what terminals, Markdown, JUnit and JSON share."""

import math
from typing import TYPE_CHECKING, Any

from bench.comparison.environments import Change
from bench.comparison.sides import Side
from bench.comparison.verdicts import BETTER, SAME, UNKNOWN, WORSE, Drift, Findings
from bench.report import wording
from bench.words import counted

if TYPE_CHECKING:
    import pandas as pd

SIGNS = {WORSE: "✗", BETTER: "✓", SAME: "=", UNKNOWN: "?"}
_ROUNDING = 1e-9
HEAD = ("", "approach", "metric", "before", "now", "change", "smallest seen")
"""Heads of :func:`row`."""


def verdict(findings: Findings) -> str:
    """``regression: 2 worse, 1 metric worse as a whole, 1 cell lost``, ``no regression`` or ``not complete``, and the
    rest."""
    counts = findings.counts()
    broke = sum(not one.better for one in findings.ended)
    wholes = sum(one.verdict == WORSE for one in findings.drifts)
    parts = [
        *([f"{counts[WORSE]} worse"] if counts[WORSE] else []),
        *([f"{counted(wholes, 'metric')} worse as a whole"] if wholes else []),
        *([f"{counted(broke, 'cell')} lost"] if broke else []),
        *(f"{counts[name]} {name}" for name in (BETTER, SAME, UNKNOWN) if counts[name]),
    ]
    beside = [
        *([f"{counted(findings.unfinished, 'cell')} not finished"] if findings.unfinished else []),
        *missing(findings),
    ]
    head = "regression" if findings.worse else "not complete" if findings.unfinished else "no regression"
    return "; ".join([f"{head}: {', '.join(parts)}", *beside])


def missing(findings: Findings) -> list[str]:
    """``27 cells only in the earlier one``: what is on one side alone, so that nothing is said of it."""
    return [
        *([f"{counted(len(findings.gone), 'cell')} only in the earlier one"] if findings.gone else []),
        *([f"{counted(len(findings.added), 'cell')} only in the later one"] if findings.added else []),
        *([f"only the earlier one has {', '.join(findings.dropped)}"] if findings.dropped else []),
    ]


def shown(findings: Findings) -> list[dict[str, Any]]:
    """Rows that somebody has to look at: worse first, then better, each the largest change first."""
    rows = findings.rows[findings.rows["verdict"].isin([WORSE, BETTER])]
    return sorted(records(rows), key=lambda row: (row["verdict"] != WORSE, -abs(row["change"])))


def unknown(findings: Findings) -> list[str]:
    """``12: measured on another machine``: of how many rows nothing can be told, and why."""
    why = findings.rows.loc[findings.rows["verdict"] == UNKNOWN, "reason"].value_counts()
    return [f"{count}: {reason}" for reason, count in why.items()]


def records(rows: "pd.DataFrame") -> list[dict[str, Any]]:
    """Rows as mappings by column."""
    return [{str(name): value for name, value in one.items()} for one in rows.to_dict("records")]


def row(one: dict[str, Any]) -> list[str]:
    """Entries under :data:`HEAD`."""
    before, now = (number(one[name], one["unit"]) for name in ("base", "new"))
    return [SIGNS[one["verdict"]], place(one), one["metric"], before, now, change(one), percent(one["seen"])]


def title(one: dict[str, Any]) -> str:
    """``gpt2 → python_reference``."""
    return f"{one['model']} → {one['target']}"


def place(one: dict[str, Any]) -> str:
    """``lora, 100 examples``."""
    parts = [one["approach"]]
    parts += [wording.examples(one["data_size"])] if one["data_size"] else []
    parts += [one["data_quality"]] if one["data_quality"] != "clean" else []
    return ", ".join(parts)


def change(one: dict[str, Any]) -> str:
    """``+2.6 % ±0.8 (3 pairs)``: of the value, whichever direction is better."""
    sign = -1.0 if one["better"] == "higher" else 1.0
    half = f" ±{_digits(one['half_width'])}" if one["half_width"] > _ROUNDING else ""
    moved = sign * one["change"]
    return f"{'−' if moved < 0 else '+'}{_digits(abs(moved))} %{half} ({counted(int(one['pairs']), 'pair')})"


def percent(share: float) -> str:
    """``1.2 %``; a dash where nothing is known."""
    return f"{_digits(share)} %" if math.isfinite(share) else "—"


def _digits(share: float) -> str:
    """In per cent, two digits at least."""
    return f"{100 * share:.0f}" if share >= 0.0995 else f"{100 * share:.2g}"


def drift(one: Drift) -> str:
    """``perplexity: worse as a whole, by 0.4 % (35 of 36 cells worse, 1 better)``."""
    cells = f"{one.worse} of {counted(one.cells, 'cell')} worse, {one.better} better"
    return f"{one.metric}: {one.verdict} as a whole, by {percent(abs(one.median))} ({cells})"


def paces(findings: Findings) -> list[str]:
    """``training_seconds: nights on this machine differ by up to 24 %, so that less is no change that can be told``."""
    said = "nights on this machine differ by up to {}, so that nothing can be told of less"
    return [f"{metric}: {said.format(percent(pace))}" for metric, pace in findings.paces.items()]


def fact(one: Change) -> str:
    """``packages.torch: 2.9.0 → 2.9.1``."""
    return f"{one.what}: {one.base or 'nothing'} → {one.new or 'nothing'}"


def number(value: float, unit: str) -> str:
    """``1.29 s``, ``0.2031``."""
    return wording.in_words(value, unit) if unit in ("s", "ms", "bytes") else f"{value:.4g}".replace("-", "−")


def plain(findings: Findings, changes: list[Change], base: Side, new: Side) -> dict[str, Any]:
    """A comparison as plain values, for JSON; what is not known is null."""
    return {
        "base": {"path": str(base.path), "name": base.name},
        "new": {"path": str(new.path), "name": new.name},
        "regression": findings.worse,
        "complete": not findings.unfinished,
        "counts": findings.counts(),
        "rows": [{name: _known(value) for name, value in one.items()} for one in records(findings.rows)],
        "drifts": [vars(one) for one in findings.drifts],
        "ended": [one._asdict() for one in findings.ended],
        "changed": [one._asdict() for one in changes],
        "dropped": findings.dropped,
        "gone": findings.gone,
        "added": findings.added,
        "unfinished": findings.unfinished,
        "unjudged": findings.unjudged,
        "paces": findings.paces,
    }


def _known(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value.item() if hasattr(value, "item") else value
