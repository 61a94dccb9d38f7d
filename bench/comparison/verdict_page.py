"""A comparison as a page: the verdict, what changed around it, every row, and both runs side by side."""

import shlex
from pathlib import Path
from typing import Any, NamedTuple

from bench.comparison import galleries, overlays, told
from bench.comparison.environments import Change
from bench.comparison.pairing import PLACE
from bench.comparison.sides import Side
from bench.comparison.verdicts import BETTER, SAME, UNKNOWN, WORSE, Findings
from bench.report import page, samples, wording
from bench.statistics.changes import POWER
from bench.words import counted, few, more

_ROWS = 500  # of a kind: they take up half a megabyte in all
_FACTS = 60  # lines of one kind
_LOOKS = {told.SIGNS[WORSE]: "is-worse", told.SIGNS[BETTER]: "is-better"}
_JSON = "the JSON of this comparison"

HEAD = ("", "approach", "metric", "before", "now", "change", "n", "smallest seen")
"""Heads of a table of rows."""


class Group(NamedTuple):
    """Rows of one model and target."""

    title: str
    rows: list[list[str]]


class Listed(NamedTuple):
    """Rows of one kind: how many there are, those that are shown, and how many more there are, in words."""

    verdict: str
    total: int
    groups: list[Group]
    more: str


def render(findings: Findings, changes: list[Change], base: Side, new: Side) -> str:
    """The page as HTML; what is too much for one is counted, with where it is. Damaged samples and curves are noted in
    the sides' runs."""
    rows = told.shown(findings)
    others = {name: findings.rows[findings.rows["verdict"] == name] for name in (SAME, UNKNOWN)}
    changed = [tuple(row[name] for name in PLACE) for row in rows]
    shown = galleries.collect(findings, base, new)
    figures, more_figures = overlays.draw(base, new, changed)
    ended = sorted(findings.ended, key=lambda one: one.better)
    return (
        page.environment(Path(__file__).parent)
        .get_template("verdict.html.jinja")
        .render(
            base=base,
            new=new,
            findings=findings,
            heading=_heading(base, new),
            verdict=told.verdict(findings),
            began=[_began(side) for side in (base, new)],
            changes=changes[:_FACTS],
            more_changes=more(len(changes) - _FACTS, _JSON) if len(changes) > _FACTS else "",
            unknown=[side.path.name for side in (base, new) if not side.environment],
            wholes=[(one.verdict, told.drift(one)) for one in findings.drifts if one.verdict != SAME],
            steady=few([told.drift(one) for one in findings.drifts if one.verdict == SAME], _FACTS, _JSON),
            steady_count=sum(one.verdict == SAME for one in findings.drifts),
            paces=few(told.paces(findings), _FACTS, _JSON),
            unjudged=few(findings.unjudged, _FACTS, _JSON),
            ended=[(one.better, f"{one.cell}: {one.reason}") for one in ended[:_FACTS]],
            more_ended=more(len(ended) - _FACTS, _JSON) if len(ended) > _FACTS else "",
            gone=few(findings.gone, _FACTS, _JSON),
            added=few(findings.added, _FACTS, _JSON),
            apart=_listed("", len(rows), rows[:_ROWS]),
            others=[_listed(name, len(of), told.records(of.iloc[:_ROWS])) for name, of in others.items()],
            why_lines=told.unknown(findings),
            tolerances=few(_tolerances(findings), _FACTS),
            shown=shown,
            figures=[(one, samples.data_address(one.svg, "image/svg+xml")) for one in figures],
            more_figures=more_figures,
            damaged=few([line for side in (base, new) if side.found for line in side.found.told()], _FACTS),
            command=f"bench compare {shlex.quote(str(base.path))} {shlex.quote(str(new.path))} --json",
            signs=told.SIGNS,
            power=POWER,
            look=lambda sign: _LOOKS.get(sign, ""),
            head=HEAD,
            counted=counted,
        )
    )


def _listed(verdict: str, total: int, rows: list[dict[str, Any]]) -> Listed:
    """Rows by model and target; of ``total`` in all those that there is room for."""
    groups: dict[str, list[list[str]]] = {}
    for one in rows:
        groups.setdefault(told.title(one), []).append(_row(one))
    rest = more(total - len(rows), _JSON) if total > len(rows) else ""
    return Listed(verdict, total, [Group(title, rows) for title, rows in groups.items()], rest)


def _row(one: dict[str, Any]) -> list[str]:
    """Entries under :data:`HEAD`."""
    *entries, seen = told.row(one)
    sizes = [wording.number(one[name], 0) for name in ("n_base", "n_new")]
    return [*entries, " → ".join(dict.fromkeys(sizes)), seen]


def _tolerances(findings: Findings) -> list[str]:
    """``quality 1 %``, and what metrics have of their own."""
    found: dict[str, dict[float, dict[str, None]]] = {}
    for kind, share, metric in zip(*(findings.rows[name] for name in ("kind", "tolerance", "metric")), strict=True):
        found.setdefault(kind, {}).setdefault(share, {})[metric] = None
    said = []
    for kind, shares in found.items():
        usual = max(shares, key=lambda share: len(shares[share]))
        said.append(f"{kind} {told.percent(usual)}")
        said += [f"{metric} {told.percent(share)}" for share in shares if share != usual for metric in shares[share]]
    return said


def _heading(base: Side, new: Side) -> str:
    """``nightly: 2026-01-02_18-00-00 against 2026-01-01_18-00-00``; by their files where tables have one name."""
    if base.name == new.name:
        return f"{new.path.name} against {base.path.name}"
    (suite, _, run), (other_suite, _, other) = (side.name.partition(" / ") for side in (new, base))
    return f"{suite}: {run} against {other}" if suite == other_suite and run else f"{new.name} against {base.name}"


def _began(side: Side) -> str:
    if not side.info or not side.info.get("started"):
        return ""
    return f"{'imported' if side.info.get('imported') else 'began'} {wording.moment(side.info['started'])}"
