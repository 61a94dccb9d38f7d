"""Approaches over all pairs: performance profiles, and average ranks with their critical difference."""

import math
from typing import TYPE_CHECKING

import numpy as np

from bench.report.overall import THRESHOLDS, Overall
from bench.report.plots import canvas
from bench.report.plots.canvas import Style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_LINES = 10
_ROW = 0.24  # inches


def performance_profiles(found: Overall, controls: dict[str, str], look: dict[str, Style]) -> "Figure | None":
    """The share of runs above each normalised score, with pointwise bands; None without scores.

    In a crowd the approaches with the best scores stand out, and the others are grey.
    """
    if not found.profile:
        return None
    figure, axes = canvas.new_figure(1, 1, 4.2)
    axis = axes[0, 0]
    best = sorted(found.profile, key=lambda name: -float(found.score[name].value))
    named = best if len(best) <= _MOST_LINES else [name for name in best if controls[name]]
    named += [name for name in best if name not in named][: max(0, _MOST_LINES - len(named))]
    for name in best:
        line, style = found.profile[name], look[name]
        if name not in named:
            axis.plot(THRESHOLDS, line.value, color="#d5d5d5", linewidth=0.8, zorder=1)
            continue
        if np.isfinite(line.low).all():
            axis.fill_between(THRESHOLDS, line.low, line.high, color=style.colour, alpha=0.1, linewidth=0)
        axis.plot(THRESHOLDS, line.value, color=style.colour, linestyle=style.line, linewidth=1.4, label=name)
    for place in (0, 1):
        axis.axvline(place, color="#bbbbbb", linewidth=0.8, zorder=0)
    axis.set(xlim=(THRESHOLDS[0], THRESHOLDS[-1]), ylim=(-0.02, 1.02))
    axis.set(xlabel="normalised score τ (0: the poorer control, 1: the best approach)", ylabel="share of runs above τ")
    columns = canvas.columns_of_legend(named)
    figure.legend(loc="outside lower center", ncols=columns, columnspacing=1.6, handlelength=2.0)
    return figure


def average_ranks(found: Overall, controls: dict[str, str], look: dict[str, Style]) -> "Figure | None":
    """A dot per approach, best on top, in a bar as long as the critical difference; None where there is none."""
    ranked = found.ranks
    if ranked is None or math.isnan(ranked.distance):
        return None
    figure, axes = canvas.new_figure(1, 1, 1.0 + _ROW * len(ranked.average))
    axis = axes[0, 0]
    for height, (name, rank) in enumerate(ranked.average.items()):
        style = look[name]
        left, right = rank - ranked.distance / 2, rank + ranked.distance / 2
        axis.plot([left, right], [height, height], color=style.colour, linewidth=5, alpha=0.25, solid_capstyle="butt")
        axis.plot(rank, height, style.marker, color=style.colour, markersize=5)
    room = ranked.distance / 2 + 0.2
    axis.set_xlim(min(ranked.average.values()) - room, max(ranked.average.values()) + room)
    low, high = axis.get_xlim()
    axis.set_xticks([tick for tick in axis.get_xticks() if max(1, low) <= tick <= min(len(ranked.average), high)])
    axis.set_ylim(len(ranked.average) - 0.4, -0.6)
    axis.set_yticks(range(len(ranked.average)), list(ranked.average))
    axis.grid(visible=True, axis="x")
    axis.set_xlabel(f"average rank over {ranked.pairs} pairs (1 is best); bars that do not overlap differ")
    for label, name in zip(axis.get_yticklabels(), ranked.average, strict=True):
        label.set_color("#777777" if controls[name] else "#222222")
    return figure
