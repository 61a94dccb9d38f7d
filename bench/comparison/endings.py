"""Cells that broke or were mended between two sides, and scores that were lost though their cells ended well."""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from bench.comparison.pairing import PLACE
from bench.comparison.sides import Side
from bench.results.statuses import ENDED_WELL

if TYPE_CHECKING:
    import pandas as pd

Place = tuple[str, ...]


class Ended(NamedTuple):
    """A cell of both sides; ``better`` is whether the later side's end is."""

    cell: str
    better: bool
    reason: str


class Endings(NamedTuple):
    """How cells ended.

    Attributes:
        ended: what changed in cells of both sides, in the later side's order.
        gone, added: cells that only the earlier and only the later side has.
        dropped: metrics that only the earlier side has values of; none where both ask for the same: they are lost then.
    """

    ended: list[Ended]
    gone: list[str]
    added: list[str]
    dropped: list[str]


def _cells(side: Side) -> dict[Place, tuple[str, str, str]]:
    """Place and seed to the cell's name, status, and reason."""
    frame = side.frame.drop_duplicates("cell")
    return {place: (row[0], row[1], row[2]) for place, row in _rows(frame, ["cell", "status", "reason"])}


def compare(base: Side, new: Side) -> Endings:
    """Hold the ends of both sides' cells against each other; what has not ended yet is not gone."""
    before, now = _cells(base), _cells(new)
    scored = [_scored(side) for side in (base, new)]
    everything, still = (set[str]().union(*each.values()) for each in scored)
    still |= set(new.frame["metric"])  # one without a value anywhere is lost, too
    if _asked(base) and _asked(base) == _asked(new):
        still |= everything
    found = []
    for place, (cell, status, reason) in now.items():
        if place not in before:
            continue
        _, earlier, _ = before[place]
        if status not in ENDED_WELL and earlier in ENDED_WELL:
            found.append(Ended(cell, False, f"{status.replace('_', ' ')}, and had ended well: {reason}"))
        elif status in ENDED_WELL and earlier not in ENDED_WELL:
            found.append(Ended(cell, True, f"ended well, and was {earlier.replace('_', ' ')}"))
        elif lost := sorted((scored[0].get(place, set()) - scored[1].get(place, set())) & still):
            found.append(Ended(cell, False, f"no value any more of {', '.join(lost)}"))
    missing = [cell for place, (cell, _, _) in before.items() if place not in now]
    added = [cell for place, (cell, _, _) in now.items() if place not in before]
    return Endings(found, _gone(missing, new), added, sorted(everything - still) if scored[1] else [])


def _asked(side: Side) -> list[Any]:
    """The metrics that a suite wants; empty where that is not known."""
    definition = side.info.get("definition") or {}
    models = definition.get("models") or {}
    return [definition.get("metrics"), {name: one.get("metrics") for name, one in models.items()}] if models else []


def _gone(missing: list[str], new: Side) -> list[str]:
    """Without those that are still to come: under the same name, or another key, as where an option is another."""
    left = set(new.unfinished)
    to_come = Counter(cell.rpartition("-")[0] for cell in left)
    gone = []
    for cell in sorted(missing, key=lambda cell: cell not in left):
        if to_come[name := cell.rpartition("-")[0]]:
            to_come[name] -= 1
        else:
            gone.append(cell)
    return gone


def _scored(side: Side) -> dict[Place, set[str]]:
    """Place and seed to the metrics that have a value there."""
    frame = side.frame
    found: dict[Place, set[str]] = {}
    for place, (metric,) in _rows(frame[(frame["metric"] != "") & np.isfinite(frame["value"])], ["metric"]):
        found.setdefault(place, set()).add(metric)
    return found


def _rows(frame: "pd.DataFrame", names: list[str]) -> Iterator[tuple[Place, tuple[str, ...]]]:
    places = zip(*(frame[name].astype(str) for name in (*PLACE, "seed")), strict=True)
    return zip(places, zip(*(frame[name].astype(str) for name in names), strict=True), strict=True)
