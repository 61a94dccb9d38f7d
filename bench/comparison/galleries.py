"""Which cells of both sides a page shows side by side: those that changed first, each by the samples of one seed."""

from dataclasses import dataclass, field
from typing import Any, NamedTuple

from bench.comparison import exhibits, told
from bench.comparison.exhibits import Exhibit
from bench.comparison.pairing import PLACE
from bench.comparison.sides import Side
from bench.comparison.verdicts import BETTER, WORSE, Findings
from bench.report import samples
from bench.words import few

_CHANGED, _OTHERS, _BYTES = 60, 240, 6_000_000  # cells that changed, others, and bytes of all: what a page holds
_LINES = 3  # said of one cell; the table has all

Place = tuple[Any, ...]
"""Of :data:`bench.comparison.pairing.PLACE`."""


@dataclass
class Galleries:
    """What a page shows.

    Attributes:
        changed: cells in which something became better or worse, the worst first.
        others: model and target to all other cells.
        left_out: cells with samples for which there is no room.
        without: cells of which neither side has samples.
        remarks: of sides that have none at all, why.
    """

    changed: list[Exhibit] = field(default_factory=list)
    others: dict[str, list[Exhibit]] = field(default_factory=dict)
    left_out: int = 0
    without: int = 0
    remarks: list[str] = field(default_factory=list)


class _Both(NamedTuple):
    """Records of a place, by seed."""

    base: dict[int, dict[str, Any]]
    new: dict[int, dict[str, Any]]


def collect(findings: Findings, base: Side, new: Side) -> Galleries:
    """Cells of both sides with samples, what changed first; damaged files are noted in the sides' runs."""
    places, sides, found = _places(base, new), (base, new), Galleries()
    changes = _changes(findings, new)
    broken = {one.cell for one in findings.ended}
    order = {place: number for number, place in enumerate(changes)}
    room, places_left, has_any = _BYTES, {True: _CHANGED, False: _OTHERS}, [False, False]
    for place in sorted(places, key=lambda place: order.get(place, len(order))):
        both = places[place]
        before, now = (_sampled(side, records) for side, records in zip(sides, both, strict=True))
        has_any = [has_any[0] or bool(before), has_any[1] or bool(now)]
        if not before | now:
            found.without += 1
            continue
        if room <= 0 or not places_left[place in changes]:
            found.left_out += 1
            continue
        places_left[place in changes] -= 1
        ended = {seed for seed, record in both.new.items() if record["cell"] in broken}
        seed = min(before | now, key=lambda seed: (seed not in ended, seed not in before & now, seed))
        named = dict(zip(PLACE, place, strict=True))
        rows = exhibits.rows(sides, (both.base.get(seed), both.new.get(seed)))
        one = Exhibit(told.title(named), told.place(named), seed, few(changes.get(place, []), _LINES), rows)
        room -= one.size
        (found.changed if place in changes else found.others.setdefault(one.title, [])).append(one)
    found.remarks = [_why(side) for side, any_ in zip(sides, has_any, strict=True) if not any_]
    return found


def _places(base: Side, new: Side) -> dict[Place, _Both]:
    """In the later side's order, then what only the earlier one has."""
    found: dict[Place, _Both] = {}
    for side, index in ((new, 1), (base, 0)):
        for record in side.found.records if side.found else ():
            asked = {"data_quality": "clean"} | record["asked"]
            place = tuple(asked[name] for name in PLACE)
            found.setdefault(place, _Both({}, {}))[index][asked["seed"]] = record
    return found


def _changes(findings: Findings, new: Side) -> dict[Place, list[str]]:
    """Place to what became better or worse there: first where something became worse, the largest change first."""
    found: dict[Place, list[str]] = {}
    rows = told.shown(findings)
    cells = {one.cell for one in findings.ended}
    frame = new.frame[new.frame["cell"].isin(cells)].drop_duplicates("cell")
    at = dict(zip(frame["cell"], frame[PLACE].itertuples(index=False, name=None), strict=True))
    for verdict in (WORSE, BETTER):
        for one in findings.ended:
            if one.better == (verdict == BETTER) and one.cell in at:
                found.setdefault(at[one.cell], []).append(f"{told.SIGNS[verdict]} {one.reason}")
        for row in rows:
            if row["verdict"] == verdict:
                line = f"{told.SIGNS[verdict]} {row['metric']} {told.change(row)}"
                found.setdefault(tuple(row[name] for name in PLACE), []).append(line)
    return found


def _sampled(side: Side, records: dict[int, dict[str, Any]]) -> set[int]:
    """Seeds with samples."""
    run = side.found
    return {seed for seed, record in records.items() if run and samples.is_sampled(run, record["cell"])}


def _why(side: Side) -> str:
    """Why a side has no samples."""
    if not side.found:
        return f"{side.path.name} is a table, which has no samples"
    if side.info.get("imported"):
        return f"{side.name} is an import, which has no samples"
    return f"{side.name} kept no samples"
