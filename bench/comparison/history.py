"""All runs of a suite one after another: every figure of each, where one changed its level, and what changed there."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.comparison import baselines, environments, sides
from bench.comparison.environments import Change
from bench.comparison.kinds import MEASURED, kind_of
from bench.comparison.pairing import ROW
from bench.comparison.sides import Side
from bench.errors import ResultsError
from bench.results import runs
from bench.statistics.change_points import change_points

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]


class Night(NamedTuple):
    """One run.

    Attributes:
        side: it, with its table; without where none can be read.
        began: when it was started, as it says itself.
        seconds: it took.
        ends: how its cells ended, and how many of them; empty where it has not finished.
        verdict: of ``bench compare``, as :func:`bench.comparison.baselines.verdict` has it.
    """

    side: Side
    began: str
    seconds: float
    ends: dict[str, int]
    verdict: str


@dataclass(frozen=True)
class Point:
    """Where one figure changed its level.

    Attributes:
        row: place and metric, as in :attr:`History.rows`.
        night: index of the first run of the new level.
        before, after: medians of the levels on both sides.
        is_worse: whether the new one is.
    """

    row: int
    night: int
    before: float
    after: float
    is_worse: bool


@dataclass(frozen=True)
class History:
    """What became of a suite's figures.

    Attributes:
        nights: its runs, earliest first.
        rows: one for each place and metric with a better direction: :data:`bench.comparison.pairing.ROW`, ``unit``,
            ``better`` and ``kind``; shape (G, …).
        values: means over seeds, shape (G, nights), NaN where a run has none.
        points: where they changed, earliest first.
        unread: runs that could not be read, and why.
    """

    nights: list[Night]
    rows: "pd.DataFrame"
    values: Floats
    points: list[Point]
    unread: list[str] = field(default_factory=list)

    def changed(self, night: int) -> list[Change]:
        """What is another than in the run before."""
        return environments.changes(self.nights[night - 1].side, self.nights[night].side) if night else []


def read(suite: Path) -> History:
    """All runs that lie in a suite's folder; imported ones are none of its nights."""
    import pandas as pd

    nights, unread = [], []
    for path in sorted(suite.glob("*/run.json")):
        info, wrong = runs.read_info(path.parent)
        if info.get("imported"):
            continue
        if info.get("published"):
            unread.append(f"{path.parent}: a published run, which has no history; name a folder with a suite's runs")
            continue
        try:
            if wrong:
                raise ResultsError(f"{path}: damaged ({'; '.join(wrong)})")
            nights.append(_night(path.parent, info))
        except ResultsError as error:
            unread.append(str(error))
    if not nights:
        why = "; ".join(unread) or "no run of a suite lies there; name a folder such as results/nightly"
        raise ResultsError(f"{suite}: {why}")
    nights.sort(key=lambda night: (night.began, night.side.path.name))
    of = nights[-1].side.info["suite"]
    for night in nights:
        if night.side.info["suite"] != of:
            unread.append(f"{night.side.path}: a run of {night.side.info['suite']}, and this is the history of {of}")
    nights = [night for night in nights if night.side.info["suite"] == of]
    frames = [night.side.frame.assign(night=place) for place, night in enumerate(nights)]
    whole = pd.concat(frames, ignore_index=True)
    scored = (whole["status"] == "ok") & np.isfinite(whole["value"]) & whole["better"].isin(["lower", "higher"])
    means = (
        whole[scored]
        .groupby([*ROW, "night"], sort=False, observed=True)
        .agg(value=("value", "mean"), unit=("unit", "last"), better=("better", "last"))
        .reset_index()
    )
    grouped = means.groupby(ROW, sort=False, observed=True)
    rows = grouped.agg(unit=("unit", "last"), better=("better", "last")).reset_index()
    rows["kind"] = [kind_of(*one) for one in zip(rows["metric"], rows["unit"], strict=True)]
    values = np.full((len(rows), len(nights)), np.nan)
    values[np.asarray(grouped.ngroup(), dtype=np.int_), means["night"].to_numpy()] = means["value"]
    return History(nights, rows, values, _points(nights, rows, values), unread)


def _night(path: Path, info: dict[str, Any]) -> Night:
    side = sides.quick(path, info)
    return Night(side, info["started"] or "", info["seconds"], info["ends"], baselines.verdict(path, info))


def _points(nights: list[Night], rows: "pd.DataFrame", values: Floats) -> list[Point]:
    """What depends on the machine is looked at in the runs of the latest one's machine alone."""
    machines = [night.side.machine for night in nights]
    here = np.array([machine is not None and machine == machines[-1] for machine in machines], dtype=bool)
    usable = np.isfinite(values) & (here | ~rows["kind"].isin(MEASURED).to_numpy()[:, None])
    places = [np.flatnonzero(one) for one in usable]
    series = [values[row, at] for row, at in enumerate(places)]
    found = []
    for row, cuts in enumerate(change_points(series)):
        ends = [0, *cuts, len(series[row])]
        for first, cut, last in zip(ends[:-2], ends[1:-1], ends[2:], strict=True):
            before, after = (float(np.median(part)) for part in (series[row][first:cut], series[row][cut:last]))
            worse = (after > before) == (rows["better"].iloc[row] == "lower")
            found.append(Point(row, int(places[row][cut]), before, after, bool(worse)))
    return sorted(found, key=lambda point: (point.night, point.row))
