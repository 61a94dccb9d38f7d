"""Scores of both sides side by side: each row one metric of one approach at one place, its seeds beside each other."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.comparison.kinds import QUALITY, SPEED, kind_of
from bench.comparison.sides import Side
from bench.errors import ResultsError
from bench.results import runs

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

PLACE = ["model", "target", "approach", "data_quality", "data_size"]
ROW = [*PLACE, "metric"]

_ROUNDING = 1e-12  # of a metric's largest value: less is no change of one that is zero


class Pairs(NamedTuple):
    """What both sides measured.

    Attributes:
        rows: one for each place and metric: :data:`ROW`, ``unit``, ``better``, ``kind``, ``base`` and ``new`` (means
            over shared seeds), ``n_base`` and ``n_new`` (on how many items a seed's score rests, of the least) and
            ``pairs`` (how many seeds); ``reason``, why values cannot be held against each other, empty where they can.
        changes: relative to ``base`` and worse where positive, of each shared seed; shape (G, S), NaN where there is
            none.
        errors: standard errors that the mean of a row's changes has beside the seeds': over timed repetitions, or over
            test items; shape (G,), NaN where none are known.
        unjudged: metrics of both sides without a better direction.
    """

    rows: "pd.DataFrame"
    changes: Floats
    errors: Floats
    unjudged: list[str]


def pair(base: Side, new: Side) -> Pairs:
    """All scores that both sides have of one cell."""
    import pandas as pd

    keys = [*ROW, "seed"]
    columns = [*keys, "unit", "better", "value", "n", "error", "cell"]
    before, now = (_scored(side)[columns] for side in (base, new))
    both = pd.merge(before, now, on=keys, suffixes=("_base", "_new"), sort=False)
    judged = both["better_base"].isin(["lower", "higher"]) | both["better_new"].isin(["lower", "higher"])
    unjudged = [str(name) for name in both.loc[~judged, "metric"].unique()]
    both = both[judged]
    grouped = both.groupby(ROW, sort=False, observed=True)
    group, seed = np.asarray(grouped.ngroup(), dtype=np.int_), pd.factorize(both["seed"])[0]
    rows = grouped.agg(
        unit=("unit_new", "first"),
        better=("better_new", "first"),
        was=("unit_base", "first"),
        was_better=("better_base", "first"),
        base=("value_base", "mean"),
        new=("value_new", "mean"),
        n_base=("n_base", "min"),
        n_new=("n_new", "min"),
        pairs=("seed", "size"),
    ).reset_index()
    kinds = {one: kind_of(*one) for one in set(zip(rows["metric"], rows["unit"], strict=True))}
    rows["kind"] = [kinds[one] for one in zip(rows["metric"], rows["unit"], strict=True)]
    scale = np.where(rows["base"] != 0, rows["base"].abs(), np.where(rows["new"] != 0, rows["new"].abs(), 1.0))
    sign = np.where(rows["better"] == "higher", -1.0, 1.0)
    changes = np.full((len(rows), int(seed.max(initial=-1)) + 1), np.nan)
    largest = rows[["base", "new"]].abs().max(axis=1).groupby(rows["metric"], sort=False).transform("max").to_numpy()
    with np.errstate(over="ignore"):
        apart = (both["value_new"] - both["value_base"]).to_numpy()
        apart = np.where(np.abs(apart) <= _ROUNDING * largest[group], 0.0, apart)
        changes[group, seed] = apart * sign[group] / scale[group]
    rows["reason"] = _reasons(rows, np.isfinite(changes).sum(axis=1))
    changes[rows["reason"] != ""] = np.nan
    rows = rows.drop(columns=["was", "was_better"])
    squares = (both["error_base"] ** 2 + both["error_new"] ** 2).to_numpy()
    total = np.bincount(group, weights=np.nan_to_num(squares), minlength=len(rows))
    known = np.bincount(group, weights=np.isfinite(squares), minlength=len(rows)) == rows["pairs"]
    errors = np.sqrt(total) / rows["pairs"].to_numpy() / scale
    timed = known & (rows["kind"] == SPEED)
    errors = np.where(timed, errors, np.nan)
    quality = (rows["kind"] == QUALITY).to_numpy()
    if base.found and new.found and quality.any():
        names = both[["cell_base", "cell_new", "metric"]].astype(str).to_numpy()[quality[group]]
        over_items = _over_items(base.found, new.found, names.tolist(), group[quality[group]])
        for row, error in over_items.items():
            errors[row] = error / scale[row]
    return Pairs(rows, changes, errors, unjudged)


def _reasons(rows: "pd.DataFrame", known: npt.NDArray[np.int_]) -> list[str]:
    """Why a row's values cannot be held against each other; ``known`` is how many of its changes are numbers."""
    found, columns = [], [rows[name].tolist() for name in ("was", "unit", "was_better", "better", "pairs")]
    for was, unit, was_better, better, pairs, count in zip(*columns, known.tolist(), strict=True):
        if was != unit:
            found.append(f"its unit was {was or 'none'}, and is {unit or 'none'}")
        elif was_better != better:
            found.append(f"{was_better or 'neither'} was better, and now {better or 'neither'} is")
        else:
            found.append("" if count == pairs else "its values are too far apart for a number")
    return found


def _scored(side: Side) -> "pd.DataFrame":
    frame = side.frame
    there = (frame["status"] == "ok") & (frame["metric"] != "") & np.isfinite(frame["value"])
    found: pd.DataFrame = frame.loc[there]
    if (twice := found.duplicated([*ROW, "seed"])).any():
        first = found[twice].iloc[0]
        where = ", ".join(f"{name} {first[name]}" for name in (*PLACE, "seed"))
        raise ResultsError(f"{side.path}: {first['metric']} stands there twice for {where}; leave one of them")
    return found


def _over_items(
    base: runs.Found, new: runs.Found, names: list[list[str]], group: npt.NDArray[np.int_]
) -> dict[int, float]:
    """Row to the standard error over test items of its change, where both sides kept what each item adds.

    Of the mean over seeds, item by item, as each seed is scored on the same items. The two sides are, too, unless the
    dataset's fingerprint is another.
    """
    of_cells: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for (cell_base, cell_new, metric), row in zip(names, group.tolist(), strict=True):
        of_cells.setdefault((cell_base, cell_new), []).append((metric, row))
    records = [{record["cell"]: record for record in side.records} for side in (base, new)]
    apart: dict[int, list[Floats | None]] = {}
    for (cell_base, cell_new), wanted in of_cells.items():
        one, other = base.items(records[0][cell_base]), new.items(records[1][cell_new])
        for metric, row in wanted:
            before, now = one.get(metric), other.get(metric)
            same = before is not None and now is not None and before.shape == now.shape
            apart.setdefault(row, []).append(now - before if same else None)  # type: ignore[operator]
    found = {}
    for row, differences in apart.items():
        known = [each for each in differences if each is not None]
        mean = np.mean(known, axis=0) if len(known) == len(differences) else np.empty(0)
        if (count := np.isfinite(mean).sum()) > 1:
            found[row] = float(np.nanstd(mean, ddof=1) / np.sqrt(count))
    return found
