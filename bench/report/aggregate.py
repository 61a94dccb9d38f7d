"""From the tidy table to what a reader compares: means and intervals over seeds, and who is best, with honest ties."""

import json
from typing import TYPE_CHECKING

import numpy as np

from bench.statistics import intervals

if TYPE_CHECKING:
    import pandas as pd

REAL = {"real_data": "floor", "training_data": "domain shift of the split"}
"""Controls that are real items in the place of samples, and what each shows; no models, so no marks and no ranks."""

CONTROLS = ("zero_shot", "from_scratch", *REAL)
"""What every run holds beside the approaches: the untouched model, no transfer at all, and real items."""

BEST, TIED, AHEAD = "best", "tied", "ahead"
"""Marks. The best mean among the approaches; what cannot be told apart from it; a control that is better than it."""

PAIR = ["model", "target", "data_quality"]
COLUMN = [*PAIR, "metric", "data_size"]
POINT = [*PAIR, "metric", "approach", "data_size"]


def control_of(options: str) -> str:
    """Which control a row's ``options`` (JSON, by approach) make it; empty for an approach."""
    parts = list(json.loads(options))
    return parts[0] if len(parts) == 1 and parts[0] in CONTROLS else ""


def in_every_quality(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The tidy table with the rows that use no target data (``data_size`` 0) repeated for each quality of their pair.

    They stand beside all that learned from worse data, too.
    """
    if frame["data_quality"].nunique() < 2:
        return frame
    known = frame.loc[frame["data_size"] > 0, PAIR].drop_duplicates()
    fixed = frame[frame["data_size"] == 0]
    alone = fixed.merge(known[PAIR[:2]].drop_duplicates(), on=PAIR[:2], how="left", indicator=True)
    alone = alone[alone["_merge"] == "left_only"].drop(columns="_merge")
    repeated = fixed.drop(columns="data_quality").merge(known, on=PAIR[:2])[list(frame.columns)]
    return _concat([repeated, alone, frame[frame["data_size"] > 0]])


def spread(frame: "pd.DataFrame") -> "pd.DataFrame":
    """The rows that hold a value, those that use no target data (``data_size`` 0) repeated for each size they meet."""
    scored = frame[(frame["metric"] != "") & frame["value"].notna()]
    sizes = frame.loc[frame["data_size"] > 0, [*PAIR, "data_size"]].drop_duplicates()
    fixed = scored[scored["data_size"] == 0].drop(columns="data_size").merge(sizes, on=PAIR, how="left")
    fixed["data_size"] = fixed["data_size"].fillna(0).astype("int64")
    rows = _concat([fixed[list(scored.columns)], scored[scored["data_size"] > 0]])
    return rows.assign(spans=np.arange(len(rows)) < len(fixed), control=rows["options"].map(control_of))


def summarise(frame: "pd.DataFrame", confidence: float = 0.95) -> "pd.DataFrame":
    """One row per (model, target, data quality, metric, approach, data size), in the suite's order, controls first.

    Args:
        frame: the tidy table, columns as in :data:`bench.results.tidy.COLUMNS`.
        confidence: of every interval.

    Returns:
        Columns ``model, target, data_quality, metric, approach, data_size`` and

        - ``mean``, ``half_width`` (Student's t over seeds; NaN with one seed), ``seeds`` (how many have a value);
        - ``unit``, ``better``, ``control`` (see :func:`control_of`), ``spans`` (one value for every data size);
        - ``n_low``, ``n_high``: the fewest and the most things that one of the values rests on;
        - ``behind``, ``behind_half_width``, ``pairs``: by how much it is worse than the column's best approach, taken
          seed by seed, with the interval of these differences and their number; negative where it is better;
        - ``mark``: ``best``, ``tied`` (the interval of the differences holds zero, or there is none, or on the seeds
          that both have it is even better), ``ahead``, or "".
    """
    rows = spread(frame)
    summary = (
        rows.groupby(POINT, sort=False)
        .agg(
            mean=("value", "mean"),
            deviation=("value", "std"),
            seeds=("seed", "nunique"),
            unit=("unit", "first"),
            better=("better", "first"),
            control=("control", "first"),
            spans=("spans", "first"),
            n_low=("n", "min"),
            n_high=("n", "max"),
        )
        .reset_index()
    )
    summary["half_width"] = intervals.half_width(summary.pop("deviation"), summary["seeds"], confidence)
    summary = _in_order(summary, frame).merge(_differences(rows, summary, confidence), on=POINT, how="left")
    summary["pairs"] = summary["pairs"].fillna(0).astype("int64")
    return summary.assign(mark=_marks(summary)).drop(columns="is_best")


def _in_order(summary: "pd.DataFrame", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Pairs, metrics and approaches as they come in the suite; controls before approaches; sizes ascending."""
    keys = summary[[*PAIR, "metric", "approach", "data_size"]].copy()
    for column in (*PAIR, "metric", "approach"):
        rank = {name: index for index, name in enumerate(frame[column].unique())}
        keys[column] = keys[column].map(rank).astype("int64")
    keys.insert(len(PAIR) + 1, "is_approach", summary["control"] == "")
    return summary.loc[keys.sort_values(list(keys.columns), kind="stable").index].reset_index(drop=True)


def _differences(rows: "pd.DataFrame", summary: "pd.DataFrame", confidence: float) -> "pd.DataFrame":
    """Each point against the best approach of its column, over the seeds that both have."""
    loss = summary["mean"] * _sign(summary)
    candidates = summary[(summary["control"] == "") & loss.notna()]
    best = candidates.loc[
        loss[candidates.index].groupby([candidates[key] for key in COLUMN], sort=False).idxmin(), POINT
    ]
    reference = rows.merge(best, on=POINT)[[*COLUMN, "approach", "seed", "value"]]
    paired = rows.merge(reference, on=[*COLUMN, "seed"], suffixes=("", "_best"))
    paired["difference"] = (paired["value"] - paired["value_best"]) * _sign(paired)
    found = paired.groupby(POINT, sort=False)["difference"].agg(["mean", "std", "count"]).reset_index()
    found["behind_half_width"] = intervals.half_width(found.pop("std"), found["count"], confidence)
    found = found.rename(columns={"mean": "behind", "count": "pairs"})
    return found.merge(best.assign(is_best=True), on=POINT, how="left")


def _marks(summary: "pd.DataFrame") -> np.ndarray:
    """Marks of :func:`summarise`; real items are no competitors, and get none."""
    compared = summary["behind"].notna() & ~summary["control"].isin(list(REAL))
    worse = summary["behind"] > summary["behind_half_width"]  # false too where there is no interval
    ahead = compared & (summary["control"] != "") & (summary["behind"] < -summary["behind_half_width"])
    return np.select([summary["is_best"].notna(), ahead, compared & ~worse], [BEST, AHEAD, TIED], "")


def ends(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per (model, target, quality, approach, data size, status, reason) with the ``seeds`` that ended so."""
    cells = frame.drop_duplicates(["cell", "data_quality"])
    keys = [*PAIR, "approach", "data_size", "status", "reason"]
    return cells.groupby(keys, sort=False)["seed"].agg(list).rename("seeds").reset_index()


def _sign(rows: "pd.DataFrame") -> "pd.Series[float]":
    """1 where lower is better, -1 where higher is, NaN where neither is."""
    return rows["better"].map({"lower": 1.0, "higher": -1.0}).astype("float64")


def _concat(parts: "list[pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(parts, ignore_index=True)
