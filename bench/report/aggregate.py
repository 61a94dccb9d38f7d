"""From the tidy table to what a reader compares: means and intervals over seeds, and who is best, with honest ties."""

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from bench.report import comparisons
from bench.statistics import against, intervals
from bench.statistics.variances import ROUNDING

if TYPE_CHECKING:
    import numpy.typing as npt
    import pandas as pd

REAL = {"real_data": "floor", "training_data": "domain shift of the split"}
"""Controls that are real items in the place of samples, and what each shows; no models, so no marks and no ranks."""

CONTROLS = ("zero_shot", "from_scratch", *REAL)
"""What every run holds beside the approaches: the untouched model, no transfer at all, and real items."""

COST_UNITS = ("s", "ms", "bytes", "FLOP")
COST_NAMES = (
    *("mfu", "trials", "training_steps", "target_steps", "training_examples", "training_tokens", "pool_examples"),
    *("trainable_parameters", "stored_parameters", "total_parameters"),
)
"""Units and names of what is spent, and no quality."""

BEST, TIED, OUTDONE, AHEAD = comparisons.BEST, comparisons.TIED, comparisons.OUTDONE, comparisons.AHEAD

AGAINST_BASELINE = [f"behind_baseline{end}" for end in ("", "_low", "_high")]

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
    controls = {options: control_of(options) for options in rows["options"].unique()}
    return rows.assign(spans=np.arange(len(rows)) < len(fixed), control=rows["options"].map(controls))


def is_cost(metric: str, unit: str) -> bool:
    """Whether a metric is one of time, memory or size."""
    return unit in COST_UNITS or unit.endswith("/s") or metric in COST_NAMES


def summarise(
    frame: "pd.DataFrame",
    confidence: float = 0.95,
    *,
    baseline: str | None = None,
    items: comparisons.Items | None = None,
) -> "pd.DataFrame":
    """One row per (model, target, data quality, metric, approach, data size), in the suite's order, controls first.

    Args:
        frame: the tidy table, columns as in :data:`bench.results.tidy.COLUMNS`.
        confidence: of every interval; those of a column hold together.
        baseline: an approach or a control that all others are held against, too.
        items: gives the covariance over test items for a column, so that comparisons cover these, too.

    Returns:
        Columns ``model, target, data_quality, metric, approach, data_size`` and

        - ``mean``, ``half_width`` (NaN with one seed), ``covers`` (what that is about: "seeds", "seeds and test items",
          "test items" where seeds make no difference, or ""), ``seeds`` (how many have a value);
        - ``unit``, ``better``, ``control`` (see :func:`control_of`), ``spans`` (one value for every data size);
        - ``n_low``, ``n_high``: the fewest and the most things that one of the values rests on;
        - ``behind``, ``behind_low``, ``behind_high``, ``behind_covers``: by how much it is worse than the best approach
          of its column, seed by seed, with a simultaneous interval and what that covers; a control that is better than
          the best is behind by less than nothing; ``pairs``: seeds that it shares with the best;
          ``compared``: whether an approach shares seeds enough with the others to be compared;
        - ``mark``: of :mod:`bench.report.comparisons`, or "";
        - ``behind_zero_shot``, ``behind_from_scratch`` and ``behind_baseline``, each with ``_low`` and ``_high``: the
          same against one of them, simultaneous over all approaches of the column;
        - ``harm``, ``negative_transfer``: whether an approach is worse than zero_shot, and than from_scratch, beyond
          that interval; never so of a cost.
    """
    rows = spread(frame)
    summary = (
        rows.groupby(POINT, sort=False)
        .agg(
            mean=("value", "mean"),
            half_width=("value", "std"),
            covers=("metric", "first"),
            seeds=("seed", "nunique"),
            unit=("unit", "first"),
            better=("better", "first"),
            control=("control", "first"),
            spans=("spans", "first"),
            n_low=("n", "min"),
            n_high=("n", "max"),
            error=("error", "mean"),
        )
        .reset_index()
    )
    known = summary["mean"], summary["half_width"], summary.pop("error"), summary["seeds"]
    summary["half_width"], summary["covers"] = plus_minus(*known, confidence)
    judged = _judged(rows, summary, confidence, baseline, items)
    return _in_order(summary.assign(**judged), frame)


def plus_minus(
    mean: "npt.ArrayLike",
    deviation: "npt.ArrayLike",
    error: "npt.ArrayLike",
    seeds: "npt.ArrayLike",
    confidence: float = 0.95,
) -> tuple[np.ndarray, np.ndarray]:
    """Half the width of the means' intervals, and what they cover, as of :func:`summarise`.

    Over test items, too, where a score knows its own standard error (:func:`bench.statistics.intervals.with_items`).

    Args:
        mean, deviation, error, seeds: means over seeds, standard deviations, mean standard errors over test items (NaN
            where they are not known), and numbers of seeds; each of shape (n,).
        confidence: of the intervals.
    """
    mean, deviation, error, seeds = (np.asarray(one) for one in (mean, deviation, error, seeds))
    deviation = np.where(deviation <= ROUNDING * np.abs(mean), 0.0, deviation)
    half_width = intervals.with_items(deviation, seeds, error, confidence)
    known = [seeds < 2, ~np.isfinite(error), deviation > 0]
    return half_width, np.select(known, ["", comparisons.SEEDS, comparisons.BOTH], comparisons.ITEMS)


