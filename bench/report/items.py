"""What test items say of the comparisons in a run: the covariance of approaches over them, column by column."""

from typing import Any, NamedTuple

import numpy as np

from bench.report import comparisons
from bench.report.comparisons import Floats
from bench.results import runs
from bench.statistics.items import covariance

Column = tuple[str, str, str, str, int]
"""Model, target, data quality, metric and data size: what :func:`bench.report.aggregate.summarise` calls a column."""


class OverItems(NamedTuple):
    """A column's approaches, as far as their scores are kept item by item.

    Attributes:
        approaches: by name, in the suite's order; shape (K,).
        covariance: of their means over seeds, from the test items (:func:`bench.statistics.items.covariance`): shape
            (K, K), in the score's unit squared. NaN for approaches with fewer than two items.
        items: on how many test items at least two approaches, or the only one, have a score.
    """

    approaches: list[str]
    covariance: Floats
    items: int


def of_run(run: runs.Found) -> comparisons.Items:
    """What :func:`bench.report.aggregate.summarise` asks for of a run, from :func:`over_items`."""
    found = over_items(run)

    def of_column(column: tuple[Any, ...], approaches: list[str]) -> Floats | None:
        if (known := found.get(column)) is None:
            return None
        place = {name: index for index, name in enumerate(known.approaches)}
        whole = np.full((len(approaches), len(approaches)), np.nan)
        mine = [index for index, name in enumerate(approaches) if name in place]
        theirs = [place[approaches[index]] for index in mine]
        whole[np.ix_(mine, mine)] = known.covariance[np.ix_(theirs, theirs)]
        return whole

    return of_column


def over_items(run: runs.Found) -> dict[Column, OverItems]:
    """Each column of a run for which items are kept; none for runs of earlier versions.

    An approach that uses no target data stands in each column of its model and target, as in the summary. What is
    damaged is noted in ``run`` and left out, so ask before :meth:`bench.results.runs.Found.told`.
    """
    learned: dict[tuple[str, str], dict[tuple[str, int], None]] = {}  # of each pair the qualities and sizes
    for asked in (record["asked"] for record in run.records):
        if asked["data_size"]:
            learned.setdefault((asked["model"], asked["target"]), {})[asked["data_quality"], asked["data_size"]] = None
    held: dict[Column, dict[str, dict[int, Any]]] = {}
    for record in run.records:
        asked = record["asked"]
        own = {(asked["data_quality"], asked["data_size"]): None}
        columns = own if asked["data_size"] else learned.get((asked["model"], asked["target"]), own)
        for metric, values in run.items(record).items():
            for quality, size in columns:
                column = (asked["model"], asked["target"], quality, metric, size)
                held.setdefault(column, {}).setdefault(asked["approach"], {})[asked["seed"]] = values
    found: dict[Column, OverItems] = {}
    for column, approaches in held.items():
        seeds = sorted({seed for scores in approaches.values() for seed in scores})
        longest = max(len(values) for scores in approaches.values() for values in scores.values())
        whole = np.full((len(approaches), len(seeds), longest), np.nan)
        for rows, scores in zip(whole, approaches.values(), strict=True):
            for seed, values in scores.items():
                rows[seeds.index(seed), : len(values)] = values
        there = (~np.isnan(whole)).any(1).sum(0)
        count = int((there >= min(2, len(approaches))).sum())
        found[column] = OverItems(list(approaches), covariance(whole), count)
    return found
