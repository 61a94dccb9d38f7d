"""Scores of both sides side by side: each row one metric of one approach at one place, its seeds beside each other."""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from bench.comparison.kinds import QUALITY, SPEED, kind_of
from bench.comparison.sides import Side

if TYPE_CHECKING:
    import pandas as pd

Floats = npt.NDArray[np.float64]

PLACE = ["model", "target", "approach", "data_quality", "data_size"]
ROW = [*PLACE, "metric"]


class Pairs(NamedTuple):
    """What both sides measured.

    Attributes:
        rows: one row for each place and metric: :data:`ROW`, ``unit``, ``better``, ``kind``, ``base`` and ``new`` (means
            over shared seeds) and ``pairs`` (how many these are). Shape (G, …).
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
    sides = [_scored(side.frame)[[*keys, "unit", "better", "value", "error", "cell"]] for side in (base, new)]
    both = pd.merge(*sides, on=keys, suffixes=("_base", "_new"), sort=False)
    judged = both["better_base"].isin(["lower", "higher"]) & (both["better_base"] == both["better_new"])
    unjudged = [str(name) for name in both.loc[~judged, "metric"].unique()]
    both = both[judged]
    grouped = both.groupby(ROW, sort=False, observed=True)
    group, seed = grouped.ngroup().to_numpy(), pd.factorize(both["seed"])[0]
    rows = grouped.agg(
        unit=("unit_new", "first"),
        better=("better_new", "first"),
        base=("value_base", "mean"),
        new=("value_new", "mean"),
        pairs=("seed", "size"),
    ).reset_index()
    kinds = {one: kind_of(*one) for one in set(zip(rows["metric"], rows["unit"], strict=True))}
    rows["kind"] = [kinds[one] for one in zip(rows["metric"], rows["unit"], strict=True)]
    scale = np.where(rows["base"] != 0, rows["base"].abs(), np.where(rows["new"] != 0, rows["new"].abs(), 1.0))
    sign = np.where(rows["better"] == "higher", -1.0, 1.0)
    changes = np.full((len(rows), int(seed.max(initial=-1)) + 1), np.nan)
    apart = (both["value_new"] - both["value_base"]).to_numpy()
    changes[group, seed] = apart * sign[group] / scale[group]
    squares = (both["error_base"] ** 2 + both["error_new"] ** 2).to_numpy()
    total = np.bincount(group, weights=np.nan_to_num(squares), minlength=len(rows))
    known = np.bincount(group, weights=np.isfinite(squares), minlength=len(rows)) == rows["pairs"]
    errors = np.sqrt(total) / rows["pairs"].to_numpy() / scale
    timed = known & (rows["kind"] == SPEED)
    errors = np.where(timed, errors, np.nan)
    if base.found and new.found:
        _enter_items(errors, both, group, rows, scale, (base, new))
    return Pairs(rows, changes, errors, unjudged)


def _scored(frame: "pd.DataFrame") -> "pd.DataFrame":
    return frame[(frame["status"] == "ok") & (frame["metric"] != "") & np.isfinite(frame["value"])]


def _enter_items(
    errors: Floats,
    both: "pd.DataFrame",
    group: npt.NDArray[np.int_],
    rows: "pd.DataFrame",
    scale: Floats,
    sides: tuple[Side, Side],
) -> None:
    """Standard errors over test items, where both sides kept what each adds: of the mean over seeds, item by item.

    That holds where both scored the same items; where these are others, so is the dataset's fingerprint.
    """
    quality = (rows["kind"] == QUALITY).to_numpy()[group]
    totals: dict[int, list[Floats]] = {}
    for (cell_base, cell_new), places in both[quality].groupby(["cell_base", "cell_new"], sort=False).indices.items():
        found = [
            side.found.items({"cell": cell, "happened": {"scores": [{"metric": name} for name in names]}})
            for side, cell in zip(sides, (cell_base, cell_new), strict=True)
            if (names := both[quality]["metric"].iloc[places].tolist()) and side.found
        ]
        for at in places:
            metric = both[quality]["metric"].iloc[at]
            one, other = (each.get(metric) for each in found)
            if one is not None and other is not None and len(one) == len(other):
                totals.setdefault(int(group[quality][at]), []).append(other - one)
    for row, differences in totals.items():
        if len(differences) == rows["pairs"].iloc[row]:
            mean = np.mean(differences, axis=0)
            mean = mean[np.isfinite(mean)]
            if len(mean) > 1:
                errors[row] = mean.std(ddof=1) / np.sqrt(len(mean)) / scale[row]
