"""How far whole nights lie apart in what a machine measures: all times of one night share its state."""

import itertools
import math
from contextlib import suppress

import numpy as np
from scipy import stats

from bench.comparison import baselines, sides
from bench.comparison.kinds import MEASURED, kind_of
from bench.comparison.pairing import pair
from bench.comparison.sides import Side
from bench.errors import ResultsError
from bench.statistics.changes import NORMAL_MAD

FEWEST, MOST = 6, 20
"""Earlier nights of one machine: fewer tell nothing, and more are not read."""

_LARGEST = 100.0  # of a logarithm: numbers hold no more than a few times that


def paces(new: Side, level: float) -> dict[str, float]:
    """:func:`bounds` from the last :data:`MOST` complete runs beside this one that began earlier, on its machine.

    A run that cannot be read is none of them: ``bench history`` and ``bench verify`` tell of it.
    """
    nights = []
    if new.info and new.machine:
        for path, info in baselines.earlier(new.path)[-MOST:]:
            with suppress(ResultsError):
                night = sides.quick(path, info)
                nights += [night] if night.machine == new.machine else []
    return bounds([moves(before, after) for before, after in itertools.pairwise(nights)], level)


def moves(before: Side, after: Side) -> dict[str, float]:
    """Metric to the median of its cells' log ratios, later to earlier value, of what depends on the machine."""
    measured = []
    for night in (before, after):
        names = night.frame[["metric", "unit"]].drop_duplicates().itertuples(index=False)
        wanted = {name for name, unit in names if kind_of(name, unit) in MEASURED}
        measured.append(Side(night.path, night.name, night.frame[night.frame["metric"].isin(wanted)]))
    rows = pair(*measured).rows
    rows = rows[(rows["base"] > 0) & (rows["new"] > 0)]
    ratios = (rows["new"] / rows["base"]).map(math.log).groupby(rows["metric"], sort=False).median()
    return {str(metric): float(ratio) for metric, ratio in ratios.items()}


def bounds(moved: list[dict[str, float]], level: float) -> dict[str, float]:
    """Metric to the share by which one night may differ from another as a whole though nothing changed.

    The median absolute move tells how far nights lie apart, whatever a few changes among them did. It is exceeded by
    chance in a share of ``level`` of nights, all metrics together (Bonferroni). Neighbouring moves share a night, so
    that k of them count as k/2 degrees of freedom, which errs on the safe side from five on.

    Args:
        moved: of each night from the one before it, :func:`moves`. A metric with fewer than :data:`FEWEST` - 1 of them
            is left out: nothing is known.
        level: how often it may be exceeded.
    """
    series: dict[str, list[float]] = {}
    for one in moved:
        for metric, move in one.items():
            series.setdefault(metric, []).append(move)
    known = {metric: found for metric, found in series.items() if len(found) >= FEWEST - 1}
    quantiles = {len(found): float(stats.t.isf(level / len(known), len(found) / 2)) for found in known.values()}
    return {
        metric: math.expm1(min(_LARGEST, NORMAL_MAD * float(np.median(np.abs(found))) * quantiles[len(found)]))
        for metric, found in known.items()
    }