def pairs(
    frame: "pd.DataFrame", primary: dict[tuple[str, str, str], str], items: comparisons.Items | None = None
) -> "pd.DataFrame":
    """Every approach against every other by the metric that ranks, p-values adjusted after Holm within each column.

    Args:
        frame: the tidy table.
        primary: (model, target, data quality) to the metric.
        items: as of :func:`summarise`.

    Returns:
        Columns ``model, target, data_quality, metric, data_size, first, second``, ``difference`` (first minus second
        over shared seeds, in the metric's unit), ``error`` and ``covers`` (its standard error, and what that and the
        p-values cover, "seeds" or "seeds and test items"), ``p``, ``p_holm``; a row for each pair that is comparable.
    """
    import pandas as pd

    keys = list(zip(*(frame[key] for key in PAIR), strict=True))
    ranking = frame[[primary.get(key) == metric for key, metric in zip(keys, frame["metric"], strict=True)]]
    names = [*COLUMN, "first", "second", "difference", "error", "covers", "p", "p_holm"]
    rows, parts = spread(ranking), []
    points = rows.groupby(POINT, sort=False)[["better", "control"]].first().reset_index()
    for mine, values in _columns(rows, points):
        approaches = mine[points["control"].to_numpy()[mine] == ""]
        if points["better"].iloc[mine[0]] != "none" and len(approaches) > 1:
            known = points.iloc[approaches]
            over = items(tuple(known[COLUMN].iloc[0]), list(known["approach"])) if items else None
            over = over if over is not None and np.isfinite(over).all() else None
            found = against.pairs(values[np.isin(mine, approaches)], over)
            part = pd.DataFrame({name: known[name].iloc[0] for name in COLUMN}, index=range(len(found.p)))
            labels = known["approach"].to_numpy()
            parts.append(
                part.assign(
                    first=labels[found.first],
                    second=labels[found.second],
                    difference=found.difference,
                    error=found.error,
                    covers=comparisons.SEEDS if over is None else comparisons.BOTH,
                    p=found.p,
                    p_holm=found.adjusted,
                )
            )
    return _concat(parts)[names] if parts else pd.DataFrame(columns=names)


def _columns(rows: "pd.DataFrame", points: "pd.DataFrame") -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """For each column which of the points it holds, and their values by seed, NaN where there is none.

    Args:
        rows: :func:`spread`.
        points: one row per point, in the order in which they come in ``rows``.
    """
    point = rows.groupby(POINT, sort=False).ngroup().to_numpy()
    column = points.groupby(COLUMN, sort=False).ngroup().to_numpy()[point] if len(points) else point
    order = np.argsort(column, kind="stable")
    values, seeds, point = rows["value"].to_numpy(dtype=float)[order], rows["seed"].to_numpy()[order], point[order]
    ends = np.flatnonzero(np.diff(column[order], append=-1)) + 1
    for start, end in zip([0, *ends], ends, strict=False):
        mine, at = np.unique(point[start:end], return_inverse=True)
        known, when = np.unique(seeds[start:end], return_inverse=True)
        yield mine, _table(at, when, values[start:end], (len(mine), len(known)))


def _judged(
    rows: "pd.DataFrame",
    summary: "pd.DataFrame",
    confidence: float,
    baseline: str | None,
    items: comparisons.Items | None,
) -> dict[str, np.ndarray]:
    """What :func:`bench.report.comparisons.judge` says of each column, for all rows of a summary in its first order."""
    found = comparisons.unknown(len(summary))
    sign = summary["better"].map({"lower": 1.0, "higher": -1.0}).to_numpy(dtype=float)
    names, controls = summary["approach"].to_numpy(), summary["control"].to_numpy()
    costs = [is_cost(*pair) for pair in zip(summary["metric"], summary["unit"], strict=True)]
    for mine, values in _columns(rows, summary):
        if np.isnan(sign[mine[0]]):
            continue
        approaches = list(names[mine])
        column = comparisons.Column(
            losses=sign[mine[0]] * values,
            controls=list(controls[mine]),
            items=items(tuple(summary[COLUMN].iloc[mine[0]]), approaches) if items else None,
            is_cost=costs[mine[0]],
            baseline=approaches.index(baseline) if baseline in approaches else None,
        )
        for name, told in comparisons.judge(column, confidence).items():
            found[name][mine] = told
    return found


def _table(row: np.ndarray, column: np.ndarray, values: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Values in their cells, NaN where there is none; where there are several, their mean."""
    cell, size = row * shape[1] + column, shape[0] * shape[1]
    count = np.bincount(cell, minlength=size)
    total = np.bincount(cell, weights=values, minlength=size)
    means = np.divide(total, count, out=np.full(size, np.nan), where=count > 0)
    return np.asarray(means.reshape(shape))


def _in_order(summary: "pd.DataFrame", frame: "pd.DataFrame") -> "pd.DataFrame":
    """Pairs, metrics and approaches as they come in the suite; controls before approaches; sizes ascending."""
    keys = summary[[*PAIR, "metric", "approach", "data_size"]].copy()
    for column in (*PAIR, "metric", "approach"):
        rank = {name: index for index, name in enumerate(frame[column].unique())}
        keys[column] = keys[column].map(rank).astype("int64")
    keys.insert(len(PAIR) + 1, "is_approach", summary["control"] == "")
    return summary.loc[keys.sort_values(list(keys.columns), kind="stable").index].reset_index(drop=True)


def ends(frame: "pd.DataFrame") -> "pd.DataFrame":
    """One row per (model, target, quality, approach, data size, status, reason) with the ``seeds`` that ended so."""
    cells = frame.drop_duplicates(["cell", "data_quality"])
    keys = [*PAIR, "approach", "data_size", "status", "reason"]
    return cells.groupby(keys, sort=False)["seed"].agg(list).rename("seeds").reset_index()


def _concat(parts: "list[pd.DataFrame]") -> "pd.DataFrame":
    import pandas as pd

    return pd.concat(parts, ignore_index=True)
