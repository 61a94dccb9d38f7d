"""Figures of a suite's history: a metric's values from run to run, with the places where they changed marked."""

from typing import TYPE_CHECKING

import numpy as np

from bench.comparison.history import History
from bench.report import plots
from bench.report.plots import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST = 12  # lines of a figure: those with changes first
_HEIGHT = 3.6


def draw(history: History, rows: list[int], title: str) -> bytes:
    """An SVG of some rows of one metric, on one model and target.

    Args:
        history: what to show.
        rows: indices into its rows; of too many those that changed, then the first.
        title: above it.
    """
    from matplotlib import rc_context

    changed = {point.row for point in history.points}
    shown = sorted(rows, key=lambda row: (row not in changed, rows.index(row)))[:_MOST]
    with rc_context(canvas.RC):
        return plots.rendered(_figure(history, shown, title))["svg"]


def _figure(history: History, rows: list[int], title: str) -> "Figure":
    figure, axes = canvas.new_figure(1, 1, _HEIGHT)
    axis = axes[0, 0]
    nights = np.arange(len(history.nights))
    for place, row in enumerate(rows):
        one, values = history.rows.iloc[row], history.values[row]
        there = np.isfinite(values)
        colour, marker = canvas.COLOURS[place % len(canvas.COLOURS)], canvas.MARKERS[place % len(canvas.MARKERS)]
        size = f", {one['data_size']}" if one["data_size"] else ""
        axis.plot(
            nights[there], values[there], color=colour, marker=marker, markersize=3, linewidth=1.1,
            label=f"{one['approach']}{size}",
        )  # fmt: skip
        for point in (point for point in history.points if point.row == row):
            axis.axvline(point.night - 0.5, color=colour, linestyle=":", linewidth=1.0)
            axis.plot([point.night], [values[point.night]], "o", color=colour, markersize=9, fillstyle="none")
    first = history.rows.iloc[rows[0]]
    axis.set_title(title)
    axis.set_ylabel(f"{first['metric']}{f' ({first.unit})' if first['unit'] else ''}\n{first['better']} is better")
    ticks = np.unique(np.linspace(0, len(nights) - 1, min(len(nights), 7)).round().astype(int))
    axis.set_xticks(ticks, [history.nights[tick].side.path.name[:17] for tick in ticks])
    axis.tick_params(axis="x", labelrotation=20)
    names = [str(label) for label in axis.get_legend_handles_labels()[1]]
    figure.legend(loc="outside lower center", ncols=canvas.columns_of_legend(names))
    return figure
